//! Two small TCP services, in the shape of [`crate::http`]: bytes in, answers out; no socket, no clock. They exist to show and
//! measure a dispatch model without HTTP in the way.
//!
//! [`servers`] compiles the `stream` block; [`echo_upper`] answers each chunk in upper case; [`json_rpc`] answers
//! length-prefixed calls.

pub mod echo_upper;
pub mod json_rpc;
pub mod servers;

pub use servers::{DIRECTIVES, Server, Servers};

/// What a server does with its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    EchoUpper,
    JsonRpc,
}

/// How far a service came with the bytes it was given.
#[derive(Debug, Default)]
pub struct Step {
    /// So many bytes of the input are done with.
    pub used: usize,
    /// Chunks or calls answered, errors included.
    pub answered: u32,
    /// The client broke the rules: it has been told so, and nothing more is to be read from it.
    pub fault: Option<json_rpc::Fault>,
}

impl Server {
    /// Answers what is whole of `input` behind what `out` holds, until `out` holds `enough` bytes: then its reader must
    /// take them first. `out` grows beyond that by one answer at most.
    pub fn answer(&self, input: &[u8], out: &mut Vec<u8>, enough: usize) -> Step {
        match self.service {
            Service::EchoUpper => echo_upper::answer(input, out, enough),
            Service::JsonRpc => json_rpc::answer(input, out, enough, self.max_frame()),
        }
    }
}
