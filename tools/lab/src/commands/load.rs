//! `lab load`: the lab's own client alone, for programs that start and watch the server themselves (`tools/bench`).
//!
//! The client opens its connections, says `ready`, waits for a line on standard input, makes the load, and prints its
//! figures as JSON. What the connections cost to open is then no part of what is measured.

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::load::{Client, Plan, figures};

/// A request without an answer after it is lost.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The arguments of `lab load`.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The server, which has /1k.html
    server: SocketAddr,
    /// Connections, which stay
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Requests a second, in an open loop; without it each connection asks again after its answer
    #[arg(long)]
    rate: Option<f64>,
    /// The times of the open loop follow from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Makes the load. Errors: a bad argument, connections that can't be opened, Ctrl-C.
pub(crate) fn run(args: &LoadArgs) -> Result<ExitCode> {
    ensure!(args.connections > 0, "--connections is 0");
    let length = Duration::try_from_secs_f64(args.seconds).context("--seconds")?;
    let plan = match args.rate {
        Some(rate) => Plan::trickle(args.connections, rate, length, args.seed),
        None => Plan::staying(args.connections, length),
    };
    let client = Client::new(&plan, args.server, TIMEOUT)?;
    let mut out = io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()?;
    io::stdin().lock().read_line(&mut String::new())?;
    writeln!(out, "{}", serde_json::to_string(&figures(&client.go()?))?)?;
    Ok(ExitCode::SUCCESS)
}
