//! IP addresses and nets as nginx reads them (`ngx_inet.c`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that stands for none (`INADDR_NONE`).
pub(super) const NO_ADDRESS: u32 = u32::MAX;

/// A net: its first address, and how many bits it shares with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Net {
    pub base: IpAddr,
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

/// An address, with or without a port (`ngx_parse_addr_port`).
pub(super) fn parse_ip_port(text: &[u8]) -> Option<IpAddr> {
    if let Some(ip) = parse_ip(text) {
        return Some(ip);
    }
    let (host, port) = match text.strip_prefix(b"[") {
        Some(rest) => {
            let end = memchr::memchr(b']', rest)?;
            (&rest[..end], rest[end + 1..].strip_prefix(b":")?)
        }
        None => {
            let colon = memchr::memchr(b':', text)?;
            (&text[..colon], &text[colon + 1..])
        }
    };
    let is_port = |port: &str| crate::conf::parse_count(port).is_some_and(|port| (1..=65535).contains(&port));
    std::str::from_utf8(port).ok().filter(|port| is_port(port))?;
    parse_ip(host)
}

impl Net {
    /// Reads `ADDRESS` or `ADDRESS/BITS`, and tells whether bits were set behind the net's, where they mean nothing
    /// (`ngx_ptocidr`).
    pub(super) fn parse(text: &str) -> Option<(Net, bool)> {
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

    /// The net of so many bits that an address lies in.
    pub(super) fn around(ip: IpAddr, bits: u8) -> Net {
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
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
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
            ("1.2.3.4:80", Some("1.2.3.4")),
            ("[::1]:80", Some("::1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[::1]", None),
            ("1.2.3.4:0", None),
            ("1.2.3.4:", None),
            ("unknown", None),
        ] {
            assert_eq!(parse_ip_port(text.as_bytes()).map(|ip| ip.to_string()).as_deref(), addr, "{text}");
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
