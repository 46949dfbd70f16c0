//! Drives `http` and `stream` over real sockets and files: file cache, output, access log.

mod accepted;
pub mod access_log;
pub mod blocking;
mod coder;
mod connection;
mod contents;
mod driver;
mod engine;
mod event_driver;
mod file_cache;
mod http2;
mod jobs;
mod keeper;
mod lasting_files;
mod listing;
mod lookup;
mod output;
mod pace;
mod passwords;
mod reusable;
mod session;
mod settings;
mod shared_driver;
mod shortage;
mod table;
mod tls;
mod wide_zstd;

pub use accepted::Accepted;
pub use connection::{Conn, Need};
pub use driver::Driver;
pub use engine::Engine;
pub use event_driver::EventDriver;
pub use file_cache::descriptors_for_files;
pub use shared_driver::SharedDriver;
pub use shortage::{Capacity, Shortage};

use crate::conf::{Entry, ListenSocket};
use crate::http::HttpConf;
use crate::stream::Servers;

/// The directives of this layer.
pub static DIRECTIVES: &[&[&dyn Entry]] = &[access_log::DIRECTIVES, settings::DIRECTIVES];

/// The listening sockets of a conf, in the order in which [`Engine::open`] counts them: those of `http`, then those of
/// `stream`.
pub fn listen_sockets<'a>(site: &'a HttpConf, streams: &'a Servers) -> impl Iterator<Item = &'a ListenSocket> {
    site.sockets.iter().chain(&streams.sockets)
}
