//! Whether a load was measured on a machine that had time for it.

use super::comparison::{Measurement, Results};
use crate::load;

/// Others may take this share of the CPUs before rates and latencies are theirs as well as the server's. The paired
/// rounds keep CPU time per request fair beyond it.
const OTHERS: f64 = 0.1;
/// This share of the rounds may have been starved before nothing is believed.
const STARVED: f64 = 0.1;
/// In a closed loop either the client or a worker always has something to do: together they use about a CPU, or more.
/// Below this share of a CPU somebody else had it.
const NEARLY_IDLE: f64 = 0.6;

/// The disturbances of a load.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Disturbance {
    /// The shares of the CPUs that others took, steal in it and by itself, when they were too large: rates and
    /// latencies say nothing.
    pub others: Option<(f64, f64)>,
    /// The rounds in which there was no request.
    empty: usize,
    /// The rounds of a closed loop in which nobody had the CPUs that were needed.
    idle: usize,
    rounds: usize,
}

impl Disturbance {
    /// Whether so many rounds were starved that nothing says anything.
    pub(super) fn is_starved(&self) -> bool {
        self.empty as f64 + self.idle as f64 > STARVED * self.rounds as f64
    }
}

/// The disturbances of `load`, by all rounds of all sides.
pub(super) fn disturbance(results: &Results, load: &str) -> Disturbance {
    let rounds: Vec<&Measurement> = results.measurements.iter().filter(|m| m.load == load).collect();
    let others: Vec<_> = rounds.iter().filter_map(|m| m.others).collect();
    // A round is too short for the kernel's ticks; the mean of many is not.
    let mean = |pick: fn(&crate::measure::Others) -> f64| others.iter().map(pick).sum::<f64>() / others.len() as f64;
    let base = load.split('/').next().unwrap_or(load);
    let is_closed = load::LOADS.iter().any(|known| known.name == base && known.closed);
    let is_idle = |m: &&&Measurement| m.client.requests > 0 && m.client.cpu_share + m.server.cpu_share < NEARLY_IDLE;
    Disturbance {
        others: (!others.is_empty() && mean(|o| o.share) > OTHERS).then(|| (mean(|o| o.share), mean(|o| o.steal))),
        empty: rounds.iter().filter(|m| m.client.requests == 0).count(),
        idle: if is_closed { rounds.iter().filter(is_idle).count() } else { 0 },
        rounds: rounds.len(),
    }
}

/// The disturbances of all loads, in a sentence for each kind.
pub(super) fn sentences(found: &[(&str, Disturbance)]) -> Vec<String> {
    let under = |names: Vec<&str>| if names.len() == found.len() { "any load".to_owned() } else { names.join(", ") };
    let those = |test: &dyn Fn(&Disturbance) -> bool| -> Vec<&(&str, Disturbance)> {
        found.iter().filter(|(_, disturbance)| test(disturbance)).collect()
    };
    let names = |those: &[&(&str, Disturbance)]| under(those.iter().map(|(name, _)| *name).collect());
    let mut out = Vec::new();
    let busy = those(&|d| d.others.is_some());
    let shares = || busy.iter().filter_map(|(_, d)| d.others).map(|(share, steal)| (share * 100.0, steal * 100.0));
    if let (Some(low), Some(high)) = (shares().map(|s| s.0).reduce(f64::min), shares().map(|s| s.0).reduce(f64::max)) {
        let steal = shares().map(|s| s.1).fold(0.0, f64::max);
        let range = if high - low < 1.0 { format!("{high:.0}") } else { format!("{low:.0} to {high:.0}") };
        out.push(format!("others took {range} % of the CPUs (steal {steal:.0} %) under {}", names(&busy)));
    }
    let rounds = |those: &[&(&str, Disturbance)]| those.iter().map(|(_, d)| d.rounds).sum::<usize>();
    let empty = those(&|d| d.empty > 0);
    if !empty.is_empty() {
        let n: usize = empty.iter().map(|(_, d)| d.empty).sum();
        out.push(format!("{n} of {} rounds had no request, under {}", rounds(&empty), names(&empty)));
    }
    let idle = those(&|d| d.idle as f64 > STARVED * d.rounds as f64);
    if !idle.is_empty() {
        let n: usize = idle.iter().map(|(_, d)| d.idle).sum();
        out.push(format!(
            "in {n} of {} rounds server and client together used less than {:.0} % of a CPU, although there was always \
             something to do, under {}",
            rounds(&idle),
            NEARLY_IDLE * 100.0,
            names(&idle)
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Others;

    fn rounds(load: &str, change: impl Fn(usize, &mut Measurement)) -> Disturbance {
        let mut results = Results::default();
        for n in 0..20 {
            let mut m = Measurement { load: load.into(), side: "herd".into(), ..Measurement::default() };
            (m.client.requests, m.client.cpu_share, m.server.cpu_share) = (1000, 0.5, 0.8);
            m.others = Some(Others { share: if n % 2 == 0 { -0.02 } else { 0.06 }, steal: 0.0 });
            change(n, &mut m);
            results.measurements.push(m);
        }
        disturbance(&results, load)
    }

    #[test]
    fn an_idle_machine_disturbs_nothing() {
        let found = rounds("short", |_, _| ());
        assert!(found.others.is_none() && !found.is_starved());
        assert!(sentences(&[("short", found)]).is_empty());
        assert_eq!(disturbance(&Results::default(), "short"), Disturbance::default());
    }

    #[test]
    fn the_time_of_others_is_named() {
        let busy = |share| rounds("short", move |_, m| m.others = Some(Others { share, steal: 0.02 }));
        assert!(busy(0.34).others.is_some() && !busy(0.34).is_starved());
        assert_eq!(
            sentences(&[("short", busy(0.34)), ("open", busy(0.5)), ("idle", rounds("idle", |_, _| ()))]),
            ["others took 34 to 50 % of the CPUs (steal 2 %) under short, open"]
        );
    }

    #[test]
    fn rounds_without_a_request_and_idle_servers_in_a_closed_loop_are_named() {
        let found = rounds("short", |n, m| m.client.requests = if n < 3 { 0 } else { 1000 });
        assert!(found.is_starved());
        assert_eq!(sentences(&[("short", found)]), ["3 of 20 rounds had no request, under any load"]);
        let idle = |_, m: &mut Measurement| (m.client.cpu_share, m.server.cpu_share) = (0.1, 0.17);
        let found = rounds("keepalive/pinned", idle);
        assert!(found.is_starved());
        assert!(sentences(&[("keepalive/pinned", found)])[0].starts_with("in 20 of 20 rounds server and client"));
        assert!(!rounds("open", idle).is_starved(), "an open loop may leave a server idle");
        let one = rounds("short", |n, m| m.client.requests = if n == 0 { 0 } else { 1000 });
        assert!(!one.is_starved() && sentences(&[("short", one)]).len() == 1, "named, and borne");
    }
}
