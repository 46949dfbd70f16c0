//! Compares two sides by the rounds in which both were measured.

use serde::{Deserialize, Serialize};

use super::bootstrap::interval;
use super::{Interval, drifts, median};

/// The parameters of a comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Method {
    /// Probability that the interval holds the true difference; for several questions at once see `level_for`.
    pub level: f64,
    /// The smallest relative difference by which people would choose, e.g. 0.01.
    pub least: f64,
    /// The greatest relative difference that may remain possible when "no difference" is said, e.g. 0.1.
    pub same: f64,
    pub seed: u64,
}

/// The level of each interval by Bonferroni: with `questions` asked at once, at most one run in fifty without any
/// difference calls something different. (One in twenty would let two of twenty runs be wrong in every fourth series.)
pub(crate) fn level_for(questions: usize) -> f64 {
    1.0 - 0.02 / questions.max(1) as f64
}

/// The verdict on a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// The second side's figure is lower.
    Lower,
    /// The second side's figure is higher.
    Higher,
    /// The interval spans zero, or the difference is below `least`; a difference over `same` is excluded.
    NoDifference,
    /// The interval spans zero, or the difference is below `least`; a difference over `same` is possible.
    Undecided,
    /// The client had no CPU to spare: the figure shows the limit of the client.
    ClientBound,
    /// Server and client had to share a CPU: the figure shows how they shared it.
    SharedCpu,
    /// Others used the machine meanwhile.
    Busy,
    /// An earlier run on this machine has found something else.
    Varies,
    /// The difference changed from the first rounds to the last.
    Drift,
    /// Too few rounds in which both sides were measured.
    TooFewRounds,
    /// The rounds have too few requests for such a percentile.
    TooFewRequests,
    /// The figure of a side is unknown.
    NotKnown,
}

/// The second side against the first, for a single metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// Missing when the figure was not measured.
    pub median_a: Option<f64>,
    pub median_b: Option<f64>,
    /// Sums of all rounds, for metrics that are summed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_a: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_b: Option<f64>,
    /// Median of the paired relative differences: 0.05 when the second side's figure is 5 % higher.
    pub difference: f64,
    pub interval: Option<Interval>,
    pub level: f64,
    pub pairs: usize,
    pub verdict: Verdict,
}

impl Comparison {
    /// A comparison without a result; `verdict` is the reason.
    pub(crate) fn without_verdict(verdict: Verdict, pairs: usize, level: f64) -> Comparison {
        let (median_a, median_b, total_a, total_b) = (None, None, None, None);
        Comparison { median_a, median_b, total_a, total_b, difference: 0.0, interval: None, level, pairs, verdict }
    }
}

/// Compares the figures of rounds. `pairs` holds (first side, second side), in the order of the rounds. `blocked`: a
/// reason why there can be no verdict, whatever the figures are.
pub(crate) fn compare(pairs: &[(f64, f64)], blocked: Option<Verdict>, method: Method) -> Comparison {
    let pairs: Vec<(f64, f64)> = pairs.iter().copied().filter(|(a, b)| a.is_finite() && b.is_finite()).collect();
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| relative(*a, *b)).collect();
    let difference = median(&differences).unwrap_or(0.0).exp_m1();
    let interval = interval(&differences, method.level, method.seed)
        .map(|i| Interval { low: i.low.exp_m1(), high: i.high.exp_m1() });
    let verdict = match (interval, blocked) {
        (None, _) => Verdict::TooFewRounds,
        (_, Some(blocked)) => blocked,
        // At this level a drift is reported falsely in at most one run of a hundred, whatever the number of questions.
        _ if drifts(&differences, (1.0 + method.level) / 2.0, method.least) => Verdict::Drift,
        (Some(interval), None) => judge(difference, interval, method),
    };
    let (median_a, median_b) = (median(&a), median(&b));
    let plain = Comparison::without_verdict(verdict, pairs.len(), method.level);
    Comparison { median_a, median_b, difference, interval, ..plain }
}

fn judge(difference: f64, interval: Interval, method: Method) -> Verdict {
    if interval.spans_zero() || difference.abs() < method.least {
        let is_narrow = interval.low >= -method.same && interval.high <= method.same;
        if is_narrow { Verdict::NoDifference } else { Verdict::Undecided }
    } else if difference < 0.0 {
        Verdict::Lower
    } else {
        Verdict::Higher
    }
}

/// The logarithm of the ratio, which changes only its sign when a and b change places. Two zeros don't differ; between
/// zero and another number the ratio is taken to be two.
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
        Method { level: level_for(QUESTIONS), least: 0.01, same: 0.1, seed }
    }

    /// Rounds as a real machine gives them: a level that both sides share, noise of 4 % for each side, and now and then
    /// a disturbed round.
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
                    let found = compare(&rounds(1.0, run * 100 + question), None, method(*run));
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
            .filter(|run| compare(&rounds(1.05, 7_000_000 + run), None, method(*run)).verdict == Verdict::Higher)
            .count();
        assert!(found * 10 >= runs as usize * 9, "found in {found} of {runs} runs only");
    }

    #[test]
    fn nothing_is_said_without_grounds() {
        let clear: Vec<(f64, f64)> = (0..12).map(|n| (10.0 + f64::from(n % 3) * 0.01, 12.0)).collect();
        assert_eq!(compare(&clear, None, method(1)).verdict, Verdict::Higher);
        assert_eq!(compare(&clear, Some(Verdict::ClientBound), method(1)).verdict, Verdict::ClientBound);
        assert_eq!(compare(&clear[..3], None, method(1)).verdict, Verdict::TooFewRounds);
        let slower: Vec<(f64, f64)> = (0..20).map(|n| (10.0 + f64::from(n), 12.0 + 1.2 * f64::from(n))).collect();
        assert_eq!(compare(&slower, None, method(1)).verdict, Verdict::Higher, "both sides alike");
        let drifting: Vec<(f64, f64)> = (0..20).map(|n| (10.0, 10.0 + f64::from(n) / 10.0)).collect();
        assert_eq!(compare(&drifting, None, method(1)).verdict, Verdict::Drift);
        let tiny: Vec<(f64, f64)> = (0..12).map(|_| (10.0, 10.01)).collect();
        assert_eq!(compare(&tiny, None, method(1)).verdict, Verdict::NoDifference);
    }

    #[test]
    fn no_difference_is_said_only_where_a_great_one_is_excluded() {
        let wide: Vec<(f64, f64)> = (0..20).map(|n| (10.0, if n % 2 == 0 { 8.0 } else { 12.5 })).collect();
        assert_eq!(compare(&wide, None, method(1)).verdict, Verdict::Undecided);
        let narrow: Vec<(f64, f64)> = (0..20).map(|n| (10.0, if n % 2 == 0 { 9.5 } else { 10.5 })).collect();
        assert_eq!(compare(&narrow, None, method(1)).verdict, Verdict::NoDifference);
        assert_eq!(compare(&narrow, None, Method { same: 0.02, ..method(1) }).verdict, Verdict::Undecided);
    }

    #[test]
    fn zero_against_zero_is_no_difference() {
        let found = compare(&[(0.0, 0.0); 12], None, method(1));
        assert_eq!((found.difference, found.verdict), (0.0, Verdict::NoDifference));
    }
}
