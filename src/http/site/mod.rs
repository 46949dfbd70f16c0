//! The `http` block, compiled: sockets, servers, names, locations, regexes. Knows no request.

mod block;
pub mod captured;
pub mod listen;
pub mod regex;
pub mod route;
pub mod template;

pub use block::{DIRECTIVES, HTTP, LOCATION, Location, Pattern, SERVER, SERVER_NAME, Server, ServerName, Site};
