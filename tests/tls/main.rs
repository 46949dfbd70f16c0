//! TLS as real clients see it: curl, OpenSSL's s_client, Python's ssl, wrk, and rustls for what those can't be told.

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod disk;
mod handshakes;
mod http2;
mod names;
mod plain;
mod renewal;
mod site;
mod verified;
