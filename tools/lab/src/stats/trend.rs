//! Trends: whether a difference changes while it is measured.

use super::median;

/// True when `values`, in the order of the rounds, rise or fall more than chance explains (Mann-Kendall, at `level`:
/// 0.99 is wrong once in a hundred), and the change from the first third to the last is over `least` and over half of
/// the median.
///
/// Tested are the paired differences. A machine that becomes slower for both sides does not mislead: the sides are
/// measured directly after each other. Tested for each side, it raised alarms on every machine that others use as well.
pub(crate) fn drifts(values: &[f64], level: f64, least: f64) -> bool {
    let third = values.len() / 3;
    let (Some(first), Some(middle), Some(last)) =
        (median(&values[..third]), median(values), median(&values[values.len() - third..]))
    else {
        return false;
    };
    let change = (last - first).abs();
    change > least.max(middle.abs() / 2.0) && chance(mann_kendall(values)) < 1.0 - level
}

/// The probability of a standardised statistic at least this far from zero when there is no trend.
fn chance(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The standardised Mann-Kendall statistic, without a correction for ties: with ties it finds too few trends.
fn mann_kendall(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let s: f64 = values
        .iter()
        .enumerate()
        .flat_map(|(i, a)| {
            values[i + 1..].iter().map(move |b| (b - a).partial_cmp(&0.0).map_or(0.0, |o| f64::from(o as i8)))
        })
        .sum();
    let variance = n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
    (s - s.signum()) / variance.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_chance_is_that_of_the_tables() {
        assert!((chance(1.96) - 0.05).abs() < 1e-4 && (chance(-2.576) - 0.01).abs() < 1e-4);
    }

    #[test]
    fn a_difference_that_comes_or_goes_drifts() {
        let rise: Vec<f64> = (0..20).map(|n| 0.01 * f64::from(n)).collect();
        assert!(drifts(&rise, 0.999, 0.01));
        let slight: Vec<f64> = (0..20).map(|n| 0.0001 * f64::from(n)).collect();
        assert!(!drifts(&slight, 0.999, 0.01), "too small to choose by");
        let large: Vec<f64> = (0..20).map(|n| 0.30 + 0.003 * f64::from(n)).collect();
        assert!(!drifts(&large, 0.999, 0.01), "30 % or 36 %: the answer is the same");
        assert!(!drifts(&[1.0, 2.0, 3.0], 0.9, 0.01));
    }

    #[test]
    fn noise_drifts_no_more_often_than_the_level_allows() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let alarms = (0..2000)
            .filter(|_| {
                let noise: Vec<f64> = (0..20).map(|_| rng.random_range(-0.3..0.3)).collect();
                drifts(&noise, 0.99, 0.01)
            })
            .count();
        assert!(alarms <= 30, "{alarms} of 2000, where 20 are allowed");
    }
}
