//! IP addresses and nets as nginx reads them (`ngx_inet.c`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that stands for none (`INADDR_NONE`).
pub(super) const NO_ADDRESS: u32 = u32::MAX;

/// A net: its first address, and how many bits it shares with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Net {
    /// The first address.
    pub base: IpAddr,
    /// The length of the net's prefix.
    pub bits: u8,
}

/// Four numbers; zeros may stand in front, and each may be missing. `None`: no address, or [`NO_ADDRESS`]
/// (`ngx_inet_addr`).
pub(super) fn parse_v4(text: &[u8]) -> Option<u32> {
    let mut octets = [0_u8; 4];
    let mut parts = text.split(|byte| *byte == b'.');
    for octet in &mut octets {
        *octet = parts.next()?.iter().try_fold(0_u8, |octet, byte| {
            let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
            octet.checked_mul(10)?.checked_add(digit)
        })?;
    }
    let addr = u32::from_be_bytes(octets);
    (parts.next().is_none() && addr != NO_ADDRESS).then_some(addr)
}

/// An address without a port (`ngx_parse_addr`).
pub(super) fn parse_ip(text: &[u8]) -> Option<IpAddr> {
    if let Some(addr) = parse_v4(text) {
        return Some(Ipv4Addr::from_bits(addr).into());
    }
    std::str::from_utf8(text).ok()?.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// An address, with or without a port; the port is 0 where there is none (`ngx_parse_addr_port`).
pub(super) fn parse_ip_port(text: &[u8]) -> Option<(IpAddr, u16)> {
    if let Some(ip) = parse_ip(text) {
        return Some((ip, 0));
    }
    let (host, port) = match text.strip_prefix(b"[") {
        Some(rest) => {
            let end = memchr::memchr(b']', rest)?;
            match &rest[end + 1..] {
                [] => return Some((parse_ip(&rest[..end])?, 0)),
                behind => (&rest[..end], behind.strip_prefix(b":")?),
            }
        }
        None => {
            let colon = memchr::memchr(b':', text)?;
            (&text[..colon], &text[colon + 1..])
        }
    };
    let port = crate::conf::parse_count(std::str::from_utf8(port).ok()?)?;
    let port = u16::try_from(port).ok().filter(|port| *port > 0)?;
    Some((parse_ip(host)?, port))
}

/// The address that the proxies in front of this server name: from `client` on, each that `is_proxy` is asked for the
/// one before it, in `lines` from the last (`ngx_http_get_forwarded_addr`). `None`: nobody names one. With the port, 0
/// where there is none.
pub(in crate::http) fn forwarded(
    client: Option<IpAddr>,
    lines: &[&[u8]],
    is_recursive: bool,
    is_proxy: impl Fn(Option<IpAddr>) -> bool,
) -> Option<(IpAddr, u16)> {
    let mut found = None;
    for line in lines.iter().rev() {
        if !follow_line(&mut found, client, line, is_recursive, &is_proxy) || !is_recursive {
            break;
        }
    }
    found
}

/// Goes through a line from its end. Returns whether the walk came to its beginning.
fn follow_line(
    found: &mut Option<(IpAddr, u16)>,
    client: Option<IpAddr>,
    line: &[u8],
    is_recursive: bool,
    is_proxy: &impl Fn(Option<IpAddr>) -> bool,
) -> bool {
    let is_gap = |byte: &u8| matches!(byte, b' ' | b',');
    let mut rest = line;
    loop {
        let at = found.map(|(ip, _)| ip).or(client);
        if !is_proxy(at.map(|ip| ip.to_canonical())) {
            return false;
        }
        let end = rest.iter().rposition(|byte| !is_gap(byte)).map_or(0, |last| last + 1);
        // A comma at the very beginning belongs to the address, which is none then.
        let start = rest[..end].iter().skip(1).rposition(is_gap).map_or(0, |gap| gap + 2);
        let Some(named) = parse_ip_port(&rest[start..end]) else { return false };
        *found = Some(named);
        if !is_recursive || start == 0 {
            return true;
        }
        rest = &rest[..start - 1];
    }
}

impl Net {
    /// Reads `ADDRESS` or `ADDRESS/BITS`, and tells whether bits were set behind the net's, where they mean nothing
    /// (`ngx_ptocidr`).
    pub(in crate::http) fn parse(text: &str) -> Option<(Net, bool)> {
        let (addr, bits) = match text.split_once('/') {
            Some((addr, bits)) => (addr, Some(crate::conf::parse_count(bits)?)),
            None => (text, None),
        };
        let ip = parse_ip(addr.as_bytes())?;
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return None;
        }
        let net = Net::around(ip, bits as u8);
        Some((net, net.base != ip))
    }

    /// The net of one address.
    pub(in crate::http) fn of(ip: IpAddr) -> Net {
        Net { base: ip, bits: if ip.is_ipv4() { 32 } else { 128 } }
    }

    /// The net of so many bits that an address lies in.
    pub(in crate::http) fn around(ip: IpAddr, bits: u8) -> Net {
        let base = match ip {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                Ipv4Addr::from_bits(ip.to_bits() & mask).into()
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Ipv6Addr::from_bits(ip.to_bits() & mask).into()
            }
        };
        Net { base, bits }
    }

    /// Whether an address lies in the net.
    pub(in crate::http) fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.base.is_ipv4() && Net::around(ip, self.bits) == *self
    }

    /// The first and the last address, as numbers.
    pub(super) fn ends(&self) -> (u128, u128) {
        let behind = |width: u32| u128::MAX.checked_shr(128 - (width - u32::from(self.bits))).unwrap_or(0);
        match self.base {
            IpAddr::V4(base) => (base.to_bits().into(), u128::from(base.to_bits()) | behind(32)),
            IpAddr::V6(base) => (base.to_bits(), base.to_bits() | behind(128)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str) -> Option<String> {
        parse_v4(text.as_bytes()).map(|addr| Ipv4Addr::from_bits(addr).to_string())
    }

    #[test]
    fn addresses_are_read_as_nginx_reads_them() {
        for (text, addr) in [
            ("1.2.3.4", Some("1.2.3.4")),
            ("001.02.3.4", Some("1.2.3.4")),
            ("1..3.", Some("1.0.3.0")),
            ("1.2.3", None),
            ("1.2.3.4.5", None),
            ("1.2.3.256", None),
            ("1.2.3.4 ", None),
            ("255.255.255.255", None),
            ("", None),
        ] {
            assert_eq!(v4(text).as_deref(), addr, "{text}");
        }
        for (text, addr) in [
            ("1.2.3.4:80", Some("1.2.3.4 80")),
            ("1.2.3.4", Some("1.2.3.4 0")),
            ("[::1]:65535", Some("::1 65535")),
            ("2001:db8::1", Some("2001:db8::1 0")),
            ("[::1]", Some("::1 0")),
            ("[::1]80", None),
            ("[::1", None),
            ("1.2.3.4:0", None),
            ("1.2.3.4:65536", None),
            ("1.2.3.4:", None),
            ("1.2.3.4:+1", None),
            ("unknown", None),
        ] {
            let said = parse_ip_port(text.as_bytes()).map(|(ip, port)| format!("{ip} {port}"));
            assert_eq!(said.as_deref(), addr, "{text}");
        }
    }

    #[test]
    fn proxies_are_followed_from_the_last() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let nets = ["10.0.0.0/8", "127.0.0.1", "::1"].map(|text| Net::parse(text).unwrap().0);
        let is_proxy = |ip: Option<IpAddr>| ip.is_some_and(|ip| nets.iter().any(|net| net.contains(ip)));
        let said = |client: &str, lines: &[&str], is_recursive| {
            let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
            forwarded(Some(ip(client)), &lines, is_recursive, is_proxy).map(|(ip, port)| format!("{ip} {port}"))
        };
        for (lines, last, all) in [
            (&["1.2.3.4"][..], Some("1.2.3.4 0"), Some("1.2.3.4 0")),
            (&["1.2.3.4:7, 10.0.0.1"], Some("10.0.0.1 0"), Some("1.2.3.4 7")),
            (&["1.2.3.4, 5.6.7.8,10.0.0.1 , "], Some("10.0.0.1 0"), Some("5.6.7.8 0")),
            (&["1.2.3.4", "10.0.0.1"], Some("10.0.0.1 0"), Some("1.2.3.4 0")),
            (&["bad", "10.0.0.1"], Some("10.0.0.1 0"), Some("10.0.0.1 0")),
            (&["1.2.3.4", "bad, 10.0.0.1"], Some("10.0.0.1 0"), Some("10.0.0.1 0")),
            (&["1.2.3.4", "5.6.7.8"], Some("5.6.7.8 0"), Some("5.6.7.8 0")),
            (&[",1.2.3.4"], None, None),
            (&[", 1.2.3.4"], Some("1.2.3.4 0"), Some("1.2.3.4 0")),
            (&["1.2.3.4", ""], None, None),
            (&[], None, None),
            (&[" ,"], None, None),
        ] {
            assert_eq!(said("127.0.0.1", lines, false).as_deref(), last, "{lines:?}");
            assert_eq!(said("::ffff:127.0.0.1", lines, true).as_deref(), all, "{lines:?}");
            assert_eq!(said("9.9.9.9", lines, true), None);
        }
    }

    #[test]
    fn nets_have_ends() {
        let net = |text: &str| Net::parse(text).unwrap();
        assert_eq!(net("10.1.2.3/8"), (Net { base: "10.0.0.0".parse().unwrap(), bits: 8 }, true));
        assert_eq!(net("0.0.0.0/0").0.ends(), (0, u32::MAX.into()));
        assert_eq!(net("10.0.0.0/30").0.ends(), (0x0a00_0000, 0x0a00_0003));
        assert_eq!(net("::/0").0.ends(), (0, u128::MAX));
        assert_eq!(net("::1").0.ends(), (1, 1));
        assert!(net("10.0.0.0/8").0.contains("10.200.0.1".parse().unwrap()));
        assert!(!net("0.0.0.0/0").0.contains("::1".parse().unwrap()));
        for text in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1", "255.255.255.255/32", ""] {
            assert_eq!(Net::parse(text), None, "{text}");
        }
    }
}
