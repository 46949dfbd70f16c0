//! TLS by rustls: certificates and keys, the choice of one by the client's hello, tickets that all processes share.
//!
//! Bytes in and bytes out happen in `serve`, which drives rustls' unbuffered connections over its sockets.
//!
//! From the conf to a handshake: the values of `settings.rs` become rules (`rules.rs`) and certificates
//! (`certificate.rs`, `key.rs`), and both become rustls' settings (`server_config.rs`), a set for each server
//! (`endpoints.rs`). `hello.rs` reads the name that a client asks for.

mod by_name;
mod certificate;
mod ciphers;
mod der;
mod endpoints;
mod files;
mod groups;
pub mod hello;
mod key;
mod ocsp;
mod old_version;
mod pem;
mod provider;
mod renewal;
mod rules;
mod server_config;
mod session_cache;
mod settings;
mod tickets;
mod trouble;
mod verify;
mod watch;
mod x509;

pub use endpoints::{Endpoint, Endpoints, Refused};
pub use server_config::HTTP2;
pub use watch::Watch;

/// The directives of this layer.
pub static DIRECTIVES: &[&[&dyn crate::conf::Entry]] = &[settings::DIRECTIVES];

#[cfg(test)]
mod tests;
