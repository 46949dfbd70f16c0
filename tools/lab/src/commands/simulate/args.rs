//! The command line of `lab simulate`.

use clap::Args;

use super::machines::MachinesArgs;
use crate::args::{self, Common};

/// The arguments, those about several machines among them.
#[derive(Clone, Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Models, or `all` [default: accept_mutex,accept_handoff,herd,exclusive,reuseport,steer,pool_pass,prefork; with
    /// `--machines` exclusive]
    #[arg(long)]
    pub models: Option<String>,
    /// Workers, in powers of two up to this
    #[arg(long, default_value_t = 256, value_parser = args::workers())]
    pub most: u32,
    /// Share of each CPU that is busy
    #[arg(long, default_value_t = 0.6)]
    pub utilisation: f64,
    /// Share of connections that are heavy
    #[arg(long, default_value_t = 0.01)]
    pub heavy: f64,
    /// How many times as much a heavy one costs
    #[arg(long, default_value_t = 50.0)]
    pub heavy_factor: f64,
    /// Rounds of the measurements that costs and errors come from
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub machines: MachinesArgs,
}
