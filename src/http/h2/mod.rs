//! HTTP/2 (RFC 9113): a second framing beside `message/request.rs`, over the same heads and exchanges. Bytes in, events
//! and bytes out.
//!
//! `connection/mod.rs` takes frames apart and keeps the state of the connection: the streams (`streams.rs`), the
//! windows (`window.rs`), the table of HPACK (`hpack/`). The fields of a request become a head in
//! `message/request_fields.rs`. Streams carry a value of their driver's, which knows exchanges and files; the driver
//! asks for room and puts answers into frames (`connection/answers.rs`).
//!
//! Whatever a client may have too much of has a limit:
//!
//! | what | limit |
//! |---|---|
//! | streams at a time | `http2_max_concurrent_streams` |
//! | payload of a frame | `frame::MAX_PAYLOAD` |
//! | a header block, packed and unpacked | `connection::MAX_HEADER_LIST` |
//! | the fields of a request | `large_client_header_buffers`: above it a 431 |
//! | CONTINUATION frames without bytes | `connection::MAX_EMPTY_CONTINUATIONS` |
//! | resets, PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, unknown frames | `guard.rs` |
//! | the table of HPACK | 4096 bytes |
//! | bodies on their way | the windows: `http2_body_preread_size`, 65,535 bytes a connection |

pub mod connection;
pub mod fault;
pub mod frame;
mod guard;
pub mod hpack;
pub mod streams;
mod window;
