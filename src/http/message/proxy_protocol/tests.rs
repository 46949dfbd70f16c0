use super::*;

const MOST: usize = 1024;

/// A header of version 2: command and version, family and transport, body.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u16).to_be_bytes();
    [&SIGNATURE[..], &[command, family], &len, body].concat()
}

fn v4_body(tlvs: &[u8]) -> Vec<u8> {
    [&[192, 0, 2, 1, 198, 51, 100, 2, 0xc3, 0x50, 0, 80], tlvs].concat()
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind], &(value.len() as u16).to_be_bytes()[..], value].concat()
}

/// `addr:port addr:port length`, `nothing length`, `partial`, or the error.
fn said(input: &[u8]) -> String {
    match parse(input, MOST) {
        Ok(Parse::Partial) => "partial".to_owned(),
        Ok(Parse::Complete { len, header: None }) => format!("nothing {len}"),
        Ok(Parse::Complete { len, header: Some(header) }) => {
            let ProxyHeader { source, server, .. } = *header;
            format!("{}+{} {}+{} {len}", source.addr, source.port, server.addr, server.port)
        }
        Err(broken) => broken.to_string(),
    }
}

#[test]
fn version_1_is_read_as_nginx_reads_it() {
    for (text, expected) in [
        ("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\nGET", "1.2.3.4+9 5.6.7.8+10 33"),
        ("PROXY TCP6 ::1 2001:db8::2 65535 0\r\n", "::1+65535 2001:db8::2+0 36"),
        ("PROXY TCP4 ::1 dead.beef 1 2\r\n", "::1+1 dead.beef+2 30"),
        ("PROXY TCP4   1 2\r\n", "+1 +2 18"),
        ("PROXY UNKNOWN\r\n", "nothing 15"),
        ("PROXY UNKNOWN ffff::1 x y z\r\nGET", "nothing 29"),
        ("PROXY UNKNOWNX\r\n", "nothing 16"),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 9 65536\r\n", "broken header: \"PROXY TCP4 1.2.3.4 5.6.7.8 9 65536\""),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 9 \r\n", "broken header: \"PROXY TCP4 1.2.3.4 5.6.7.8 9 \""),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\nGET", "broken header: \"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\""),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\rX", "broken header: \"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\""),
        ("PROXY TCP4 1.2.3.g 5.6.7.8 9 10\r\n", "broken header: \"PROXY TCP4 1.2.3.g 5.6.7.8 9 10\""),
        ("PROXY TCP5 1.2.3.4 5.6.7.8 9 10\r\n", "broken header: \"PROXY TCP5 1.2.3.4 5.6.7.8 9 10\""),
        ("PROXY UDP4 1.2.3.4 5.6.7.8 9 10\r\n", "broken header: \"PROXY UDP4 1.2.3.4 5.6.7.8 9 10\""),
        ("proxy TCP4 ", "broken header: \"proxy TCP4 \""),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "broken header: \"GET / HTTP/1.1\""),
        ("\r\nGET", "broken header: \"\""),
    ] {
        assert_eq!(said(text.as_bytes()), expected, "{text:?}");
    }
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(MOST));
    assert!(said(endless.as_bytes()).starts_with("broken header: \"PROXY UNKNOWN xx"));
    assert_eq!(said(&endless.as_bytes()[..MOST - 1]), "partial");
}

#[test]
fn version_2_says_more() {
    let v4 = "192.0.2.1+50000 198.51.100.2+80";
    assert_eq!(said(&v2(0x21, 0x11, &v4_body(b""))), format!("{v4} 28"));
    assert_eq!(said(&v2(0x21, 0x11, &v4_body(&tlv(4, b"noise")))), format!("{v4} 36"));
    let v6 = [[0x20; 16], [0; 16]].concat();
    let v6 = [&v6[..], &[0, 1, 0, 2]].concat();
    assert_eq!(said(&v2(0x21, 0x21, &v6)), "2020:2020:2020:2020:2020:2020:2020:2020+1 ::+2 52");
    for (command, family) in [(0x20, 0x11), (0x22, 0x11), (0x21, 0x12), (0x21, 0), (0x21, 0x31), (0x21, 0x01)] {
        assert_eq!(said(&v2(command, family, &v4_body(b""))), "nothing 28", "{command:x} {family:x}");
    }
    assert_eq!(said(&v2(0x20, 0, b"")), "nothing 16");
    assert_eq!(said(&v2(0x31, 0x11, &v4_body(b""))), "unknown PROXY protocol version: 3");
    assert_eq!(said(&v2(0x11, 0x11, &v4_body(b""))), "unknown PROXY protocol version: 1");
    assert_eq!(parse(&v2(0x21, 0x11, &[0; 11]), MOST), Err(Broken::TooShort));
    assert_eq!(parse(&v2(0x21, 0x21, &[0; 35]), MOST), Err(Broken::TooShort));
    assert_eq!(said(&v2(0x21, 0x11, &[0; MOST - FIXED])), format!("0.0.0.0+0 0.0.0.0+0 {MOST}"));
    assert_eq!(said(&v2(0x21, 0x11, &[0; MOST - FIXED + 1])[..FIXED]), "header is too large");
}

/// A beginning of whatever length waits for the rest.
#[test]
fn a_header_may_come_in_pieces() {
    let headers = [
        b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n".to_vec(),
        b"PROXY TCP6 ::1 ::2 9 10\r\n".to_vec(),
        b"PROXY UNKNOWN abc\r\n".to_vec(),
        v2(0x21, 0x11, &v4_body(&tlv(1, b"h2"))),
        v2(0x20, 0, b""),
    ];
    for header in headers {
        for cut in 0..header.len() {
            assert_eq!(said(&header[..cut]), "partial", "{cut} of {}", header.escape_ascii());
        }
        assert!(said(&header).ends_with(&format!(" {}", header.len())));
    }
}

fn with(tlvs: &[Vec<u8>]) -> ProxyHeader {
    let Ok(Parse::Complete { header: Some(header), .. }) = parse(&v2(0x21, 0x11, &v4_body(&tlvs.concat())), MOST)
    else {
        panic!("no header");
    };
    *header
}

#[test]
fn tlvs_have_names_and_numbers() {
    let ssl = [&[7, 0, 0, 1, 0][..], &tlv(0x21, b"TLSv1.3"), &tlv(0x22, b"me")].concat();
    let header = with(&[tlv(1, b"h2"), tlv(2, b"a.example"), tlv(0x20, &ssl), tlv(0xea, b"x"), tlv(0xea, b"y")]);
    let get = |name: &str| header.tlv(name).map(|value| String::from_utf8_lossy(&value).into_owned());
    for (name, value) in [
        ("alpn", "h2"),
        ("authority", "a.example"),
        ("0x01", "h2"),
        ("0x1", "h2"),
        ("0xea", "x"),
        ("0x00ea", "x"),
        ("ssl_version", "TLSv1.3"),
        ("ssl_cn", "me"),
        ("ssl_0x22", "me"),
        ("ssl_verify", "256"),
    ] {
        assert_eq!(get(name).as_deref(), Ok(value), "{name}");
    }
    assert_eq!(header.tlv("ssl").as_deref(), Ok(&ssl[..]));
    for name in ["unique_id", "netns", "0xeb", "0x1ea", "ssl_cipher"] {
        assert_eq!(get(name), Err(NoTlv::Absent), "{name}");
    }
    assert_eq!(["0x", "0xg", "0x+1", "ssl_0x"].map(get), [const { Err(NoTlv::Invalid) }; 4]);
    assert_eq!(["", "ALPN", "x", "ssl_alpn", "ssl_"].map(get), [const { Err(NoTlv::Unknown) }; 5]);
}

#[test]
fn tlvs_that_lead_out_of_the_header_are_broken() {
    let header = with(&[tlv(1, b"h2"), vec![2, 0, 9, b'x']]);
    assert_eq!((header.tlv("alpn").as_deref(), header.tlv("0x02")), (Ok(&b"h2"[..]), Err(NoTlv::Broken)));
    assert_eq!(with(&[vec![2, 0]]).tlv("alpn"), Err(NoTlv::Broken));
    assert_eq!(with(&[tlv(0x20, &[1, 0, 0, 0])]).tlv("ssl_verify"), Err(NoTlv::Absent));
    assert_eq!(with(&[]).tlv("alpn"), Err(NoTlv::Absent));
}
