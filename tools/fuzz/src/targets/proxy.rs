//! The header of the PROXY protocol.

use drover::http::message::proxy_protocol::{NoTlv, Parse, ProxyHeader, parse};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes that a header may have.
const MOST: usize = 1024;

/// A whole header ends within the input, is the same without what follows, all its beginnings wait for more, and it
/// says what a second reader finds at its places.
pub(super) fn proxy(input: &[u8]) {
    let Ok(Parse::Complete { len, header }) = parse(input, MOST) else { return };
    let whole = &input[..len];
    assert!((0..len).all(|cut| parse(&input[..cut], MOST) == Ok(Parse::Partial)));
    assert_eq!(parse(whole, MOST), Ok(Parse::Complete { len, header: header.clone() }));
    let Some(header) = header else { return };
    match whole.strip_prefix(b"PROXY ") {
        Some(text) => read_words(text, &header),
        None => read_places(whole, &header),
    }
}

fn read_words(text: &[u8], header: &ProxyHeader) {
    let text = std::str::from_utf8(text).expect("text").strip_suffix("\r\n").expect("the end of a line");
    let words: Vec<&str> = text.split(' ').collect();
    let [family, source, server, from, to] = words[..] else { panic!("{words:?}") };
    assert!(matches!(family, "TCP4" | "TCP6"));
    assert_eq!((&*header.source.addr, Ok(header.source.port)), (source, from.parse()));
    assert_eq!((&*header.server.addr, Ok(header.server.port)), (server, to.parse()));
    assert_eq!(header.tlv("alpn"), Err(NoTlv::Absent));
}

fn read_places(whole: &[u8], header: &ProxyHeader) {
    let body = &whole[16..];
    let port = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let (addrs, ports, rest) = match whole[13] {
        0x11 => {
            let ip = |at: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&body[at..at + 4]).expect("4 bytes")).to_string();
            ([ip(0), ip(4)], [port(8), port(10)], &body[12..])
        }
        _ => {
            let ip =
                |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&body[at..at + 16]).expect("16 bytes")).to_string();
            ([ip(0), ip(16)], [port(32), port(34)], &body[36..])
        }
    };
    assert_eq!((&*header.source.addr, header.source.port), (&*addrs[0], ports[0]));
    assert_eq!((&*header.server.addr, header.server.port), (&*addrs[1], ports[1]));
    for (name, kind) in [("alpn", 1), ("0x01", 1), ("authority", 2), ("ssl", 0x20), ("0xff", 0xff)] {
        assert_eq!(header.tlv(name).ok().as_deref(), value(rest, kind), "{name}");
    }
    for name in ["ssl_verify", "ssl_version", "ssl_0x22", "nope", "0x", "ssl_"] {
        let value = header.tlv(name).unwrap_or_default();
        assert!(value.len() <= rest.len().max(10));
    }
}

/// The first value of a kind among type, length and value.
fn value(rest: &[u8], kind: u8) -> Option<&[u8]> {
    let [own, high, low, rest @ ..] = rest else { return None };
    let (found, rest) = rest.split_at_checked(usize::from(*high) << 8 | usize::from(*low))?;
    if *own == kind { Some(found) } else { value(rest, kind) }
}
