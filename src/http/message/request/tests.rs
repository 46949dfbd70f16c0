use super::*;
use crate::http::message::head::{Form, Method};

mod random;
mod refused;

fn parse_all(bytes: &[u8]) -> Result<(Head, Parse), Reject> {
    let mut head = Head::default();
    let parse = parse(&mut head, bytes, &Limits::default())?;
    Ok((head, parse))
}

fn head_of(bytes: &[u8]) -> Head {
    match parse_all(bytes) {
        Ok((head, Parse::Complete(_))) => head,
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

fn reject_of(bytes: &[u8]) -> Reject {
    match parse_all(bytes) {
        Err(reject) => reject,
        Ok(other) => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

/// A request with this line and a Host.
fn line(text: &str) -> Vec<u8> {
    format!("{text}\r\nHost: a\r\n\r\n").into_bytes()
}

/// A GET with Host and these field lines.
fn fields(text: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{text}\r\n\r\n").into_bytes()
}

#[test]
fn a_usual_request() {
    let bytes =
        b"GET /a/b.html?x=1&y HTTP/1.1\r\nHost: Example.org:8080\r\nUser-Agent: me/1\r\nX-Other:  v \r\n\r\nrest";
    let (head, parse) = parse_all(bytes).unwrap();
    assert_eq!(parse, Parse::Complete(bytes.len() - 4));
    assert_eq!((head.method, head.version, head.form), (Method::Get, Version::Http11, Form::Origin));
    assert_eq!(head.method_text.of(bytes), b"GET");
    assert_eq!(head.line.of(bytes), b"GET /a/b.html?x=1&y HTTP/1.1");
    assert_eq!(head.version_text.of(bytes), b"HTTP/1.1");
    assert_eq!(head.path(bytes), b"/a/b.html");
    assert_eq!(head.query(bytes), Some(&b"x=1&y"[..]));
    assert_eq!(head.uri(bytes), b"/a/b.html?x=1&y");
    assert_eq!(head.host.of(bytes), b"Example.org");
    assert_eq!(head.known(bytes, Id::Host), Some(&b"Example.org:8080"[..]));
    assert_eq!(head.known(bytes, Id::UserAgent), Some(&b"me/1"[..]));
    assert_eq!(head.known(bytes, Id::Range), None);
    assert_eq!(head.get(bytes, b"x-OTHER"), Some(&b"v"[..]));
    assert_eq!(head.all_of_variable(bytes, b"x_other").next(), Some(&b"v"[..]));
    assert_eq!(head.all_of_variable(bytes, b"user_agent").next(), Some(&b"me/1"[..]));
    assert_eq!(head.all_of_variable(bytes, b"x-other").next(), None);
    assert_eq!(head.framing, Framing::None);
    assert!(head.keep_alive && !head.expect_continue);
}

#[test]
fn empty_lines_before_a_request_come_to_an_end() {
    assert!(matches!(parse_all(&b"\r\n".repeat(4000)), Ok((_, Parse::Partial))));
    assert_eq!(reject_of(&b"\r\n".repeat(5000)), Reject::InvalidRequest);
    assert_eq!(reject_of(&[b'\n'; 9000]), Reject::InvalidRequest);
}

#[test]
fn a_cleared_head_is_as_new_and_keeps_its_capacity() {
    let mut head = head_of(&fields("A: 1\r\nB: 2\r\nContent-Length: 3"));
    let capacity = head.fields.capacity();
    head.clear();
    assert_eq!(head.fields.capacity(), capacity);
    assert_eq!(parse(&mut head, b"GET / HTTP/1.0\r\n\r\n", &Limits::default()), Ok(Parse::Complete(18)));
    assert_eq!(head.framing, Framing::None);
    assert!(head.host.is_empty() && head.fields.is_empty());
}

/// The words of a head, without those that it keeps of heads before it.
fn said(head: &Head) -> String {
    format!("{:?}", Head { earlier: None, ..head.clone() })
}

#[test]
fn equal_field_lines_are_read_once() {
    let limits = Limits::default();
    let mut head = head_of(b"GET /a HTTP/1.1\r\nHost: a\r\nAccept: b\r\n\r\n");
    for (bytes, is_same) in [
        (&b"GET /other/path HTTP/1.1\r\nHost: a\r\nAccept: b\r\n\r\nrest"[..], true),
        (b"GET /a HTTP/1.0\r\nHost: a\r\nAccept: b\r\n\r\n", false),
        (b"GET /a HTTP/1.1\r\nHost: b\r\nAccept: b\r\n\r\n", false),
        (b"GET /a HTTP/1.1\r\nHost: a\r\nAccept: b\r\nVia: c\r\n\r\n", false),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nAccept: b\r\n\r\n", false),
    ] {
        head.clear();
        head.fields_at = request_line::parse(&mut head, bytes, &limits).unwrap().unwrap();
        assert_eq!(head.recall(bytes, &limits), is_same, "{}", bytes.escape_ascii());
        assert_eq!(head.get(bytes, b"accept"), is_same.then_some(&b"b"[..]));
    }
}

#[test]
fn line_ends_may_be_lf_and_empty_lines_may_come_first() {
    let bytes = b"\r\n\n\r\nGET / HTTP/1.1\nHost: a\r\nB: c\n\n";
    let head = head_of(bytes);
    assert_eq!(head.line.of(bytes), b"GET / HTTP/1.1");
    assert_eq!(head.get(bytes, b"b"), Some(&b"c"[..]));
    assert_eq!(parse_all(b"\r\n\r").unwrap().1, Parse::Partial);
}

#[test]
fn methods() {
    for (text, method) in [
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("DELETE", Method::Delete),
        ("OPTIONS", Method::Options),
        ("TRACE", Method::Trace),
        ("PATCH", Method::Patch),
        ("M-SEARCH", Method::Other),
        ("FOO_BAR", Method::Other),
    ] {
        let bytes = line(&format!("{text} / HTTP/1.1"));
        let head = head_of(&bytes);
        assert_eq!(head.method, method);
        assert_eq!(head.method_text.of(&bytes), text.as_bytes());
    }
    for text in ["get", "Get", "G3T", "", " GET", "GET\t", "GE\u{7f}", "\"GET\""] {
        assert_eq!(reject_of(&line(&format!("{text} / HTTP/1.1"))), Reject::InvalidMethod, "{text:?}");
    }
}

#[test]
fn what_cannot_become_a_request_is_refused_at_once() {
    assert_eq!(reject_of(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), Reject::InvalidMethod);
    assert_eq!(reject_of(b"get"), Reject::InvalidMethod);
    assert_eq!(reject_of(b"\rG"), Reject::InvalidRequest);
    assert_eq!(parse_all(b"GET /no/end/yet").unwrap().1, Parse::Partial);
}

#[test]
fn versions() {
    for (text, version) in [
        ("HTTP/1.1", Version::Http11),
        ("HTTP/1.0", Version::Http10),
        ("HTTP/1.2", Version::Http11),
        ("HTTP/1.10", Version::Http11),
        ("HTTP/1.00", Version::Http10),
        ("HTTP/1.1  ", Version::Http11),
    ] {
        let bytes = line(&format!("GET / {text}"));
        assert_eq!(head_of(&bytes).version, version, "{text:?}");
        assert_eq!(head_of(&bytes).version_text.of(&bytes), text.trim_end().as_bytes());
    }
    for text in ["HTTP/2.0", "HTTP/3.1", "HTTP/10.0"] {
        assert_eq!(reject_of(&line(&format!("GET / {text}"))), Reject::InvalidVersion, "{text:?}");
    }
    assert_eq!(reject_of(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Reject::InvalidRequest);
    for text in [
        "",
        "HTTP",
        "http/1.1",
        "HTTP/",
        "HTTP/1",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/0.9",
        "HTTP/01.1",
        "HTTP/1.1000",
        "HTTP/1.1 x",
        "HTTP/1.1\t",
        "HTTP/1.1\r",
        "HTTP/+1.1",
        "HTTP/1.-1",
        "HTTQ/1.1",
        "x HTTP/1.1",
    ] {
        assert_eq!(reject_of(&line(&format!("GET / {text}"))), Reject::InvalidRequest, "{text:?}");
    }
    assert_eq!(reject_of(b"GET /\r\n"), Reject::InvalidRequest, "HTTP/0.9");
}

#[test]
fn target_forms() {
    let check = |text: &str, form: Form, host: &str, path: &str, query: Option<&str>| {
        let bytes = line(&format!("{text} HTTP/1.1"));
        let head = head_of(&bytes);
        assert_eq!(head.form, form, "{text}");
        assert_eq!(head.host.of(&bytes), host.as_bytes(), "{text}");
        assert_eq!(head.path(&bytes), path.as_bytes(), "{text}");
        assert_eq!(head.query(&bytes), query.map(str::as_bytes), "{text}");
    };
    check("GET /", Form::Origin, "a", "/", None);
    check("GET   /x  ", Form::Origin, "a", "/x", None);
    check("GET //x/?", Form::Origin, "a", "//x/", Some(""));
    check("GET /x?a?b", Form::Origin, "a", "/x", Some("a?b"));
    check("GET /x#y?z", Form::Origin, "a", "/x", None);
    check("GET /x?y#z", Form::Origin, "a", "/x", Some("y"));
    check("GET /\u{e9}\"<>{}|\\^`", Form::Origin, "a", "/\u{e9}\"<>{}|\\^`", None);
    check("GET http://c.example/v?q", Form::Absolute, "c.example", "/v", Some("q"));
    check("GET HTTP://C.example:81/v", Form::Absolute, "C.example", "/v", None);
    check("GET http://c.example", Form::Absolute, "c.example", "/", None);
    check("GET http://c.example?x=/v", Form::Absolute, "c.example", "/", Some("x=/v"));
    check("GET https://[::1]:1/", Form::Absolute, "[::1]", "/", None);
    check("OPTIONS *", Form::Asterisk, "a", "*", None);
    check("CONNECT b:80", Form::Authority, "b", "/", None);
    check("CONNECT [::1]:65535", Form::Authority, "[::1]", "/", None);
    for text in
        ["GET *", "GET x", "GET ?x", "GET a:80", "GET :///", "GET 1http://a/", "GET /a\u{1}b", "GET /\u{7f}", "GET"]
    {
        assert_eq!(reject_of(&line(&format!("{text} HTTP/1.1"))), Reject::InvalidRequest, "{text}");
    }
}

#[test]
fn the_uri_is_the_target_from_its_path_on() {
    for (target, uri) in [
        ("GET /a?b#c", "/a?b#c"),
        ("GET http://c/a?b", "/a?b"),
        ("GET http://c", "/"),
        ("GET http://c:80", "/"),
        ("OPTIONS http://c", "/"),
        ("GET http://c?b", "?b"),
        ("OPTIONS *", "*"),
        ("CONNECT c:80", ""),
    ] {
        let bytes = line(&format!("{target} HTTP/1.1"));
        assert_eq!(head_of(&bytes).uri(&bytes), uri.as_bytes(), "{target}");
    }
}

#[test]
fn a_target_s_host_must_be_one() {
    let empty = ["http:///v", "http://", "http://?q", "http://#f", "http://:80/v", "http://./v", "ftp:///v"];
    let bad =
        ["http://u@c/v", "http://c:8x/v", "http://c:65536/v", "http://c%zz/v", "http://[zz::1]/v", "http://[c]/v"];
    let fragments = ["http://c#f", "http://c#f/v", "http://c:80#f/v"];
    for target in empty.into_iter().chain(bad).chain(fragments) {
        for method in ["GET", "OPTIONS"] {
            let bytes = line(&format!("{method} {target} HTTP/1.1"));
            assert_eq!(reject_of(&bytes), Reject::InvalidTargetHost, "{method} {target}");
        }
    }
    let ports = ["b", "b:", "b:0", "b:x", "b:65536", "b:80x", "[::1]", "[b]:80", ":80"];
    let no_authority = ["/", "/x:80", "*", "http://b/", "http://b:80/", "b:80/", "b:80?q", "b:80#f", "u@b:80"];
    for target in ports.into_iter().chain(no_authority) {
        let bytes = line(&format!("CONNECT {target} HTTP/1.1"));
        assert_eq!(reject_of(&bytes), Reject::InvalidTargetHost, "CONNECT {target}");
    }
}

#[test]
fn field_lines_outside_the_grammar_are_refused() {
    for text in [
        "A: 1\r\n 2",
        "A: 1\r\n\t2",
        " A: 1",
        "A : 1",
        "A\t: 1",
        "A",
        ": x",
        "A: 1\r2",
        "A: \r2",
        "A: 1\0",
        "A\0: 1",
        "A: \u{1}",
        "(A): 1",
        "\u{e9}: 1",
    ] {
        assert_eq!(reject_of(&fields(text)), Reject::InvalidFieldLine, "{text:?}");
    }
    assert_eq!(reject_of(b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"), Reject::InvalidFieldLine);
    let bytes = fields("A:\r\nB: \u{e9}\tx\t\r\nC:c");
    let head = head_of(&bytes);
    assert_eq!(head.get(&bytes, b"a"), Some(&b""[..]));
    assert_eq!(head.get(&bytes, b"b"), Some("\u{e9}\tx".as_bytes()));
    assert_eq!(head.get(&bytes, b"c"), Some(&b"c"[..]));
}

#[test]
fn fields_with_unusual_names_are_set_aside() {
    let bytes = fields("X_A: 1\r\nX.B: 2\r\nX-C: 3\r\nContent_Length: 5");
    let mut head = head_of(&bytes);
    assert_eq!(head.fields.len(), 2);
    assert_eq!(head.all_of_variable(&bytes, b"x_a").next(), None);
    assert_eq!(head.all_of_variable(&bytes, b"x_c").next(), Some(&b"3"[..]));
    let lines = head.take_lines();
    let names = lines.iter().map(|(field, is_unusual)| (field.name.of(&bytes), *is_unusual)).collect::<Vec<_>>();
    let host = (&b"Host"[..], false);
    assert_eq!(names, [host, (b"X_A", true), (b"X.B", true), (b"X-C", false), (b"Content_Length", true)]);
    assert_eq!(head.known(&bytes, Id::Host), None);
    lines.into_iter().for_each(|(field, _)| head.push(field));
    assert_eq!(head.known(&bytes, Id::Host), Some(&b"a"[..]));
    assert_eq!(head.all_of_variable(&bytes, b"x_a").next(), Some(&b"1"[..]));
}

#[test]
fn host_rules() {
    assert_eq!(reject_of(b"GET / HTTP/1.1\r\n\r\n"), Reject::MissingHost);
    assert_eq!(reject_of(b"GET http://a/ HTTP/1.1\r\n\r\n"), Reject::MissingHost);
    assert_eq!(reject_of(&fields("Host: a")), Reject::DuplicateHost);
    assert_eq!(reject_of(b"GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n"), Reject::DuplicateHost);
    assert_eq!(reject_of(b"GET / HTTP/1.1\r\nHost:\r\n\r\n"), Reject::InvalidHost);
    assert_eq!(reject_of(b"GET / HTTP/1.0\r\nHost: a/b\r\n\r\n"), Reject::InvalidHost);
    assert_eq!(reject_of(b"GET http://a/ HTTP/1.1\r\nHost: a/b\r\n\r\n"), Reject::InvalidHost);
    assert!(head_of(b"GET / HTTP/1.0\r\n\r\n").host.is_empty());
}

#[test]
fn single_fields_may_not_repeat() {
    for id in Id::ALL {
        let name = id.name();
        let value = if id == Id::TransferEncoding { "chunked" } else { "0" };
        if id == Id::Host {
            continue;
        }
        let bytes = fields(&format!("{name}: {value}\r\n{name}: {value}"));
        match id.is_unique() {
            true => assert_eq!(reject_of(&bytes), Reject::DuplicateField, "{name}"),
            false => assert_eq!(head_of(&bytes).all(&bytes, id).count(), 2, "{name}"),
        }
    }
}

#[test]
fn body_framing() {
    assert_eq!(head_of(&fields("Content-Length: 10")).framing, Framing::Length(10));
    assert_eq!(head_of(&fields("Content-Length: 000")).framing, Framing::Length(0));
    assert_eq!(head_of(&fields("Content-Length: 9223372036854775807")).framing, Framing::Length(i64::MAX as u64));
    for text in ["", "x", "+1", "-1", "0, 0", "0x0", "1 1", "9223372036854775808", "99999999999999999999"] {
        assert_eq!(reject_of(&fields(&format!("Content-Length: {text}"))), Reject::InvalidContentLength, "{text:?}");
    }
    assert_eq!(head_of(&fields("Transfer-Encoding: Chunked")).framing, Framing::Chunked);
    for text in ["", "gzip", "chunked, gzip", "identity", "xchunked", "chunked;q=1"] {
        assert_eq!(reject_of(&fields(&format!("Transfer-Encoding: {text}"))), Reject::EncodingNotChunked, "{text:?}");
    }
    for text in ["gzip, chunked", "chunked, chunked", ",chunked"] {
        assert_eq!(reject_of(&fields(&format!("Transfer-Encoding: {text}"))), Reject::UnknownEncoding, "{text:?}");
    }
    let both = ["Content-Length: 0\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 0"];
    for text in both {
        assert_eq!(reject_of(&fields(text)), Reject::LengthAndEncoding);
    }
    assert_eq!(reject_of(b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Reject::EncodingInOldVersion);
}

#[test]
fn keep_alive_as_the_client_asks() {
    let asked =
        |version: &str, text: &str| head_of(format!("GET / {version}\r\nHost: a\r\n{text}\r\n").as_bytes()).keep_alive;
    assert!(asked("HTTP/1.1", ""));
    assert!(!asked("HTTP/1.0", ""));
    assert!(asked("HTTP/1.0", "Connection: keep-alive\r\n"));
    assert!(asked("HTTP/1.0", "Connection: x, Keep-Alive\r\n"));
    assert!(asked("HTTP/1.0", "Connection: x\r\nConnection: Keep-Alive\r\n"));
    assert!(!asked("HTTP/1.1", "Connection: x , CLOSE\r\n"));
    assert!(!asked("HTTP/1.1", "Connection: keep-alive\r\nAccept: x\r\nConnection: close\r\n"));
    assert!(!asked("HTTP/1.0", "Connection: keep-alive, close\r\n"));
    assert!(asked("HTTP/1.1", "Connection: closer\r\n"));
}

#[test]
fn expect_is_for_later_clients_only() {
    assert!(head_of(&fields("Expect: 100-Continue")).expect_continue);
    assert!(head_of(&fields("Expect: something\r\nExpect: x, 100-continue")).expect_continue);
    assert!(!head_of(&fields("Expect: something")).expect_continue);
    assert!(!head_of(b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expect_continue);
}

#[test]
fn limits_hold_for_whole_and_for_dribbling_heads() {
    let limits = Limits { line: 100, head: 400 };
    let result = |bytes: &[u8]| parse(&mut Head::default(), bytes, &limits);
    let target = |len: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(len)).into_bytes();
    // "GET /" and " HTTP/1.1\r\n" are 16 bytes of the 100.
    assert!(result(&target(84)).is_ok());
    assert_eq!(result(&target(85)), Err(Reject::UriTooLong));
    assert_eq!(result(&target(300)[..99]), Ok(Parse::Partial));
    assert_eq!(result(&target(300)[..100]), Err(Reject::UriTooLong));

    let value = |len: usize| fields(&format!("A: {}", "x".repeat(len)));
    assert!(result(&value(96)).is_ok());
    assert_eq!(result(&value(97)), Err(Reject::FieldLineTooLong));
    let lines = |n: usize, len: usize| fields(&vec![format!("A: {}", "x".repeat(len)); n].join("\r\n"));
    assert!(result(&lines(60, 1)).is_ok());
    assert_eq!(result(&lines(5, 80)), Err(Reject::HeadTooLarge));
    assert_eq!(result(&lines(5, 80)[..399]), Ok(Parse::Partial));
    assert_eq!(result(&lines(5, 80)[..400]), Err(Reject::HeadTooLarge));
}

#[test]
fn a_head_may_have_as_many_fields_as_there_are_numbers_for() {
    let lines = |n: usize| fields(&(1..n).map(|i| format!("A{i}: {i}")).collect::<Vec<_>>().join("\r\n"));
    let bytes = lines(2000);
    let head = head_of(&bytes);
    assert_eq!(head.fields.len(), 2000);
    assert_eq!(head.get(&bytes, b"a1999"), Some(&b"1999"[..]));
    let limits = Limits { line: 100, head: 1 << 30 };
    let result = |n: usize| parse(&mut Head::default(), &lines(n), &limits);
    assert!(result(65534).is_ok());
    assert_eq!(result(65535), Err(Reject::TooManyFields));
}

#[test]
fn a_dribbling_head_is_searched_once() {
    let bytes = fields("A: 1\nB: 2");
    let mut head = Head::default();
    for end in 0..bytes.len() {
        assert_eq!(parse(&mut head, &bytes[..end], &Limits::default()), Ok(Parse::Partial), "{end}");
        let looked_at = head.scanned.max(head.start);
        assert!(looked_at + 3 >= end, "{looked_at} of {end}");
    }
    assert_eq!(parse(&mut head, &bytes, &Limits::default()), Ok(Parse::Complete(bytes.len())));
    assert_eq!(head.get(&bytes, b"b"), Some(&b"2"[..]));
}
