//! Requests whose head comes as a list of fields, as in HTTP/2: the rules of RFC 9113, sections 8.2 and 8.3, with
//! nginx's further ones. [`RequestFields`] fills the same [`Head`] that the parser of HTTP/1 fills.

use super::field::{Id, trim};
use super::head::{Field, Form, Framing, Head, Limits, Method, Span, Unusual, Version};
use super::host;
use super::reject::Reject;
use super::request_line;
use super::uri;

/// The version, with which each text begins ($server_protocol).
const VERSION: &[u8] = b"HTTP/2.0";

/// Joins Cookie fields (RFC 9113, section 8.2.3).
const COOKIE_SEPARATOR: &[u8] = b"; ";

/// Bytes that each field counts for besides its own (RFC 9113, section 10.5.1).
const FIELD_OVERHEAD: usize = 32;

/// The most fields that a head has numbers for.
const MOST_FIELDS: usize = u16::MAX as usize - 1;

/// The pseudo-header fields of requests (RFC 9113, section 8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pseudo {
    Method,
    Scheme,
    Path,
    Authority,
}

const NAMES: [&str; 4] = [":method", ":scheme", ":path", ":authority"];

/// The head of a request while its fields come in. Spans of the head point into the text.
#[derive(Debug, Default)]
pub struct RequestFields {
    /// The fields' bytes, and at the end the request line as nginx makes one.
    pub text: Vec<u8>,
    /// The head, whole after `finish`.
    pub head: Head,
    /// Memory for whoever unpacks the fields.
    pub scratch: Vec<u8>,
    pseudo: [Option<Span>; NAMES.len()],
    /// The values of all Cookie fields, each with `COOKIE_SEPARATOR` behind it.
    cookie: Vec<u8>,
    /// A field that is no pseudo-header field has come.
    has_field: bool,
    /// Size of the list as RFC 9113 counts it.
    size: usize,
    refused: Option<Reject>,
}

impl RequestFields {
    /// Makes it ready for the next request; keeps the memory of its buffers.
    pub fn clear(&mut self) {
        let RequestFields { text, head, scratch: _, pseudo, cookie, has_field, size, refused } = self;
        text.clear();
        text.extend_from_slice(VERSION);
        head.clear();
        head.version = Version::Http20;
        head.version_text = Span::new(0, VERSION.len());
        head.keep_alive = true;
        cookie.clear();
        (*pseudo, *has_field, *size, *refused) = Default::default();
    }

    /// Takes the next field. A request that is refused takes no more, and costs no more memory.
    pub fn add(&mut self, name: &[u8], value: &[u8], limits: &Limits) {
        self.size = self.size.saturating_add(name.len() + value.len() + FIELD_OVERHEAD);
        if self.refused.is_some() {
            return;
        }
        let taken = match name {
            // nginx counts names and values alone.
            _ if self.text.len() + self.cookie.len() + name.len() + value.len() > limits.head => {
                Err(Reject::HeadTooLarge)
            }
            _ if self.has_no_memory(name.len() + value.len()) => Err(Reject::HeadTooLarge),
            [b':', ..] => self.add_pseudo(name, value),
            _ => self.add_field(name, value),
        };
        self.refused = taken.err();
    }

    /// Size of the list so far, as RFC 9113, section 6.5.2 counts it.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether there is no memory for another field.
    fn has_no_memory(&mut self, len: usize) -> bool {
        let RequestFields { text, head, cookie, .. } = self;
        let bytes = text.try_reserve(len).and_then(|()| cookie.try_reserve(len));
        bytes.and_then(|()| head.fields.try_reserve(1)).is_err()
    }

    fn push(&mut self, bytes: &[u8]) -> Span {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        Span::new(start, self.text.len())
    }

    fn add_pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), Reject> {
        let which = match name {
            b":method" => Pseudo::Method,
            b":scheme" => Pseudo::Scheme,
            b":path" => Pseudo::Path,
            b":authority" => Pseudo::Authority,
            _ => return Err(Reject::UnknownPseudo),
        };
        if self.has_field {
            return Err(Reject::LatePseudo);
        }
        let own_name = NAMES[which as usize];
        if self.pseudo[which as usize].is_some() {
            return Err(Reject::DuplicatePseudo(own_name));
        }
        if value.is_empty() && which != Pseudo::Authority {
            return Err(Reject::EmptyPseudo(own_name));
        }
        match which {
            Pseudo::Method if !value.iter().all(|byte| request_line::is_method_byte(*byte)) => {
                return Err(Reject::InvalidMethod);
            }
            Pseudo::Path if value.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) => {
                return Err(Reject::InvalidPseudo(own_name));
            }
            Pseudo::Scheme if !is_scheme(value) => return Err(Reject::InvalidPseudo(own_name)),
            Pseudo::Authority if host::parse(value).is_none() => return Err(Reject::InvalidPseudo(own_name)),
            _ => {}
        }
        self.pseudo[which as usize] = Some(self.push(value));
        Ok(())
    }

    fn add_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Reject> {
        self.has_field = true;
        let is_usual = check_name(name)?;
        // RFC 9113, section 8.2.1.
        if value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) || trim(value).len() != value.len() {
            return Err(Reject::InvalidFieldValue);
        }
        let id = Id::of(name);
        // RFC 9113, section 8.2.2.
        let is_of_connection = match id {
            Some(Id::Connection | Id::KeepAlive | Id::TransferEncoding | Id::Upgrade) => true,
            Some(_) => false,
            None => name == b"proxy-connection" || name == b"te" && value != b"trailers",
        };
        if is_of_connection {
            return Err(Reject::ConnectionField);
        }
        if self.head.fields.len() + self.head.unusual.len() >= MOST_FIELDS {
            return Err(Reject::TooManyFields);
        }
        if id == Some(Id::Cookie) {
            self.cookie.extend_from_slice(value);
            self.cookie.extend_from_slice(COOKIE_SEPARATOR);
            return Ok(());
        }
        let field = Field { name: self.push(name), value: self.push(value), id };
        if !is_usual {
            // The conf of the server decides whether the field counts.
            self.head.unusual.push(Unusual { field, behind: self.head.fields.len() as u16 });
            return Ok(());
        }
        self.push_field(field)
    }

    fn push_field(&mut self, field: Field) -> Result<(), Reject> {
        if let Some(id) = field.id {
            let first = &mut self.head.known[id as usize];
            if *first == 0 {
                *first = self.head.fields.len() as u16 + 1;
            } else if id.is_unique() {
                return Err(if id == Id::Host { Reject::DuplicateHost } else { Reject::DuplicateField });
            }
        }
        self.head.fields.push(field);
        Ok(())
    }

    /// Ends the list. `ends`: no body follows.
    ///
    /// # Errors
    /// The request is malformed, or too large; the head has what was understood of it.
    pub fn finish(&mut self, ends: bool) -> Result<(), Reject> {
        let refused = self.refused.take();
        let host = self.set_host();
        if let Some(refused) = refused {
            return Err(refused);
        }
        self.set_line()?;
        host?;
        // Behind the last, which may be empty, there is one too many.
        if let Some(end) = self.cookie.len().checked_sub(COOKIE_SEPARATOR.len()) {
            let cookie = std::mem::take(&mut self.cookie);
            let field = Field { name: self.push(b"cookie"), value: self.push(&cookie[..end]), id: Some(Id::Cookie) };
            self.cookie = cookie;
            self.push_field(field)?;
        }
        self.set_framing(ends)
    }

    /// The request line, in the words of nginx (`ngx_http_v2_construct_request_line`), and the target.
    fn set_line(&mut self) -> Result<(), Reject> {
        let of = |which: Pseudo| self.pseudo[which as usize].ok_or(Reject::MissingPseudo(NAMES[which as usize]));
        let method = of(Pseudo::Method)?;
        self.head.method = request_line::known_method(method.of(&self.text));
        let target = if self.head.method == Method::Connect {
            // RFC 9113, section 8.5.
            for which in [Pseudo::Scheme, Pseudo::Path] {
                if of(which).is_ok() {
                    return Err(Reject::InvalidPseudo(NAMES[which as usize]));
                }
            }
            of(Pseudo::Authority)?
        } else {
            of(Pseudo::Scheme)?;
            of(Pseudo::Path)?
        };
        let is_path = match target.of(&self.text) {
            [b'/', ..] => true,
            // RFC 9113, section 8.3.1.
            b"*" => self.head.method == Method::Options,
            _ => self.head.method == Method::Connect,
        };
        let start = self.text.len();
        for (piece, behind) in [(method, &b" "[..]), (target, b" HTTP/2.0")] {
            self.text.extend_from_within(piece.start as usize..piece.end());
            self.text.extend_from_slice(behind);
        }
        self.head.line = Span::new(start, self.text.len());
        self.head.method_text = method;
        self.head.target = target;
        if !is_path {
            return Err(Reject::InvalidPseudo(NAMES[Pseudo::Path as usize]));
        }
        if self.head.method == Method::Connect {
            self.head.form = Form::Authority;
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        let target = target.of(&text);
        let split = request_line::split_target(&mut self.head, &text, target, uri::scan(target, uri::MARK));
        self.text = text;
        split
    }

    /// The host: that of `:authority`, which stands for Host as well, or that of Host (RFC 9113, section 8.3.1).
    fn set_host(&mut self) -> Result<(), Reject> {
        let said = self.head.known(&self.text, Id::Host).map(|value| Span::within(&self.text, value));
        let authority = self.pseudo[Pseudo::Authority as usize].filter(|span| !span.is_empty());
        let Some(value) = authority.or(said) else { return Err(Reject::NoAuthority) };
        let Some(parsed) = host::parse(value.of(&self.text)) else { return Err(Reject::InvalidHost) };
        (self.head.host, self.head.port) = (Span::within(&self.text, parsed.host), parsed.port);
        match said {
            Some(said) if said.of(&self.text) != value.of(&self.text) => Err(Reject::OtherHost),
            Some(_) => Ok(()),
            None => {
                let field = Field { name: self.push(b"host"), value, id: Some(Id::Host) };
                self.push_field(field)
            }
        }
    }

    fn set_framing(&mut self, ends: bool) -> Result<(), Reject> {
        let Some(length) = self.head.known(&self.text, Id::ContentLength) else { return Ok(()) };
        let digits = std::str::from_utf8(length).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let length = digits.and_then(|text| text.parse::<i64>().ok()).ok_or(Reject::InvalidContentLength)?;
        self.head.framing = Framing::Length(length.unsigned_abs());
        // RFC 9113, section 8.1.1.
        if ends && length > 0 { Err(Reject::StreamEndedEarly) } else { Ok(()) }
    }
}

/// Whether a name is one that nginx keeps whatever the conf says (`ngx_http_v2_validate_header`). Errors: the request
/// is malformed by RFC 9113, section 8.2.1.
fn check_name(name: &[u8]) -> Result<bool, Reject> {
    let mut is_plain = true;
    for byte in name {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => {}
            b'A'..=b'Z' | ..=b' ' | b':' | 0x7f.. => return Err(Reject::InvalidFieldName),
            _ => is_plain = false,
        }
    }
    if name.is_empty() { Err(Reject::InvalidFieldName) } else { Ok(is_plain) }
}

fn is_scheme(text: &[u8]) -> bool {
    let is_other = |byte: &u8| byte.is_ascii_digit() || b"+-.".contains(byte);
    let mut bytes = text.iter();
    bytes.next().is_some_and(u8::is_ascii_alphabetic) && bytes.all(|byte| byte.is_ascii_alphabetic() || is_other(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type List<'l> = &'l [(&'l str, &'l str)];

    const GET: List = &[(":method", "GET"), (":scheme", "http"), (":path", "/a?b"), (":authority", "h:80")];

    fn fields(list: &[List], ends: bool) -> (RequestFields, Result<(), Reject>) {
        let mut fields = RequestFields::default();
        fields.clear();
        list.iter().copied().flatten().for_each(|(name, value)| {
            fields.add(name.as_bytes(), value.as_bytes(), &Limits::default());
        });
        let result = fields.finish(ends);
        (fields, result)
    }

    fn refusal(list: &[List]) -> Option<Reject> {
        fields(list, true).1.err()
    }

    #[test]
    fn a_request_has_the_head_that_http_1_has() {
        let more = [("user-agent", "x"), ("cookie", "a=1"), ("x-a_b", "dropped"), ("cookie", "b=2"), ("accept", "*/*")];
        let (RequestFields { text, head, .. }, result) = fields(&[GET, &more], true);
        assert_eq!(result, Ok(()));
        assert_eq!(head.line.of(&text), b"GET /a?b HTTP/2.0");
        assert_eq!((head.path(&text), head.query(&text), head.uri(&text)), (&b"/a"[..], Some(&b"b"[..]), &b"/a?b"[..]));
        assert_eq!((head.host.of(&text), head.port), (&b"h"[..], Some(80)));
        assert_eq!(head.get(&text, b"Host"), Some(&b"h:80"[..]));
        assert_eq!(head.known(&text, Id::Cookie), Some(&b"a=1; b=2"[..]));
        assert_eq!(head.known(&text, Id::UserAgent), Some(&b"x"[..]));
        assert_eq!(head.get(&text, b"x-a_b"), None);
        assert_eq!(head.unusual[0].field.name.of(&text), b"x-a_b");
        assert_eq!(head.version_text.of(&text), b"HTTP/2.0");
        assert_eq!((head.method, head.version, head.framing), (Method::Get, Version::Http20, Framing::None));
    }

    #[test]
    fn host_stands_for_a_missing_authority() {
        let (RequestFields { text, head, .. }, result) = fields(&[&GET[..3], &[("host", "H.")]], true);
        assert_eq!((result, head.host.of(&text)), (Ok(()), &b"H"[..]));
        assert_eq!(refusal(&[&GET[..3]]), Some(Reject::NoAuthority));
        assert_eq!(refusal(&[GET, &[("host", "h:80")]]), None);
        assert_eq!(refusal(&[GET, &[("host", "h")]]), Some(Reject::OtherHost));
    }

    #[test]
    fn malformed_requests() {
        for (list, expected) in [
            (&[(":method", "GET")][..], Reject::DuplicatePseudo(":method")),
            (&[(":path", "/")], Reject::DuplicatePseudo(":path")),
            (&[(":scheme", "http")], Reject::DuplicatePseudo(":scheme")),
            (&[(":authority", "h")], Reject::DuplicatePseudo(":authority")),
            (&[(":status", "200")], Reject::UnknownPseudo),
            (&[("a", "b"), (":protocol", "x")], Reject::UnknownPseudo),
            (&[("a", "b"), (":path", "/")], Reject::LatePseudo),
            (&[("", "b")], Reject::InvalidFieldName),
            (&[("A", "b")], Reject::InvalidFieldName),
            (&[("a b", "b")], Reject::InvalidFieldName),
            (&[("a:", "b")], Reject::InvalidFieldName),
            (&[("a\u{e9}", "b")], Reject::InvalidFieldName),
            (&[("a", "b\r")], Reject::InvalidFieldValue),
            (&[("a", "b\0")], Reject::InvalidFieldValue),
            (&[("a", " b")], Reject::InvalidFieldValue),
            (&[("a", "b\t")], Reject::InvalidFieldValue),
            (&[("connection", "close")], Reject::ConnectionField),
            (&[("keep-alive", "1")], Reject::ConnectionField),
            (&[("proxy-connection", "1")], Reject::ConnectionField),
            (&[("transfer-encoding", "chunked")], Reject::ConnectionField),
            (&[("upgrade", "h2c")], Reject::ConnectionField),
            (&[("te", "gzip")], Reject::ConnectionField),
            (&[("content-length", "x")], Reject::InvalidContentLength),
            (&[("content-length", "1")], Reject::StreamEndedEarly),
            (&[("content-length", "0"), ("content-length", "0")], Reject::DuplicateField),
            (&[("host", "h:80"), ("host", "h:80")], Reject::DuplicateHost),
        ] {
            assert_eq!(refusal(&[GET, list]), Some(expected), "{list:?}");
        }
        for (list, expected) in [
            (&[][..], Reject::MissingPseudo(":method")),
            (&[(":method", "GET")], Reject::MissingPseudo(":scheme")),
            (&[(":method", "GET"), (":scheme", "http")], Reject::MissingPseudo(":path")),
            (&[(":method", "")], Reject::EmptyPseudo(":method")),
            (&[(":method", "get")], Reject::InvalidMethod),
            (&[(":scheme", "1")], Reject::InvalidPseudo(":scheme")),
            (&[(":path", "/a b")], Reject::InvalidPseudo(":path")),
            (&[(":path", "")], Reject::EmptyPseudo(":path")),
            (&[(":authority", "a b")], Reject::InvalidPseudo(":authority")),
            (&[(":method", "GET"), (":scheme", "http"), (":path", "a")], Reject::InvalidPseudo(":path")),
            (&[(":method", "GET"), (":scheme", "http"), (":path", "*")], Reject::InvalidPseudo(":path")),
            (&[(":method", "CONNECT"), (":scheme", "http")], Reject::InvalidPseudo(":scheme")),
        ] {
            assert_eq!(refusal(&[list, &[("host", "h")]]), Some(expected), "{list:?}");
        }
        assert_eq!(refusal(&[GET, &[("te", "trailers"), ("content-length", "0"), ("a", "")]]), None);
        assert_eq!(refusal(&[&[(":method", "CONNECT"), (":authority", "h:1")]]), None);
        assert_eq!(refusal(&[&[(":method", "OPTIONS"), (":scheme", "a"), (":path", "*"), (":authority", "h")]]), None);
    }

    #[test]
    fn a_list_may_be_so_large_and_no_larger() {
        let long = "x".repeat(30_000);
        assert_eq!(refusal(&[GET, &[("a", &long)]]), None);
        assert_eq!(refusal(&[GET, &[("a", &long), ("b", &long)]]), Some(Reject::HeadTooLarge));
        let (fields, _) = fields(&[GET, &[("a", &long), ("b", &long), ("c", &long)]], true);
        assert!(fields.size() > 90_000 && fields.text.len() < 40_000, "what is refused is not kept");
    }

    proptest! {
        #[test]
        fn any_fields_do_not_panic(list in proptest::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..20)) {
            let mut fields = RequestFields::default();
            fields.clear();
            list.iter().for_each(|(name, value)| fields.add(name, value, &Limits::default()));
            let _ = fields.finish(true);
        }

        #[test]
        fn the_line_is_made_of_method_and_path(path in "/[ -~]{0,20}") {
            let list = [(":method", "GET"), (":path", &path), (":scheme", "a"), (":authority", "h")];
            let (fields, result) = fields(&[&list], true);
            prop_assert_eq!(result.is_ok(), !path.contains(' '));
            if result.is_ok() {
                let line = format!("GET {path} HTTP/2.0");
                prop_assert_eq!(fields.head.line.of(&fields.text), line.as_bytes());
            }
        }
    }
}
