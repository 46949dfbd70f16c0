//! The header of the PROXY protocol.

use crate::target::Target;
use drover::http::message::proxy_protocol::{Parse, ProxyHeader, parse};

/// Bytes that a header may have.
const MOST: usize = 1024;

pub(crate) const PROXY: Target = Target {
    name: "proxy",
    new: || Box::new(proxy),
    seeds: &[
        b"PROXY TCP4 192.0.2.1 198.51.100.2 50000 80\r\nGET / HTTP/1.1\r\n",
        b"PROXY UNKNOWN\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x1b\
          \xc0\0\x02\x01\xc6\x33\x64\x02\xc3\x50\0\x50\x01\0\x02h2\x20\0\x07\x01\0\0\0\0\x21\0",
    ],
    words: &[
        "PROXY ",
        "TCP4 ",
        "TCP6 ",
        "UNKNOWN",
        "::1 ",
        "1.2.3.4 ",
        "65535",
        "\r\n",
        "\r\n\r\n\0\r\nQUIT\n",
        "\x21\x21",
    ],
};

/// A whole header ends within the input, all its beginnings wait for more, and its TLVs lie within it.
fn proxy(input: &[u8]) {
    let Ok(Parse::Complete { len, header }) = parse(input, MOST) else { return };
    assert!(len <= input.len());
    let cuts = (0..len).step_by(1 + len / 32);
    assert!(cuts.into_iter().all(|cut| parse(&input[..cut], MOST) == Ok(Parse::Partial)));
    header.as_deref().into_iter().for_each(look_up);
}

fn look_up(header: &ProxyHeader) {
    for name in ["alpn", "ssl", "ssl_verify", "ssl_version", "0x01", "0xff", "ssl_0x22", "nope"] {
        let _ = header.tlv(name);
    }
}
