//! The header of the PROXY protocol, versions 1 and 2, as nginx reads it (`ngx_proxy_protocol.c`): looser than the
//! protocol's own text in what an address of version 1 may be.

use std::borrow::Cow;
use std::fmt;

/// The first bytes of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of version 2 in front of the addresses.
const FIXED: usize = 16;

/// The words of a header that says who the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The client.
    pub source: End,
    /// The address that the client has connected to.
    pub server: End,
    tlvs: Box<[u8]>,
}

/// An end of the connection that the proxy has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The address; in version 1 as the proxy spells it.
    pub addr: Box<str>,
    /// The port, 0 for none.
    pub port: u16,
}

/// How far the header has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Parse {
    /// A beginning.
    Partial,
    /// A whole header.
    Complete {
        /// Bytes of the header.
        len: usize,
        /// `None`: it says nothing of the client, as a health check's.
        header: Option<Box<ProxyHeader>>,
    },
}

/// The reason why bytes are no header, in nginx's words.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// No header at all, or a bad one of version 1: the first line.
    Line(Box<[u8]>),
    /// A version other than 1 and 2.
    Version(u8),
    /// More than the buffer for heads holds.
    TooLarge,
    /// No room for the addresses that it says it has: nginx closes without a word.
    TooShort,
}

/// The reason why a TLV has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTlv {
    /// There is none of this type.
    Absent,
    /// The lengths in the header lead out of it.
    Broken,
    /// The name is `0x` with something that is no number.
    Invalid,
    /// There is no such name.
    Unknown,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Line(line) => write!(f, "broken header: \"{}\"", line.escape_ascii()),
            Broken::Version(version) => write!(f, "unknown PROXY protocol version: {version}"),
            Broken::TooLarge => f.write_str("header is too large"),
            Broken::TooShort => f.write_str("header is too short for its addresses"),
        }
    }
}

/// Reads a header at the beginning of `input`, of `most` bytes at most.
pub fn parse(input: &[u8], most: usize) -> Result<Parse, Broken> {
    let is_v2 = input.len() >= SIGNATURE.len() && input.starts_with(SIGNATURE);
    if is_v2 {
        return parse_v2(input, most);
    }
    match parse_v1(input) {
        Err(Stop::Short) if input.len() < most => Ok(Parse::Partial),
        Err(_) if input.len() < SIGNATURE.len() && SIGNATURE.starts_with(input) => Ok(Parse::Partial),
        Err(_) => Err(Broken::line(input)),
        Ok((rest, _)) if input.len() - rest.len() > most => Err(Broken::line(input)),
        Ok((rest, header)) => Ok(Parse::Complete { len: input.len() - rest.len(), header: header.map(Box::new) }),
    }
}

impl Broken {
    /// Bytes that are no header.
    pub fn line(input: &[u8]) -> Broken {
        let line = input.split(|byte| matches!(byte, b'\r' | b'\n')).next();
        Broken::Line(line.unwrap_or_default().into())
    }
}

/// The end of a header of version 1 that is none.
enum Stop {
    /// The input ends within it.
    Short,
    Bad,
}

/// The header, and the input behind it.
fn parse_v1(input: &[u8]) -> Result<(&[u8], Option<ProxyHeader>), Stop> {
    let rest = expect(input, b"PROXY ")?;
    if let Ok(rest) = expect(rest, b"UNKNOWN") {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or(Stop::Short)?;
        return Ok((&rest[end + 2..], None));
    }
    let rest = match (expect(rest, b"TCP4 "), expect(rest, b"TCP6 "), expect(rest, b"UNKNOWN")) {
        (Ok(rest), ..) | (_, Ok(rest), _) => rest,
        (Err(Stop::Short), ..) | (_, Err(Stop::Short), _) | (.., Err(Stop::Short)) => return Err(Stop::Short),
        _ => return Err(Stop::Bad),
    };
    let (source, rest) = address(rest)?;
    let (server, rest) = address(rest)?;
    let (source_port, rest) = port(rest, b' ')?;
    let (server_port, rest) = port(rest, b'\r')?;
    let rest = expect(rest, b"\n")?;
    let header = ProxyHeader {
        source: End { addr: source.into(), port: source_port },
        server: End { addr: server.into(), port: server_port },
        tlvs: Box::default(),
    };
    Ok((rest, Some(header)))
}

fn expect<'i>(input: &'i [u8], word: &[u8]) -> Result<&'i [u8], Stop> {
    match input.strip_prefix(word) {
        Some(rest) => Ok(rest),
        None if word.starts_with(input) => Err(Stop::Short),
        None => Err(Stop::Bad),
    }
}

/// Hex digits, dots and colons up to a blank, which is taken as well: none is an address, too, for nginx.
fn address(input: &[u8]) -> Result<(&str, &[u8]), Stop> {
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    let end = input.iter().position(|byte| !is_part(byte)).ok_or(Stop::Short)?;
    let text = std::str::from_utf8(&input[..end]).map_err(|_| Stop::Bad)?;
    Ok((text, expect(&input[end..], b" ")?))
}

/// A number up to `end`, which is taken as well.
fn port(input: &[u8], end: u8) -> Result<(u16, &[u8]), Stop> {
    let at = input.iter().position(|byte| !byte.is_ascii_digit()).ok_or(Stop::Short)?;
    let number = std::str::from_utf8(&input[..at]).ok().and_then(crate::conf::parse_count);
    let number = number.and_then(|number| u16::try_from(number).ok()).ok_or(Stop::Bad)?;
    Ok((number, expect(&input[at..], &[end])?))
}

fn parse_v2(input: &[u8], most: usize) -> Result<Parse, Broken> {
    let Some((head, rest)) = input.split_at_checked(FIXED) else { return Ok(Parse::Partial) };
    let [.., command, family, high, low] = *head else { return Ok(Parse::Partial) };
    if command >> 4 != 2 {
        return Err(Broken::Version(command >> 4));
    }
    let len = usize::from(u16::from_be_bytes([high, low]));
    if FIXED + len > most {
        return Err(Broken::TooLarge);
    }
    let Some(body) = rest.get(..len) else { return Ok(Parse::Partial) };
    // A command other than PROXY, a transport other than a stream: nothing is said of the client.
    let header = match (command & 15, family) {
        (1, 0x11) => Some(v2_header::<4>(body)?),
        (1, 0x21) => Some(v2_header::<16>(body)?),
        _ => None,
    };
    Ok(Parse::Complete { len: FIXED + len, header: header.map(Box::new) })
}

/// Two addresses of `N` bytes, two ports, and what is behind them.
fn v2_header<const N: usize>(body: &[u8]) -> Result<ProxyHeader, Broken> {
    let (source, rest) = body.split_first_chunk::<N>().ok_or(Broken::TooShort)?;
    let (server, rest) = rest.split_first_chunk::<N>().ok_or(Broken::TooShort)?;
    let (source_port, rest) = rest.split_first_chunk::<2>().ok_or(Broken::TooShort)?;
    let (server_port, tlvs) = rest.split_first_chunk::<2>().ok_or(Broken::TooShort)?;
    let end = |ip: &[u8; N], port: &[u8; 2]| End { addr: ip_text(ip), port: u16::from_be_bytes(*port) };
    Ok(ProxyHeader { source: end(source, source_port), server: end(server, server_port), tlvs: tlvs.into() })
}

fn ip_text(octets: &[u8]) -> Box<str> {
    use std::net::{Ipv4Addr, Ipv6Addr};
    let v4 = octets.try_into().map(|octets: [u8; 4]| Ipv4Addr::from(octets).to_string());
    let v6 = || octets.try_into().map(|octets: [u8; 16]| Ipv6Addr::from(octets).to_string());
    v4.or_else(|_| v6()).unwrap_or_default().into()
}

/// The types that have names (`ngx_proxy_protocol_tlv_entries`).
const NAMES: [(&str, u64); 5] = [("alpn", 1), ("authority", 2), ("unique_id", 5), ("ssl", 0x20), ("netns", 0x30)];

/// The types within `ssl` (`ngx_proxy_protocol_tlv_ssl_entries`).
const SSL_NAMES: [(&str, u64); 5] =
    [("version", 0x21), ("cn", 0x22), ("cipher", 0x23), ("sig_alg", 0x24), ("key_alg", 0x25)];

impl ProxyHeader {
    /// The value of a TLV by its name in a conf: `alpn`, `ssl_cn`, `0xEA`, `ssl_0x21` (`ngx_proxy_protocol_get_tlv`).
    pub fn tlv(&self, name: &str) -> Result<Cow<'_, [u8]>, NoTlv> {
        let Some(within) = name.strip_prefix("ssl_") else {
            return find(&self.tlvs, type_of(name, &NAMES)?).map(Cow::Borrowed);
        };
        let ssl = find(&self.tlvs, 0x20)?;
        let Some(([_, verify @ ..], rest)) = ssl.split_first_chunk::<5>() else { return Err(NoTlv::Absent) };
        if within == "verify" {
            return Ok(u32::from_be_bytes(*verify).to_string().into_bytes().into());
        }
        find(rest, type_of(within, &SSL_NAMES)?).map(Cow::Borrowed)
    }
}

fn type_of(name: &str, names: &[(&str, u64)]) -> Result<u64, NoTlv> {
    match name.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u64::from_str_radix(digits, 16).map_err(|_| NoTlv::Invalid)
        }
        Some(_) => Err(NoTlv::Invalid),
        None => names.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind).ok_or(NoTlv::Unknown),
    }
}

/// The first TLV of a type (`ngx_proxy_protocol_lookup_tlv`).
fn find(mut tlvs: &[u8], kind: u64) -> Result<&[u8], NoTlv> {
    while !tlvs.is_empty() {
        let (&[own, high, low], rest) = tlvs.split_first_chunk::<3>().ok_or(NoTlv::Broken)?;
        let len = usize::from(u16::from_be_bytes([high, low]));
        let (value, rest) = rest.split_at_checked(len).ok_or(NoTlv::Broken)?;
        if u64::from(own) == kind {
            return Ok(value);
        }
        tlvs = rest;
    }
    Err(NoTlv::Absent)
}

#[cfg(test)]
mod tests;
