//! The cost of a request for HAProxy here: measured in front of one drover, with connections for each request and with
//! connections that stay.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::commands::simulate::args::SimulateArgs;
use crate::commands::simulate::fleet::{Fleet, SLICE, TIMEOUT, WARM_UP, interquartile_mean};
use crate::load::{Ending, Plan, run_beside};
use crate::process::{KeptProcess, ProgramSpec, tree};
use crate::results::{BalancerCheck, BalancerCost, BalancerNotes};
use crate::server::free_address;
use crate::{interrupt, report};

/// A rate at which HAProxy sleeps before nearly every step.
const LIGHT: f64 = 1000.0;
/// A rate that is not used for the calibration.
const CHECKED: f64 = 4000.0;
/// Clients of a closed loop: HAProxy always has something to do.
const CLIENTS: usize = 32;
/// Connections that stay.
const KEPT: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);

/// HAProxy with a single thread, as the costs are told for one. The retries are those of the simulation; no request of
/// a measurement needs one.
const CONF: &str = "global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
    timeout http-request 10s
    timeout http-keep-alive 15s
frontend site
    bind $address
    default_backend machines
backend machines
    balance leastconn
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response
    server a $server
";

/// The HAProxy that is installed. Error: there is none, and how to go on without it.
pub(super) fn find() -> Result<PathBuf> {
    crate::process::find("haproxy").context(
        "haproxy is not installed (Debian, Ubuntu: apt-get install haproxy), so that its cost can't be measured: say \
         what a request costs a balancer with --balancer-us",
    )
}

/// A running HAProxy. It ends when this is dropped.
struct HaProxy {
    kept: KeptProcess,
    address: SocketAddr,
}

impl HaProxy {
    /// Starts it in front of `server`, and waits until it listens.
    fn start(program: &Path, server: SocketAddr, fleet: &Fleet) -> Result<HaProxy> {
        let (address, dir) = (free_address()?, fleet.bench.dir());
        let conf = dir.join("haproxy.cfg");
        let text = CONF.replace("$address", &address.to_string()).replace("$server", &server.to_string());
        std::fs::write(&conf, text).with_context(|| conf.display().to_string())?;
        let args = ["-db".into(), "-f".into(), conf.into_os_string()].to_vec();
        let spec = ProgramSpec { program: program.into(), args, cpus: fleet.bench.cpus.server.clone() };
        let mut kept = KeptProcess::start(&spec, &dir.join("haproxy.output"))?;
        let patience = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect_timeout(&address, PATIENCE).is_err() {
            interrupt::check()?;
            if kept.exit_status().is_some() || Instant::now() > patience {
                bail!("haproxy does not listen\n{}", kept.output());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(HaProxy { kept, address })
    }

    /// CPU time for a request of `plan`, µs.
    fn cost(&self, plan: &Plan, cpus: &[usize]) -> Result<f64> {
        let cpu = || tree(self.kept.pid()).iter().map(|process| process.cpu_ns).sum::<u64>();
        let keep = plan.idle > 0;
        run_beside(&Plan::closed(2, keep, WARM_UP), self.address, TIMEOUT, cpus, |_| ())?;
        // Connections that are opened before the load are opened before the first reading.
        let (run, before) = run_beside(plan, self.address, TIMEOUT, cpus, |_| cpu())?;
        let after = cpu();
        if run.outcomes.iter().any(|outcome| outcome.ending != Ending::Answered) {
            bail!("haproxy did not answer everything\n{}", self.kept.output());
        }
        Ok(after.saturating_sub(before) as f64 / 1e3 / run.outcomes.len().max(1) as f64)
    }
}

/// The plans of a kind of connection: light, closed, and the one that is checked.
fn plans(kept: bool, seed: u64) -> [Plan; 3] {
    let open = |rate: f64, seed: u64| match kept {
        true => Plan::trickle(KEPT, rate, SLICE, seed),
        false => Plan::open(rate, SLICE, seed),
    };
    [open(LIGHT, seed), Plan::closed(CLIENTS, kept, SLICE), open(CHECKED, seed ^ 1)]
}

/// Measures HAProxy in front of the server of this model and size, in turns.
pub(super) fn measure(
    program: &Path,
    fleet: &Fleet,
    server: (&'static str, u32),
    args: &SimulateArgs,
) -> Result<BalancerNotes> {
    let haproxy = HaProxy::start(program, fleet.address(server)?, fleet)?;
    let cpus = &fleet.bench.cpus.client;
    let mut seen: [[Vec<f64>; 3]; 2] = Default::default();
    let bar = report::progress(u64::from(args.rounds)).with_message("measuring HAProxy");
    for round in 0..args.rounds {
        for (kept, seen) in [false, true].into_iter().zip(&mut seen) {
            for (plan, seen) in plans(kept, args.common.seed ^ u64::from(round) << 32).iter().zip(seen) {
                interrupt::check()?;
                seen.push(haproxy.cost(plan, cpus)?);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let [short, kept] = seen.map(|seen| cost(seen.map(interquartile_mean)));
    Ok(BalancerNotes { version: Some(version(program)), threads: 0, short, kept: Some(kept) })
}

/// The cost by three measurements: light and closed make it, the third checks it.
fn cost([light, closed, checked]: [f64; 3]) -> BalancerCost {
    // At the light rate it is asleep for all but the time that it works.
    let asleep = (1.0 - LIGHT * light / 1e6).clamp(0.1, 1.0);
    let cost = BalancerCost { busy_us: closed, wake_us: ((light - closed) / asleep).max(0.0), checked: None };
    let check = BalancerCheck { rate: CHECKED, measured_us: checked, simulated_us: cost.at(CHECKED) };
    BalancerCost { checked: Some(check), ..cost }
}

/// The version that `haproxy -v` tells: "HAProxy version 2.6.12-1+deb12u4 2026/10/17 ...".
fn version(program: &Path) -> String {
    let output = std::process::Command::new(program).arg("-v").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.split_whitespace().nth(2).unwrap_or("of unknown version").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_comes_from_two_points_and_is_checked_at_a_third() {
        let cost = cost([100.0, 60.0, 90.0]);
        // Asleep for nine tenths of the time at the light rate.
        assert!((cost.busy_us - 60.0).abs() < 1e-9 && (cost.wake_us - 40.0 / 0.9).abs() < 1e-9);
        assert!((cost.at(LIGHT) - 100.0).abs() < 1e-9, "the point of the calibration: {}", cost.at(LIGHT));
        let check = cost.checked.unwrap();
        assert_eq!((check.rate, check.measured_us), (CHECKED, 90.0));
        assert!((60.0..100.0).contains(&check.simulated_us), "{check:?}");
    }

    #[test]
    fn a_balancer_that_is_dearer_when_busy_has_no_cost_of_waking() {
        assert_eq!(cost([50.0, 60.0, 60.0]).wake_us, 0.0);
    }
}
