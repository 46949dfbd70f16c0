//! Two small TCP services, in the shape of `http`: bytes in, answers out; no socket, no clock.
//!
//! The services exist to show and measure a dispatch model without HTTP in the way. `echo_upper` answers each chunk
//! in upper case; `json_rpc` answers length-prefixed calls; `servers` compiles the `stream` block, and lets each
//! server answer with its service. Their sockets are served by `serve/engine/stream.rs`.

pub mod echo_upper;
pub mod json_rpc;
pub mod servers;
pub mod step;

pub use servers::{DIRECTIVES, Server, Servers};
