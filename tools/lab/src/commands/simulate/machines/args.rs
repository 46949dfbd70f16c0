//! The part of the command line of `lab simulate` that is about several machines.

use anyhow::{Result, bail};
use clap::Args;

use super::policy::Policy;
use crate::args;
use crate::results::Health;

/// The most machines.
const MOST: i64 = 64;
/// The table has room for so many policies.
const POLICIES: usize = 3;

/// The arguments about the machines and the balancer.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Machines behind a balancer")]
pub(crate) struct MachinesArgs {
    /// Simulates machines like this one behind a balancer instead: 1, 2, 4 and so on, up to this number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST))]
    pub machines: Option<u32>,
    /// How the balancer chooses, in the words of HAProxy's `balance`; three at most
    #[arg(long, default_value = "leastconn,roundrobin,random(2)")]
    pub policies: String,
    /// CPU time of the balancer for a request, µs [default: HAProxy is measured]
    #[arg(long, value_parser = args::positive)]
    pub balancer_us: Option<f64>,
    /// Threads of the balancer [default: as many as this machine has CPUs]
    #[arg(long, value_parser = args::at_least_one)]
    pub balancer_threads: Option<usize>,
    /// CPUs of each machine [default: as many as the measured server had]
    #[arg(long, value_parser = args::at_least_one)]
    pub machine_cpus: Option<usize>,
    /// From the balancer to a machine and back, µs: assumed, not measured
    #[arg(long, default_value_t = 100.0, value_parser = args::not_negative)]
    pub network_us: f64,
    /// Seconds between two health checks (`inter`, `downinter`)
    #[arg(long, default_value_t = 1.0, value_parser = args::positive)]
    pub inter: f64,
    /// Seconds until the next check after one that said something else (`fastinter`)
    #[arg(long, default_value_t = 0.5, value_parser = args::positive)]
    pub fastinter: f64,
    /// Seconds that a check waits for an answer (`timeout check`)
    #[arg(long, default_value_t = 0.5, value_parser = args::positive)]
    pub timeout_check: f64,
    /// Failed checks until a machine is down (`fall`)
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub fall: u32,
    /// Good checks until it is up again (`rise`)
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rise: u32,
    /// Seconds until it has its full weight again (`slowstart`)
    #[arg(long, default_value_t = 10.0, value_parser = args::not_negative)]
    pub slowstart: f64,
    /// How often a request that a machine has failed goes to another (`retries`)
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub retries: u32,
    /// Seconds from the end of a server to the start of the next
    #[arg(long, default_value_t = 2.0, value_parser = args::positive)]
    pub down: f64,
}

impl MachinesArgs {
    pub(super) fn health(&self) -> Health {
        Health {
            inter: self.inter,
            fastinter: self.fastinter,
            downinter: self.inter,
            timeout: self.timeout_check,
            fall: self.fall,
            rise: self.rise,
            slowstart: self.slowstart,
            retries: self.retries,
        }
    }

    pub(super) fn policies(&self) -> Result<Vec<Policy>> {
        let policies = self.policies.split(',').map(|text| Policy::parse(text.trim())).collect::<Result<Vec<_>>>()?;
        if policies.len() > POLICIES {
            bail!("--policies: {POLICIES} at most");
        }
        Ok(policies)
    }
}
