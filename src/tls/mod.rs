//! TLS by rustls: certificates and keys, the choice of one by the client's hello, tickets that all processes share.
//!
//! Bytes in and bytes out happen in `serve`, which drives rustls' unbuffered connections over its sockets.

pub mod hello;
