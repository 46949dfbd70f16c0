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

/// How long an idle client that must go is still listened to, ms. One that has its answer and goes on asking is not cut
/// off in the middle of that, as nginx does, but told with its next answer (`Connection: close`), so that a reload
/// fails no request. A program that gets twenty files at a time in one thread comes back to a connection after 70 to
/// 160 ms on a busy machine.
const LULL_MS: u64 = 500;

/// The same for a client that must make room and has just connected, or has its last answer, ms: Node sends the first
/// of sixty requests that long after the handshake. Each place can be had so often by those who connect and say
/// nothing.
const FIRST_LULL_MS: u64 = 100;

/// How often a leaving process looks whether its clients have acknowledged what they were sent, ms.
const LOOK_MS: u64 = 100;

/// The directives of this layer.
pub static DIRECTIVES: &[&[&dyn Entry]] = &[access_log::DIRECTIVES, settings::DIRECTIVES];

/// The listening sockets of a conf, in the order in which [`Engine::open`] counts them: those of `http`, then those of `stream`.
pub fn listen_sockets<'a>(site: &'a Site, streams: &'a Servers) -> impl Iterator<Item = &'a ListenSocket> {
    site.sockets.iter().chain(&streams.sockets)
}
