//! Bytes in, actions out. No socket, no file, no clock of its own: time comes in as an argument.
//!
//! The way of a request: [`request`] parses its head, [`exchange`] leads it through nginx's phases, with the [`site`]
//! for a map, and [`response`] writes the answer's head. Each directive stands beside the code that reads it.

pub mod access;
pub mod action;
mod authorization;
pub mod autoindex;
pub mod body;
mod captured;
pub mod compat;
pub mod complain;
pub mod conditional;
pub mod cx;
pub mod date;
pub mod error_page;
pub mod exchange;
pub mod field;
pub mod files;
pub mod headers;
pub mod host;
pub mod limits;
pub mod lint;
pub mod listen;
pub mod log_format;
pub mod media_type;
pub mod mime;
pub mod range;
pub mod redirect;
pub mod regex;
pub mod reject;
pub mod request;
pub mod response;
pub mod returns;
pub mod route;
pub mod site;
pub mod status;
pub mod template;
pub mod uri;
pub mod variables;
pub mod views;

use crate::conf::Entry;

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
