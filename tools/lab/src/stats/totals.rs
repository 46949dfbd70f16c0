//! Rare events, such as errors, are judged by their sum: the median of the rounds is mostly zero.

use super::{Comparison, Method, Verdict, compare};

/// Compares the sums of counts. `pairs` holds (first side, second side), round by round.
///
/// Without a difference between the sides, each round's difference might as well have the other sign, and the sum is
/// seldom far from zero (Fisher's randomisation test, exact). Signs are drawn for rounds, not for events: events come
/// in clusters, and taken as independent they would call chance a difference.
pub(crate) fn compare_sums(pairs: &[(f64, f64)], method: Method) -> Comparison {
    let by_median = compare(pairs, None, method);
    let (a, b) = pairs.iter().fold((0.0, 0.0), |(a, b), pair| (a + pair.0, b + pair.1));
    let differences: Vec<u64> = pairs.iter().map(|(a, b)| (b - a).abs() as u64).collect();
    let (reach, difference) = (reach(&differences, 1.0 - method.level) as f64, b - a);
    let is_small = difference.abs() + reach <= method.same * a.max(b);
    let verdict = match by_median.verdict {
        Verdict::TooFewRounds => Verdict::TooFewRounds,
        _ if difference.abs() > reach && difference.abs() >= method.least * a => {
            if difference < 0.0 {
                Verdict::Lower
            } else {
                Verdict::Higher
            }
        }
        _ if is_small => Verdict::NoDifference,
        _ => Verdict::Undecided,
    };
    Comparison { total_a: Some(a), total_b: Some(b), interval: None, verdict, ..by_median }
}

/// The smallest distance from zero that the sum of `differences`, with random signs, exceeds with probability `allowed`
/// at most.
fn reach(differences: &[u64], allowed: f64) -> u64 {
    let most: u64 = differences.iter().sum();
    // The probability of each sum, shifted by `most`.
    let mut chance = vec![0.0; 2 * most as usize + 1];
    chance[most as usize] = 1.0;
    for step in differences.iter().map(|d| *d as usize).filter(|d| *d > 0) {
        let before = std::mem::replace(&mut chance, vec![0.0; 2 * most as usize + 1]);
        for (at, p) in before.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            chance[at - step] += p / 2.0;
            chance[at + step] += p / 2.0;
        }
    }
    // The probabilities of both tails, from the ends inwards.
    let tails = (0..=most).rev().scan(0.0, |sum, distance| {
        let (low, high) = (chance[(most - distance) as usize], chance[(most + distance) as usize]);
        *sum += if distance == 0 { high } else { low + high };
        Some((distance, *sum))
    });
    tails.take_while(|(_, tail)| *tail <= allowed).last().map_or(most, |(distance, _)| distance.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn method() -> Method {
        Method { level: 0.99, least: 0.01, same: 0.1, seed: 1 }
    }

    /// Twenty rounds; the second side has an error in each of the first `n`.
    fn rare(n: usize) -> Vec<(f64, f64)> {
        (0..20).map(|round| (0.0, if round < n { 1.0 } else { 0.0 })).collect()
    }

    #[test]
    fn rare_errors_are_a_difference_when_they_are_too_many_for_chance() {
        let found = compare_sums(&rare(9), method());
        assert_eq!((found.total_a, found.total_b, found.verdict), (Some(0.0), Some(9.0), Verdict::Higher));
        assert_eq!(compare_sums(&rare(3), method()).verdict, Verdict::Undecided, "one case of four by chance");
        assert_eq!(compare_sums(&rare(0), method()).verdict, Verdict::NoDifference);
        assert_eq!(compare_sums(&rare(1)[..3], method()).verdict, Verdict::TooFewRounds);
    }

    #[test]
    fn one_bad_round_is_no_evidence_however_many_it_hits() {
        let mut pairs = rare(0);
        pairs[7] = (0.0, 500.0);
        assert_eq!(compare_sums(&pairs, method()).verdict, Verdict::Undecided);
    }

    #[test]
    fn many_on_both_sides_are_no_difference_when_they_are_about_as_many() {
        let pairs: Vec<(f64, f64)> = (0..40).map(|n| (1000.0 + f64::from(n % 3), 1000.0 + f64::from(n % 5))).collect();
        assert_eq!(compare_sums(&pairs, method()).verdict, Verdict::NoDifference);
    }

    #[test]
    fn chance_is_called_a_difference_no_more_often_than_the_level_allows() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut count = || if rng.random_bool(0.2) { f64::from(rng.random_range(1..30)) } else { 0.0 };
        let alarms = (0..1000)
            .filter(|_| {
                let pairs: Vec<(f64, f64)> = (0..20).map(|_| (count(), count())).collect();
                matches!(compare_sums(&pairs, method()).verdict, Verdict::Lower | Verdict::Higher)
            })
            .count();
        assert!(alarms <= 20, "{alarms} of 1000, where 10 are allowed");
    }

    #[test]
    fn reaches_are_those_of_fair_coins() {
        // Eight coins: all alike in two of 256 cases, all but one in 16 more.
        assert_eq!((reach(&[1; 8], 0.01), reach(&[1; 8], 0.005), reach(&[1; 8], 0.08)), (6, 8, 4));
        assert_eq!(reach(&[], 0.01), 0);
    }
}
