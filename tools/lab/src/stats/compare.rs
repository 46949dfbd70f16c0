//! One side against another, from rounds in which both were measured.

use serde::{Deserialize, Serialize};

use super::bootstrap::interval;
use super::{Interval, drifts, median};

/// How a verdict is come by.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Probability that the interval holds the true difference; for several questions at once see `Method::for_questions`.
    pub level: f64,
    /// Relative difference below which nobody would choose by it, e.g. 0.01.
    pub least: f64,
    pub seed: u64,
}

impl Method {
    /// Bonferroni: with `questions` asked at once, a run in which nothing differs calls anything different in at most one case of
    /// fifty. (One of twenty would let two of twenty runs be wrong in every fourth series.)
    pub fn for_questions(questions: usize, least: f64, seed: u64) -> Method {
        Method { level: 1.0 - 0.02 / questions.max(1) as f64, least, seed }
    }
}

/// What can be said about a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The second side's figure is lower.
    Lower,
    /// The second side's figure is higher.
    Higher,
    /// The interval spans zero, or the difference is too small to choose by.
    NoDifference,
    /// The client had no CPU to spare: the figure says what the client can do.
    ClientBound,
    /// The difference changed from the first rounds to the last.
    Drift,
    /// Too few rounds in which both sides were measured.
    TooFewRounds,
}

/// The second side against the first, for one figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    pub median_a: f64,
    pub median_b: f64,
    /// Median of the paired relative differences: 0.05 when the second side's figure is 5 % higher.
    pub difference: f64,
    pub interval: Option<Interval>,
    pub level: f64,
    pub pairs: usize,
    pub verdict: Verdict,
}

/// Compares the figures of rounds: `pairs` holds (first side, second side), in the order of the rounds.
/// `client_bound`: the client was the bottleneck in half of the rounds, and the figure depends on it.
pub fn compare(pairs: &[(f64, f64)], client_bound: bool, method: Method) -> Comparison {
    let pairs: Vec<(f64, f64)> = pairs.iter().copied().filter(|(a, b)| a.is_finite() && b.is_finite()).collect();
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| relative(*a, *b)).collect();
    let difference = median(&differences).unwrap_or(0.0).exp_m1();
    let interval = interval(&differences, method.level, method.seed)
        .map(|i| Interval { low: i.low.exp_m1(), high: i.high.exp_m1() });
    let verdict = match interval {
        None => Verdict::TooFewRounds,
        _ if client_bound => Verdict::ClientBound,
        // Of one run in a hundred in which nothing drifts it is said at most, whatever the number of questions.
        _ if drifts(&differences, (1.0 + method.level) / 2.0, method.least) => Verdict::Drift,
        Some(interval) if interval.spans_zero() || difference.abs() < method.least => Verdict::NoDifference,
        Some(_) if difference < 0.0 => Verdict::Lower,
        Some(_) => Verdict::Higher,
    };
    Comparison {
        median_a: median(&a).unwrap_or(f64::NAN),
        median_b: median(&b).unwrap_or(f64::NAN),
        difference,
        interval,
        level: method.level,
        pairs: pairs.len(),
        verdict,
    }
}

/// The logarithm of the ratio: as far from zero when a and b change places. Two zeros don't differ, and between zero and
/// something is a factor of two.
fn relative(a: f64, b: f64) -> f64 {
    match (a > 0.0, b > 0.0) {
        (true, true) => (b / a).ln(),
        (false, false) => 0.0,
        (true, false) => -std::f64::consts::LN_2,
        (false, true) => std::f64::consts::LN_2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, LogNormal};

    const QUESTIONS: usize = 6;
    const ROUNDS: usize = 80;

    fn method(seed: u64) -> Method {
        Method::for_questions(QUESTIONS, 0.01, seed)
    }

    /// Rounds as a real machine gives them: a level that both sides share, noise of 4 % of their own, and now and then a
    /// round that something else disturbed.
    fn rounds(factor: f64, seed: u64) -> Vec<(f64, f64)> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (shared, own) = (LogNormal::new(3.0, 0.05).unwrap(), LogNormal::new(0.0, 0.04).unwrap());
        let disturbed = |rng: &mut ChaCha8Rng| if rand::Rng::random_bool(rng, 0.05) { 1.3 } else { 1.0 };
        (0..ROUNDS)
            .map(|_| {
                let level = shared.sample(&mut rng);
                let (a, b) = (own.sample(&mut rng) * disturbed(&mut rng), own.sample(&mut rng) * disturbed(&mut rng));
                (level * a, level * b * factor)
            })
            .collect()
    }

    #[test]
    fn a_against_a_says_no_difference_in_nineteen_of_twenty_runs() {
        let runs = 60;
        let wrong = (0..runs)
            .filter(|run| {
                (0..QUESTIONS as u64).any(|question| {
                    let found = compare(&rounds(1.0, run * 100 + question), false, method(*run));
                    found.verdict != Verdict::NoDifference
                })
            })
            .count();
        assert!(wrong * 20 <= runs as usize, "{wrong} of {runs} runs saw a difference where there is none");
    }

    #[test]
    fn five_per_cent_are_found() {
        let runs = 60;
        let found = (0..runs)
            .filter(|run| compare(&rounds(1.05, 7_000_000 + run), false, method(*run)).verdict == Verdict::Higher)
            .count();
        assert!(found * 10 >= runs as usize * 9, "found in {found} of {runs} runs only");
    }

    #[test]
    fn nothing_is_said_without_grounds() {
        let clear: Vec<(f64, f64)> = (0..12).map(|n| (10.0 + f64::from(n % 3) * 0.01, 12.0)).collect();
        assert_eq!(compare(&clear, false, method(1)).verdict, Verdict::Higher);
        assert_eq!(compare(&clear, true, method(1)).verdict, Verdict::ClientBound);
        assert_eq!(compare(&clear[..3], false, method(1)).verdict, Verdict::TooFewRounds);
        let slower: Vec<(f64, f64)> = (0..20).map(|n| (10.0 + f64::from(n), 12.0 + 1.2 * f64::from(n))).collect();
        assert_eq!(compare(&slower, false, method(1)).verdict, Verdict::Higher, "both sides alike");
        let drifting: Vec<(f64, f64)> = (0..20).map(|n| (10.0, 10.0 + f64::from(n) / 10.0)).collect();
        assert_eq!(compare(&drifting, false, method(1)).verdict, Verdict::Drift);
        let tiny: Vec<(f64, f64)> = (0..12).map(|_| (10.0, 10.01)).collect();
        assert_eq!(compare(&tiny, false, method(1)).verdict, Verdict::NoDifference);
    }

    #[test]
    fn zero_against_zero_is_no_difference() {
        let found = compare(&[(0.0, 0.0); 12], false, method(1));
        assert_eq!((found.difference, found.verdict), (0.0, Verdict::NoDifference));
    }
}
