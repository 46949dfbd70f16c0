//! `$proxy_protocol_*`: the words of the PROXY protocol as they came, whether the proxy is believed or not.

use super::cx::{Cx, Embedded};
use super::error_lines;
use super::state::Exchange;
use crate::http::message::proxy_protocol::{End, ProxyHeader};

/// Appends the value of `$proxy_protocol_tlv_NAME`.
pub(super) fn tlv(ex: &Exchange, cx: &Cx, name: &str, out: &mut Vec<u8>) -> bool {
    let Some(header) = &cx.conn.proxy else { return false };
    match header.tlv(name) {
        Ok(value) => {
            out.extend_from_slice(&value);
            true
        }
        Err(why) => {
            error_lines::no_tlv(ex, cx, name, why);
            false
        }
    }
}

fn addr(cx: &Cx, out: &mut Vec<u8>, end: fn(&ProxyHeader) -> &End) -> bool {
    let Some(header) = &cx.conn.proxy else { return false };
    out.extend_from_slice(end(header).addr.as_bytes());
    true
}

fn port(cx: &Cx, out: &mut Vec<u8>, end: fn(&ProxyHeader) -> &End) -> bool {
    let Some(header) = &cx.conn.proxy else { return false };
    if end(header).port > 0 {
        out.extend_from_slice(itoa::Buffer::new().format(end(header).port).as_bytes());
    }
    true
}

/// The ends of the connection that the proxy has accepted.
pub static VARIABLES: &[Embedded] = &[
    Embedded::ours("proxy_protocol_addr", "the client's address, as the PROXY protocol says", |_, cx, out| {
        addr(cx, out, |header| &header.source)
    }),
    Embedded::ours("proxy_protocol_port", "the client's port, as the PROXY protocol says", |_, cx, out| {
        port(cx, out, |header| &header.source)
    }),
    Embedded::ours(
        "proxy_protocol_server_addr",
        "the address that the client connected to, as the PROXY protocol says",
        |_, cx, out| addr(cx, out, |header| &header.server),
    ),
    Embedded::ours(
        "proxy_protocol_server_port",
        "the port that the client connected to, as the PROXY protocol says",
        |_, cx, out| port(cx, out, |header| &header.server),
    ),
];
