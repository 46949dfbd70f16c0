//! The ClientHello of TLS.

use crate::target::Target;
use drover::tls::hello::{Parse, parse};

pub(crate) const HELLO: Target = Target {
    name: "hello",
    new: || Box::new(hello),
    seeds: &[
        b"\x16\x03\x01\0\x3c\x01\0\0\x38\x03\x03................................\0\0\x02\x13\x01\x01\0\
          \0\x0d\0\0\0\x09\0\x07\0\0\x04a.bc",
        b"\x16\x03\x01\0\x05\x01\0\0\x4c\x03\x16\x03\x01\0\x4b\x03................................\x01s\0\x04\x13\x01\
          \x13\x02\x01\0\0\x1e\0\x10\0\x0e\0\x0c\x02h2\x08http/1.1\0\x2b\0\x03\x02\x03\x04\0\x0a\0\x04\0\x02\0\x1d",
    ],
    words: &["\x16\x03\x01", "\x01\0\0", "\0\0", "\0\x10", "\0\x2b", "\x13\x01", "h2", "http/1.1"],
};

/// A hello is whole with its last record, and not before; whoever waits for more bytes gets the same answer however
/// they come.
fn hello(input: &[u8]) {
    let whole = parse(input);
    let Some(end) = (0..=input.len()).find(|end| parse(&input[..*end]) != Parse::Partial) else {
        return assert_eq!(whole, Parse::Partial);
    };
    match parse(&input[..end]) {
        Parse::Whole(first) => {
            assert!(first.ciphers.len() < input.len() && first.protocols.len() < input.len());
            assert!(matches!(whole, Parse::Whole(hello) if hello == first));
        }
        _ => assert_eq!(whole, Parse::Not),
    }
}
