//! Which way each client goes on two CPUs with nothing pinned, and why: what a person sees who types `ab` and `wrk`.

use std::time::Duration;

use anyhow::Result;

use crate::args::Common;
use crate::bench::{Bench, Cpus, Place};
use crate::load::{self, Settings};
use crate::results::{Check, Measurement};
use crate::stats::median;

const NAME: &str = "two CPUs shared with the client, the mutex off over on: fewer requests under ab -k, because \
                    workers sleep after every request or two";
/// Pairs of rounds for each client.
const PAIRS: u64 = 6;
/// Others may take this share of the CPUs.
const IDLE: f64 = 0.1;
/// The client whose way is certain. wrk goes both: with kept connections 1.11 and 0.89 were seen on the same idle
/// machine within two hours (2026-11-29), with a connection each 1.08, 0.99 and 0.89.
const AB: &str = "keepalive-ab";

/// The findings about a client.
struct Client {
    load: &'static str,
    /// Requests a second with the mutex off over on: the median of the pairs.
    ratio: f64,
    /// Context switches a request, on and off.
    switches: [f64; 2],
    /// The share of the CPUs that others took, in the mean.
    others: f64,
}

/// Measures the clients of the closed loops. Skipped: this machine has not two CPUs, or CPUs were asked for.
pub(super) fn clients(common: &Common) -> Result<Check> {
    let shared = Cpus::places(common)?.into_iter().find(|cpus| cpus.place == Place::Shared);
    let Some(cpus) = shared.filter(|cpus| cpus.server.len() == 2) else {
        return Ok(check(None, "known of machines with two CPUs, without --cpus".to_owned()));
    };
    let settings = Settings { workers: 2, length: Duration::from_millis(300), ..Settings::DEFAULT };
    let bench = Bench::at(cpus, settings, None)?;
    let closed = load::LOADS.iter().filter(|load| load.closed).map(|load| load.name);
    Ok(judge(&closed.map(|load| client(common, &bench, load)).collect::<Result<Vec<Client>>>()?))
}

fn client(common: &Common, bench: &Bench, load: &'static str) -> Result<Client> {
    let sides = [common.side("accept_mutex")?, common.side("exclusive")?];
    let mut rounds: [Vec<Measurement>; 2] = Default::default();
    for pair in 0..PAIRS {
        // Each side is first in every other pair.
        for n in if pair % 2 == 0 { [0, 1] } else { [1, 0] } {
            rounds[n].push(bench.measure(&sides[n], load::find(load)?, common.seed ^ pair)?);
        }
    }
    let [on, off] = &rounds;
    let ratios: Vec<f64> = on.iter().zip(off).map(|(on, off)| off.client.rate / on.client.rate).collect();
    let switches = [on, off].map(|side| {
        let of: Vec<f64> = side.iter().filter_map(|m| m.server.switches_per_request).collect();
        median(&of).unwrap_or(0.0)
    });
    let others: Vec<f64> = rounds.iter().flatten().filter_map(|m| Some(m.others?.share)).collect();
    let others = others.iter().sum::<f64>() / others.len().max(1) as f64;
    Ok(Client { load, ratio: median(&ratios).unwrap_or(0.0), switches, others })
}

fn judge(clients: &[Client]) -> Check {
    let others = clients.iter().map(|client| client.others).sum::<f64>() / clients.len().max(1) as f64;
    let figures: Vec<String> = clients
        .iter()
        .map(|Client { load, ratio, switches: [on, off], .. }| {
            format!("{load} {ratio:.2} (sw/req {on:.2} -> {off:.2})")
        })
        .collect();
    let figures = figures.join(", ");
    if others > IDLE {
        let share = others * 100.0;
        return check(None, format!("known of an idle machine, but others took {share:.0} % of the CPUs; {figures}"));
    }
    let is_so = |client: &Client| client.ratio < 1.0 && client.switches[1] > 1.5 * client.switches[0];
    let holds = clients.iter().any(|client| client.load == AB && is_so(client));
    check(Some(holds), figures)
}

fn check(holds: Option<bool>, found: String) -> Check {
    Check { name: NAME.to_owned(), holds, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(ab: f64, off: f64, others: f64) -> Check {
        judge(&[Client { load: AB, ratio: ab, switches: [0.1, off], others }])
    }

    #[test]
    fn ab_goes_its_way_or_the_fact_is_not_found() {
        assert_eq!(found(0.74, 0.3, 0.02).holds, Some(true));
        assert_eq!(found(1.10, 0.3, 0.02).holds, Some(false));
        assert_eq!(found(0.74, 0.1, 0.02).holds, Some(false), "for another reason");
    }

    #[test]
    fn on_a_busy_machine_it_is_not_judged_but_shown() {
        let check = found(0.5, 0.1, 0.4);
        assert_eq!(check.holds, None);
        assert!(check.found.contains("others took 40 % of the CPUs; keepalive-ab 0.50"), "{}", check.found);
    }
}
