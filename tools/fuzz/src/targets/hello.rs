//! The ClientHello of TLS.

use drover::tls::hello::{Hello, Parse, parse};
use rustls::server::Acceptor;

/// A hello is whole with its last record, and not before; whoever waits for more bytes gets the same answer however
/// they come. A hello that rustls takes names the same server, protocols and ciphers here: the server that is chosen is
/// the one that answers.
pub(super) fn hello(input: &[u8]) {
    let whole = parse(input);
    if let Some(end) = (0..=input.len()).find(|end| parse(&input[..*end]) != Parse::Partial) {
        match parse(&input[..end]) {
            Parse::Whole(first) => {
                assert!(first.ciphers.len() < input.len() && first.protocols.len() < input.len());
                assert!(matches!(&whole, Parse::Whole(hello) if *hello == first));
            }
            _ => assert_eq!(whole, Parse::Not),
        }
    } else {
        assert_eq!(whole, Parse::Partial);
    }
    read_by_rustls(input, &whole);
}

fn read_by_rustls(input: &[u8], parsed: &Parse) {
    let (mut acceptor, mut rest) = (Acceptor::default(), input);
    while acceptor.read_tls(&mut rest).is_ok_and(|read| read > 0) {
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                let Parse::Whole(hello) = parsed else { panic!("{parsed:?}, and rustls takes it") };
                return same(&accepted.client_hello(), hello);
            }
            Err(_) => return,
        }
    }
}

fn same(theirs: &rustls::server::ClientHello, ours: &Hello) {
    if let Some(name) = theirs.server_name() {
        assert!(ours.server_name.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name.as_bytes())), "{name}");
    }
    let protocols: Vec<&[u8]> = theirs.alpn().into_iter().flatten().collect();
    assert_eq!(ours.protocols, protocols);
    let ciphers: Vec<u16> = theirs.cipher_suites().iter().map(|suite| u16::from(*suite)).collect();
    assert_eq!(ours.ciphers, ciphers);
}
