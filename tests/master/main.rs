//! The master over its whole life: start, reload, reopening, upgrade, death of children, shutdown, and the command line.

#[path = "../support/mod.rs"]
mod support;

mod cli;
mod directory;
mod identity;
mod kernel;
mod life;
mod passed;
mod pid_file;
mod reload;
mod start;
mod terminal;
mod unix_sockets;
mod upgrade;

use std::process::Output;

use support::server::Product;

/// A conf with this many workers and nothing else of interest.
fn conf(workers: usize) -> String {
    format!(
        "%main% worker_processes {workers}; events {{ }}
         http {{ access_log off; server {{ listen 127.0.0.1:%port%; root %root%; location = /v {{ return 200 one; }} }} }}"
    )
}

/// Runs drover to its end.
fn drover(args: &[&str]) -> Output {
    std::process::Command::new(Product::Drover.binary()).args(args).output().expect("run drover")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
