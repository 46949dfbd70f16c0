//! Drives `http` and `stream` over real sockets and files: file cache, output, access log.

pub mod access_log;
pub mod blocking;
pub mod engine;
pub mod event_driver;
mod file_cache;
mod idle;
mod output;
pub mod settings;
pub mod shared_driver;

pub use engine::{Conn, Engine, Need};
pub use event_driver::EventDriver;
pub use shared_driver::{Arrived, SharedDriver};

use crate::conf::{Entry, ListenSocket};
use crate::http::site::Site;
use crate::stream::Servers;

/// How long an idle client that must go is still listened to, ms. One that has its answer and goes on asking needs a round trip
/// for that: it is not cut off in the middle of it, as nginx does, but told with its next answer (`Connection: close`), so that
/// a reload fails no request.
const LULL_MS: u64 = 100;

/// The directives of this layer.
pub static DIRECTIVES: &[&[&dyn Entry]] = &[access_log::DIRECTIVES, settings::DIRECTIVES];

/// The listening sockets of a conf, in the order in which [`Engine::open`] counts them: those of `http`, then those of `stream`.
pub fn listen_sockets<'a>(site: &'a Site, streams: &'a Servers) -> impl Iterator<Item = &'a ListenSocket> {
    site.sockets.iter().chain(&streams.sockets)
}
