//! Bytes in, actions out. No socket, no file, no clock of its own: time comes in as an argument.
//!
//! The way of a request: [`request`] parses its head, [`exchange`] leads it through nginx's phases, with the [`site`]
//! for a map, and [`response`] writes the answer's head. Each directive stands beside the code that reads it.

pub mod answer;
pub mod compat;
pub mod exchange;
pub mod lint;
pub mod message;
pub mod phases;
pub mod site;
pub mod views;

use crate::conf::Entry;
use answer::{headers, redirect, response};
use exchange::{limits, log_format, media_type};
use phases::{access, autoindex, error_page, files, returns};
use site::listen;

/// Files of the conf that the program carries, by name: they stand in for an `include` of one that is missing.
pub const BUILT_IN: &[(&str, &str)] = &[("mime.types", media_type::BUILT_IN)];

/// The directives of this layer.
pub static DIRECTIVES: &[&[&dyn Entry]] = &[
    site::DIRECTIVES,
    listen::DIRECTIVES,
    files::DIRECTIVES,
    autoindex::DIRECTIVES,
    media_type::DIRECTIVES,
    response::DIRECTIVES,
    headers::DIRECTIVES,
    redirect::DIRECTIVES,
    returns::DIRECTIVES,
    error_page::DIRECTIVES,
    access::DIRECTIVES,
    limits::DIRECTIVES,
    log_format::DIRECTIVES,
    compat::DIRECTIVES,
    views::DIRECTIVES,
];
