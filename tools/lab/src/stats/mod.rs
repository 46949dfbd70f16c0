//! Statistics of repeated rounds: medians, intervals, verdicts.

mod bootstrap;
mod compare;
// The tests of the server use the same file, and need its items public.
#[allow(unreachable_pub)]
#[path = "../../../../tests/support/fairness.rs"]
mod fairness;
mod totals;
mod trend;

pub(crate) use bootstrap::Interval;
pub(crate) use compare::{Comparison, Method, Verdict, compare, level_for};
pub(crate) use fairness::jain;
pub(crate) use totals::compare_sums;
pub(crate) use trend::drifts;

/// The median of `values`; `None` when there are none.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    (!finite.is_empty()).then(|| median_in_place(&mut finite))
}

/// The median of at least one value. Changes the order of the values.
fn median_in_place(values: &mut [f64]) -> f64 {
    let odd = values.len() % 2 == 1;
    let (below, middle, _) = values.select_nth_unstable_by(values.len() / 2, f64::total_cmp);
    let next = below.iter().copied().max_by(f64::total_cmp).filter(|_| !odd);
    next.map_or(*middle, |next| (next + *middle) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_odd_even_and_no_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[f64::NAN, 7.0]), Some(7.0));
    }

    #[test]
    fn jain_of_even_and_lopsided_shares() {
        assert_eq!(jain(&[5.0, 5.0, 5.0, 5.0]), Some(1.0));
        assert_eq!(jain(&[400.0, 0.0, 0.0, 0.0]), Some(0.25));
        assert_eq!(jain(&[0.0, 0.0]), None);
    }
}
