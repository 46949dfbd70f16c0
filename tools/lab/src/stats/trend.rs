//! Whether rounds drift: a machine that warms up, or is shared, changes while it is measured.

use super::median;

/// A change from the first to the last third of the rounds that is smaller than this is no drift that could mislead: both
/// sides are measured in every round.
const LEAST: f64 = 0.10;

/// True when the values rise or fall from round to round, more than chance explains (Mann-Kendall, |z| > 2.58: 1 in 100)
/// and by more than a tenth.
pub fn drifts(values: &[f64]) -> bool {
    let n = values.len();
    if n < 6 {
        return false;
    }
    let third = n / 3;
    let (Some(first), Some(last)) = (median(&values[..third]), median(&values[n - third..])) else {
        return false;
    };
    mann_kendall(values).abs() > 2.58 && (last - first).abs() > LEAST * first.abs()
}

/// The standardised Mann-Kendall statistic, without a correction for ties.
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

    #[test]
    fn a_steady_rise_drifts_and_noise_does_not() {
        let rise: Vec<f64> = (0..12).map(|n| 100.0 + 3.0 * f64::from(n)).collect();
        assert!(drifts(&rise));
        let noise = [100.0, 103.0, 99.0, 101.0, 97.0, 104.0, 100.0, 98.0, 102.0, 101.0, 99.0, 100.0];
        assert!(!drifts(&noise));
        let slight: Vec<f64> = (0..12).map(|n| 100.0 + 0.3 * f64::from(n)).collect();
        assert!(!drifts(&slight), "three per cent over all rounds mislead nobody");
        assert!(!drifts(&[1.0, 2.0, 3.0]));
    }
}
