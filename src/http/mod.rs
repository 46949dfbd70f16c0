//! Bytes in, actions out. No socket, no file, no clock of its own: time comes in as an argument.
//!
//! The way of a request through the rooms, each of which uses only those above it here:
//!
//! - [`message`]: `request.rs` parses the head into a `head.rs`, with `request_line.rs`, `field.rs`, `host.rs`; `uri.rs`
//!   normalises the path; `request_body.rs` finds the end of the body.
//! - [`site`]: `block.rs` is the `http` block, compiled. `bound.rs` finds the server for the host, `route.rs` the location for
//!   the uri, `root.rs` the directory of its files.
//! - [`exchange`]: `state.rs` holds the request and its response while they are made, `cx.rs` their surroundings. `flow.rs` is
//!   what a phase says, `answer.rs` its answer, `action.rs` the words between an exchange and its driver.
//! - [`answer`]: `conditions.rs` and `ranges.rs` make an answer of a file; `response.rs` writes an answer, with the head of
//!   `head.rs` and the fields of `headers.rs`.
//! - [`phases`]: `walk.rs` leads the request through the other files there, in nginx's order.
//! - [`views`]: content handlers that show the ledger.
//!
//! The files at the top see all rooms: `compile.rs` makes the conf of a generation, `lint.rs` looks it over, `compat.rs` knows
//! nginx's other directives. Each directive stands beside the code that reads it.

pub mod message;

pub mod site;

pub mod exchange;

pub mod answer;

pub mod phases;

pub mod views;

pub mod compat;
mod compile;
pub mod lint;

pub use exchange::HttpConf;

use crate::conf::Entry;
use answer::{conditions, headers, pages, ranges, redirect, server_tokens};
use exchange::{Known, authorization, error_lines, file_path, limits, media_type, variables};
use phases::{access, autoindex, body_limit, error_page, index, internal, returns, target, try_files};
use site::{block, listen, location, log_format, root, server, server_name};

/// Files of the conf that the program carries, by name: they stand in for an `include` of one that is missing.
pub const BUILT_IN: &[(&str, &str)] = &[("mime.types", media_type::BUILT_IN)];

/// The directives of this layer, in the order of the reference.
pub static DIRECTIVES: &[&[&dyn Entry]] = &[
    block::DIRECTIVES,
    server::DIRECTIVES,
    location::DIRECTIVES,
    server_name::DIRECTIVES,
    listen::DIRECTIVES,
    root::DIRECTIVES,
    index::DIRECTIVES,
    try_files::DIRECTIVES,
    internal::DIRECTIVES,
    target::DIRECTIVES,
    error_lines::DIRECTIVES,
    autoindex::DIRECTIVES,
    media_type::DIRECTIVES,
    server_tokens::DIRECTIVES,
    conditions::DIRECTIVES,
    ranges::DIRECTIVES,
    pages::DIRECTIVES,
    headers::DIRECTIVES,
    redirect::DIRECTIVES,
    returns::DIRECTIVES,
    error_page::DIRECTIVES,
    access::DIRECTIVES,
    limits::DIRECTIVES,
    body_limit::DIRECTIVES,
    log_format::DIRECTIVES,
    compat::DIRECTIVES,
    views::DIRECTIVES,
];

/// The tables of variables: each stands beside the code that computes the values.
static VARIABLES: &[&[Known]] = &[variables::VARIABLES, file_path::VARIABLES, authorization::VARIABLES];
