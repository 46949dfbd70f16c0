//! The framing of a request: the head, the host in it, the chunks of a body.

use drover::http::message::chunk::put_chunk;
use drover::http::message::head::{Framing, Head, Limits, Version};
use drover::http::message::host;
use drover::http::message::reject::Reject;
use drover::http::message::request::{self, Parse};
use drover::http::message::request_body::{Fed, RequestBody};

/// A head is read the same at once, in two pieces and byte by byte, and a reader of its own, which knows no more than
/// where lines end, finds the same end, the same fields and the same framing.
pub(super) fn request(input: &[u8]) {
    let limits = Limits { line: 600, head: 2000 };
    let mut whole = Head::default();
    let result = request::parse(&mut whole, input, &limits);
    for field in &whole.fields {
        assert!(field.name.end() <= input.len() && field.value.end() <= input.len());
    }
    let cut = crate::target::place_in(input, input.len() + 1);
    let bytes: Vec<usize> = (1..input.len().min(400)).collect();
    for cuts in [&[cut][..], &bytes] {
        in_pieces(input, cuts, &limits, &whole, result);
    }
    if let Ok(Parse::Complete(len)) = result {
        read_again(&input[..len], &whole, input);
        behind_another(&input[len..], whole, &limits);
    }
}

/// A head behind one on the same connection, which knows the lines of the other, is read as it is on a connection of
/// its own.
fn behind_another(input: &[u8], mut head: Head, limits: &Limits) {
    head.clear();
    let mut alone = Head::default();
    let result = request::parse(&mut alone, input, limits);
    assert_eq!(request::parse(&mut head, input, limits), result);
    if result.is_ok_and(|parse| parse != Parse::Partial) {
        assert_same(&head, &alone);
    }
}

fn assert_same(a: &Head, b: &Head) {
    assert_eq!((a.line, a.method, a.target, a.version, a.form), (b.line, b.method, b.target, b.version, b.form));
    assert_eq!((&a.fields, &a.unusual), (&b.fields, &b.unusual));
    assert_eq!((a.host, a.port, a.framing), (b.host, b.port, b.framing));
    assert_eq!((a.keep_alive, a.expect_continue), (b.keep_alive, b.expect_continue));
}

fn in_pieces(input: &[u8], cuts: &[usize], limits: &Limits, whole: &Head, result: Result<Parse, Reject>) {
    let mut pieces = Head::default();
    let mut last = Ok(Parse::Partial);
    for end in cuts.iter().copied().chain([input.len()]) {
        last = request::parse(&mut pieces, &input[..end], limits);
        if last != Ok(Parse::Partial) {
            break;
        }
    }
    // In pieces an error may wait for the end of the head; it never becomes a request.
    if result.is_err() {
        return assert!(matches!(last, Err(_) | Ok(Parse::Partial)), "{last:?} but {result:?}");
    }
    assert_eq!(last, result);
    if last.is_ok_and(|parse| parse != Parse::Partial) {
        assert_same(whole, &pieces);
    }
}

/// Reads a whole head by its lines.
fn read_again(text: &[u8], head: &Head, input: &[u8]) {
    let start = text.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).expect("a request line");
    let mut lines = text[start..].split_inclusive(|byte| *byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\n").expect("a head ends with the end of a line");
        line.strip_suffix(b"\r").unwrap_or(line)
    });
    assert_eq!(lines.next(), Some(head.line.of(input)));
    let mut fields = Vec::new();
    let mut is_ended = false;
    for line in lines {
        assert!(!is_ended, "lines behind the end");
        is_ended = line.is_empty();
        if !is_ended {
            let colon = line.iter().position(|byte| *byte == b':').expect("a colon");
            fields.push((&line[..colon], line[colon + 1..].trim_ascii()));
        }
    }
    assert!(is_ended, "no end");
    assert_eq!(fields.len(), head.fields.len() + head.unusual.len());
    for (name, value) in &fields {
        assert!(!name.is_empty() && !name.iter().any(|byte| byte.is_ascii_whitespace() || *byte == 0));
        assert!(!value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')));
    }
    let all = |wanted: &str| {
        let same = |(name, _): &&(&[u8], &[u8])| name.eq_ignore_ascii_case(wanted.as_bytes());
        fields.iter().filter(same).map(|(_, value)| *value).collect::<Vec<_>>()
    };
    let expected = match (&all("content-length")[..], &all("transfer-encoding")[..]) {
        ([], []) => Framing::None,
        ([length], []) => Framing::Length(std::str::from_utf8(length).expect("digits").parse().expect("a number")),
        ([], [coding]) => {
            assert!(coding.eq_ignore_ascii_case(b"chunked") && head.version == Version::Http11);
            Framing::Chunked
        }
        both => panic!("two readings: {both:?}"),
    };
    assert_eq!(head.framing, expected);
    assert!(all("host").len() <= 1 && (head.version == Version::Http10 || all("host").len() == 1));
}

/// A body is decoded the same at once, in two pieces and byte by byte, and a second decoder finds the same end and the
/// same content. What the server's own encoder makes of the input is decoded to as much.
pub(super) fn chunked(input: &[u8]) {
    let body = || RequestBody::new(Framing::Chunked, 1 << 20).expect("chunks are allowed");
    let mut whole = body();
    let at_once = whole.feed(input);
    let cut = crate::target::place_in(input, input.len() + 1);
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    for pieces in [&[&input[..cut], &input[cut..]][..], &bytes] {
        assert_eq!(feed(&mut body(), pieces), at_once);
    }
    let Ok(fed) = at_once else { return };
    assert!(fed.done || fed.consumed == input.len());
    if fed.done {
        assert_eq!(decode(input), Some((fed.consumed, fed.content)));
    }
    let mut coded = Vec::new();
    input.chunks(1 + cut).for_each(|piece| put_chunk(&mut coded, piece));
    coded.extend_from_slice(b"0\r\n\r\n");
    let fed = body().feed(&coded).expect("own chunks");
    assert_eq!((fed.consumed, fed.content, fed.done), (coded.len(), input.len(), true));
}

/// Gives a body pieces up to its end; the sum.
fn feed(body: &mut RequestBody, pieces: &[&[u8]]) -> Result<Fed, Reject> {
    let mut sum = Fed { consumed: 0, content: 0, done: body.is_done() };
    for piece in pieces {
        let fed = body.feed(piece)?;
        sum = Fed { consumed: sum.consumed + fed.consumed, content: sum.content + fed.content, done: fed.done };
    }
    Ok(sum)
}

/// The bytes of a chunked body, and those of its content: RFC 9112 section 7.1, read line by line.
fn decode(input: &[u8]) -> Option<(usize, usize)> {
    let (mut rest, mut content) = (input, 0);
    loop {
        let size = line(&mut rest)?;
        let digits = size.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size = usize::from_str_radix(std::str::from_utf8(&size[..digits]).ok()?, 16).ok()?;
        if size == 0 {
            while !line(&mut rest)?.is_empty() {}
            return Some((input.len() - rest.len(), content));
        }
        content += size;
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    Some(line)
}

/// A host is a part of the authority that leads to no other: no path, no user, no second port; it is read the same when
/// it is written again.
pub(super) fn host(input: &[u8]) {
    let Some(authority) = host::parse(input) else { return };
    assert!(!authority.host.is_empty() && input.starts_with(authority.host));
    let is_foreign = |byte: &u8| !byte.is_ascii_graphic() || b"/\\?#@\"<>^`{|}".contains(byte);
    assert!(!authority.host.iter().any(is_foreign));
    let is_literal = authority.host.starts_with(b"[");
    assert!(is_literal || !authority.host.iter().any(|byte| b":[]".contains(byte)));
    assert!(is_literal || !authority.host.windows(2).any(|pair| pair == b".."));
    let rest = &input[authority.host.len()..];
    let port = rest.strip_prefix(b".").unwrap_or(rest);
    match authority.port {
        Some(port_number) => {
            let digits = std::str::from_utf8(&port[1..]).expect("digits");
            assert_eq!((port[0], digits.parse()), (b':', Ok(port_number)));
        }
        None => assert!(port.is_empty() || port == b":"),
    }
    let again = [authority.host, b":80"].concat();
    let again = host::parse(&again).expect("a host");
    assert!(again.port == Some(80) && (again.host == authority.host || authority.host.ends_with(b".")));
}
