#!/usr/bin/env bash
# The proxy-protocol crate takes away the half of a PROXY header that it can't read yet, and calls the first bytes of one no header.
#
# Guess:    a parser over a growing buffer says "incomplete" for a beginning, and leaves the buffer alone until the header is whole.
# Seen:     of a v1 line or a v2 head that is cut anywhere it removes what it has read and returns an error, so that the rest, when it comes, is
#           no header; the first three bytes of "PROXY" are NotProxyHeader, as `GET` is. One kind of beginning makes it panic. The crates ppp
#           and proxy-header tell a beginning from an error. TLVs are dropped.
# Version:  proxy-protocol 0.5.0, ppp 2.3.0, proxy-header 0.1.3.
# Matters:  TCP may deliver a header in pieces: such a client is refused, or its address becomes the first bytes of its request.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
bytes = "1"
ppp = "=2.3.0"
proxy-header = "=0.1.3"
proxy-protocol = "=0.5.0"
TOML
cat > src/main.rs <<'RUST'
use ppp::{HeaderResult, PartialResult};
use proxy_header::{Error, ParseConfig, ProxyHeader};

fn main() {
    let line = b"PROXY TCP4 192.0.2.1 198.51.100.2 50000 80\r\n".to_vec();
    let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    binary.extend([192, 0, 2, 1, 198, 51, 100, 2, 0xc3, 0x50, 0, 80]);
    for (name, whole, cut, taken) in [("v1", &line, 26, 20), ("v1", &line, 3, 0), ("v2", &binary, 20, 16), ("v2", &binary, 14, 13)] {
        assert!(proxy_protocol::parse(&mut bytes::Bytes::from(whole.clone())).is_ok());
        let mut buffer = bytes::Bytes::from(whole[..cut].to_vec());
        let error = proxy_protocol::parse(&mut buffer).unwrap_err();
        println!("{name}, {cut} of {} bytes: {error:?}, and {} are gone", whole.len(), cut - buffer.len());
        assert_eq!(cut - buffer.len(), taken);
        assert_eq!(format!("{error:?}") == "NotProxyHeader", cut == 3);
        assert!(HeaderResult::parse(&whole[..cut]).is_incomplete());
        assert!(matches!(ProxyHeader::parse(&whole[..cut], ParseConfig::default()), Err(Error::BufferTooShort)));
    }
    let other = proxy_protocol::parse(&mut bytes::Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n")).unwrap_err();
    assert_eq!(format!("{other:?}"), "NotProxyHeader");
}
RUST
cargo run -q
