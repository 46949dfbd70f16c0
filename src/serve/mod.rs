//! Drives `http` and `stream` over real sockets and files: file cache, output, access log.

pub mod access_log;
pub mod blocking;
pub mod engine;
pub mod event_driver;
mod file_cache;
mod listing;
mod output;
mod reusable;
pub mod settings;
pub mod shared_driver;
mod shortage;
mod table;

pub use engine::{Conn, Engine, Need};
pub use event_driver::EventDriver;
pub use file_cache::descriptors_for_files;
pub use shared_driver::{Arrived, SharedDriver};
pub use shortage::{Capacity, Shortage};

use crate::conf::{Entry, ListenSocket};
use crate::http::site::Site;
use crate::stream::Servers;

/// How long an idle client that must go is still listened to, ms. One that has its answer and goes on asking needs a round trip
/// for that: it is not cut off in the middle of it, as nginx does, but told with its next answer (`Connection: close`), so that
/// a reload fails no request.
const LULL_MS: u64 = 100;

/// The same for a client that has just connected, ms: its request follows the handshake at once, unless a packet is lost.
const FIRST_LULL_MS: u64 = 20;

/// The directives of this layer.
pub static DIRECTIVES: &[&[&dyn Entry]] = &[access_log::DIRECTIVES, settings::DIRECTIVES];

/// The listening sockets of a conf, in the order in which [`Engine::open`] counts them: those of `http`, then those of `stream`.
pub fn listen_sockets<'a>(site: &'a Site, streams: &'a Servers) -> impl Iterator<Item = &'a ListenSocket> {
    site.sockets.iter().chain(&streams.sockets)
}
