//! The service from start to end, as its operator sees it: options, messages, accounts, addresses, reloads, upgrades,
//! deaths, the end. In the order of a service's life:

#[path = "../support/mod.rs"]
mod support;

mod options;

mod pages;

mod beginning;

mod formatting;

mod checking;

mod directory;

mod starting;

mod terminal;

mod identity;

mod kernel;

mod pid_file;

mod passed_sockets;

mod notified;

mod contained;

mod unix_sockets;

mod reloading;

mod watching;

mod logs;

mod deaths;

mod upgrading;

mod stopping;

mod agent;

use support::conf::Conf;

/// A conf with this many workers, whose `/v` answers "one".
fn conf(workers: usize) -> Conf {
    answering(workers, "one")
}

/// A conf with this many workers, whose `/v` answers with `text`.
fn answering(workers: usize, text: &str) -> Conf {
    Conf::workers(workers).server(&format!("location = /v {{ return 200 {text}; }}"))
}
