//! The latencies of all rounds together.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::load::quantiles;
use crate::results::{Latencies, Measurement};

/// Histograms by load and side. `None`: the tool of a round did not report each latency.
#[derive(Default)]
pub(super) struct MergedLatencies(BTreeMap<(String, String), Option<Histogram<u64>>>);

impl MergedLatencies {
    /// Moves the latencies out of a measurement.
    pub(super) fn take_from(&mut self, measurement: &mut Measurement) {
        let key = (measurement.load.clone(), measurement.side.clone());
        let new = measurement.client.latencies.take();
        let Some(all) = self.0.get_mut(&key) else {
            self.0.insert(key, new);
            return;
        };
        *all = all.take().zip(new).and_then(|(mut all, new)| all.add(&new).is_ok().then_some(all));
    }

    pub(super) fn sum_up(&self) -> Vec<Latencies> {
        let known = self.0.iter().filter_map(|(key, all)| Some((key, all.as_ref().filter(|all| !all.is_empty())?)));
        known
            .map(|((load, side), all)| Latencies {
                load: load.clone(),
                side: side.clone(),
                requests: all.len(),
                quantiles: quantiles(all),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::histogram;

    fn round(us: Option<u64>) -> Measurement {
        let mut m = Measurement { load: "open".into(), side: "herd".into(), ..Measurement::default() };
        m.client.latencies = us.map(|us| {
            let mut all = histogram();
            all.record_n(us * 10, 600).unwrap();
            all
        });
        m
    }

    #[test]
    fn what_one_round_is_too_short_for_all_rounds_show() {
        let mut merged = MergedLatencies::default();
        [100, 100, 5000].iter().for_each(|us| merged.take_from(&mut round(Some(*us))));
        let all = &merged.sum_up()[0];
        let of = |share: f64| all.quantiles.iter().find(|(q, _)| *q == share).map(|(_, us)| *us);
        let is_near = |share, us: f64| of(share).is_some_and(|found| (found / us - 1.0).abs() < 0.001);
        assert!(all.requests == 1800 && is_near(0.5, 100.0) && is_near(1.0, 5000.0), "{all:?}");
        assert!(of(0.999).is_some() && of(0.9999).is_none());
        merged.take_from(&mut round(None));
        assert!(merged.sum_up().is_empty(), "a part of the latencies would be another distribution");
    }
}
