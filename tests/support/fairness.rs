//! How evenly a load is spread. The lab compiles this file, too.

/// Jain's index of fairness: 1 when all shares are equal, 1/n when one has everything; `None` when nothing was shared
/// out (R. Jain, D. Chiu, W. Hawe, DEC-TR-301, 1984).
pub fn jain(shares: &[f64]) -> Option<f64> {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    (squares > 0.0).then(|| sum * sum / (shares.len() as f64 * squares))
}
