//! The services behind a proxy that speaks the PROXY protocol.

use std::io::Write;

use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::until_true;
use crate::{assert_closed, connect, frame, ping, pong, read, read_frame};

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.2 50000 80\r\n";

#[test]
fn a_header_goes_in_front_of_chunks_and_frames() {
    let server = Server::drover(Conf::workers(1).listen("127.0.0.1:%port3%").beside(
        "stream { proxy_protocol_timeout 300ms; server { listen 127.0.0.1:%port% proxy_protocol; echo_upper; }\n\
         server { listen 127.0.0.1:%port2% proxy_protocol; json_rpc; } }",
    ));
    let mut chunks = connect(server.ports()[0]);
    chunks.write_all(&[HEADER, b"abc"].concat()).unwrap();
    assert_eq!(read(&mut chunks, 3), b"ABC");
    let mut calls = connect(server.ports()[1]);
    calls.write_all(&HEADER[..9]).unwrap();
    calls.write_all(&[&HEADER[9..], &ping(1)[..3]].concat()).unwrap();
    calls.write_all(&ping(1)[3..]).unwrap();
    assert_eq!(read_frame(&mut calls), pong(1));
    let mut none = connect(server.ports()[1]);
    none.write_all(&frame("{}")).unwrap();
    assert_closed(&mut none);
    let said = |text: &str| until_true(text, || server.error_log().contains(text));
    said(
        "broken header: \"\\x02\\x00\\x00\\x00{}\" while reading PROXY protocol, client: 127.0.0.1, server: 127.0.0.1:",
    );
    let mut slow = connect(server.ports()[0]);
    slow.write_all(&HEADER[..9]).unwrap();
    assert_closed(&mut slow);
    said("client timed out (110: Connection timed out) while reading PROXY protocol, client: ");
}
