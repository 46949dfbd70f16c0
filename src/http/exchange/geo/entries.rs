//! The lines of a `geo` block.

use super::super::nets::{Net, parse_v4};
use super::spans::Spans;
use crate::conf::{self, Item};
use foldhash::HashMap;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Advice, by the beginning of nginx's sentence.
const HELP: [(&str, &str); 3] = [
    ("invalid network", "a net such as 192.0.2.0/24 or 2001:db8::/32, or a line of \"ranges\""),
    ("invalid range", "FIRST-LAST, such as 192.0.2.0-192.0.2.255, both of IPv4"),
    ("invalid number", "a net and a value: is a \";\" missing, or quotes around blanks?"),
];

/// The block as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub has_ranges: bool,
    pub is_recursive: bool,
    pub is_volatile: bool,
    pub proxies: Vec<Net>,
    /// The different values; the first is empty.
    pub values: Vec<Box<[u8]>>,
    /// The number of the value for what no range holds.
    pub default: usize,
    has_default: bool,
    known: HashMap<Box<str>, usize>,
    /// A line has been read as a net.
    has_nets: bool,
    nets: HashMap<Net, usize>,
    ranges: BTreeMap<u16, Vec<Range>>,
}

/// A part of a range: nginx keeps them for each two leading octets, which its messages show.
#[derive(Debug, Clone, Copy)]
struct Range {
    start: u16,
    end: u16,
    value: usize,
}

impl Entries {
    /// Adds a line. The warnings are nginx's.
    pub(super) fn add(&mut self, item: &Item) -> Result<Vec<String>, conf::Error> {
        let culprit = item.words.get(1).filter(|_| matches!(item.words[0].text.as_str(), "delete" | "proxy"));
        let bad = |message: &str| conf::Error::at(culprit.map_or(item.span, |word| word.span), message);
        if self.values.is_empty() {
            self.number("");
        }
        let words: Vec<&str> = item.words.iter().map(|word| word.text.as_str()).collect();
        let mut warnings = Vec::new();
        let done = match words.as_slice() {
            ["ranges"] if self.has_nets => {
                let help = "write it above the nets";
                return Err(bad("the \"ranges\" directive must be the first directive inside \"geo\" block").help(help));
            }
            ["ranges"] => {
                self.has_ranges = true;
                Ok(())
            }
            ["proxy_recursive"] => {
                self.is_recursive = true;
                Ok(())
            }
            ["volatile"] => {
                self.is_volatile = true;
                Ok(())
            }
            ["proxy", net] => net_of(net, &mut warnings).map(|net| self.proxies.push(net)),
            [net, value] if self.has_ranges => self.range(net, value, &mut warnings),
            [net, value] => self.net(net, value, &mut warnings),
            _ => Err("invalid number of the geo parameters".to_owned()),
        };
        done.map(|()| warnings).map_err(|message| {
            let help = HELP.iter().find(|(start, _)| message.starts_with(start));
            help.map_or_else(|| bad(&message), |(_, help)| bad(&message).help(*help))
        })
    }

    /// The number of a value.
    fn number(&mut self, value: &str) -> usize {
        if let Some(number) = self.known.get(value) {
            return *number;
        }
        self.values.push(value.as_bytes().into());
        self.known.insert(value.into(), self.values.len() - 1);
        self.values.len() - 1
    }

    fn text(&self, number: usize) -> String {
        String::from_utf8_lossy(self.values.get(number).map_or(&[][..], |value| value)).into_owned()
    }

    /// A line without `ranges` (`ngx_http_geo_cidr`).
    fn net(&mut self, text: &str, value: &str, warnings: &mut Vec<String>) -> Result<(), String> {
        self.has_nets = true;
        match text {
            "default" => {
                for base in [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()] {
                    self.insert(Net { base, bits: 0 }, text, value, warnings);
                }
            }
            "delete" => {
                let net = net_of(value, warnings)?;
                if self.nets.remove(&net).is_none() {
                    warnings.push(format!("no network \"{value}\" to delete"));
                }
            }
            _ => {
                let net = net_of(text, warnings)?;
                self.insert(net, text, value, warnings);
            }
        }
        Ok(())
    }

    fn insert(&mut self, net: Net, text: &str, value: &str, warnings: &mut Vec<String>) {
        let number = self.number(value);
        if self.nets.contains_key(&net) {
            // nginx shows the value of the smallest net at the first address.
            let width = if net.base.is_ipv4() { 32 } else { 128 };
            let mut around = (0..=width).rev().map(|bits| Net::around(net.base, bits));
            let old = around.find_map(|net| self.nets.get(&net)).map_or_else(String::new, |old| self.text(*old));
            warnings.push(format!("duplicate network \"{text}\", value: \"{value}\", old value: \"{old}\""));
        }
        self.nets.insert(net, number);
    }

    /// A line with `ranges` (`ngx_http_geo_range`).
    fn range(&mut self, text: &str, value: &str, warnings: &mut Vec<String>) -> Result<(), String> {
        if text == "default" {
            if std::mem::replace(&mut self.has_default, true) {
                let old = self.text(self.default);
                warnings.push(format!("duplicate default geo range value: \"{value}\", old value: \"{old}\""));
            }
            self.default = self.number(value);
            return Ok(());
        }
        let said = if text == "delete" { value } else { text };
        let ends = said.split_once('-').and_then(|(start, end)| {
            let (start, end) = (parse_v4(start.as_bytes())?, parse_v4(end.as_bytes())?);
            (start <= end).then_some((start, end))
        });
        let (start, end) = ends.ok_or_else(|| format!("invalid range \"{said}\""))?;
        if text == "delete" {
            let missing = blocks(start, end).filter(|(high, start, end)| !self.delete(*high, *start, *end)).count();
            if missing > 0 {
                warnings.push(format!("no address range \"{said}\" to delete"));
            }
            return Ok(());
        }
        let value = self.number(value);
        for (high, start, end) in blocks(start, end) {
            self.add_range(high, Range { start, end, value }, said, warnings)?;
        }
        Ok(())
    }

    /// Whether the range was there.
    fn delete(&mut self, high: u16, start: u16, end: u16) -> bool {
        let Some(ranges) = self.ranges.get_mut(&high) else { return false };
        let at = ranges.iter().position(|range| (range.start, range.end) == (start, end));
        at.map(|at| ranges.remove(at)).is_some()
    }

    /// A range may lie within another, whose rest keeps its value (`ngx_http_geo_add_range`).
    fn add_range(&mut self, high: u16, new: Range, said: &str, warnings: &mut Vec<String>) -> Result<(), String> {
        let ranges = self.ranges.entry(high).or_default();
        let at = ranges.partition_point(|range| range.end < new.start);
        let Some(old) = ranges.get(at).copied().filter(|old| old.start <= new.end) else {
            ranges.insert(at, new);
            return Ok(());
        };
        if (old.start, old.end) == (new.start, new.end) {
            ranges[at] = new;
            let (new, old) = (self.text(new.value), self.text(old.value));
            warnings.push(format!("duplicate range \"{said}\", value: \"{new}\", old value: \"{old}\""));
            return Ok(());
        }
        if old.start <= new.start && new.end <= old.end {
            let before = (old.start < new.start).then(|| Range { end: new.start.saturating_sub(1), ..old });
            let after = (new.end < old.end).then(|| Range { start: new.end.saturating_add(1), ..old });
            ranges.splice(at..=at, before.into_iter().chain([new]).chain(after));
            return Ok(());
        }
        // nginx looks from the last to the first.
        let last = ranges.iter().rfind(|range| range.start <= new.end).copied().unwrap_or(old);
        let shown = |low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
        Err(format!("range \"{said}\" overlaps \"{}-{}\"", shown(last.start), shown(last.end)))
    }

    /// The addresses of IPv4 and those of IPv6.
    pub(super) fn spans(&self) -> (Spans, Spans) {
        let family = |is_v4: bool| {
            let nets = self.nets.iter().filter(move |(net, _)| net.base.is_ipv4() == is_v4);
            nets.map(|(net, value)| (net.ends().0, net.ends().1, *value))
        };
        let ranges = self.ranges.iter().flat_map(|(high, ranges)| {
            let whole = move |low: u16| u128::from(u32::from(*high) << 16 | u32::from(low));
            ranges.iter().map(move |range| (whole(range.start), whole(range.end), range.value))
        });
        (Spans::new(family(true).chain(ranges).collect()), Spans::new(family(false).collect()))
    }
}

/// A range, cut where the two leading octets change: these, and the ends within.
fn blocks(start: u32, end: u32) -> impl Iterator<Item = (u16, u16, u16)> {
    let (first, last) = ((start >> 16) as u16, (end >> 16) as u16);
    (first..=last).map(move |high| {
        let low = if high == first { start as u16 } else { 0 };
        (high, low, if high == last { end as u16 } else { u16::MAX })
    })
}

fn net_of(text: &str, warnings: &mut Vec<String>) -> Result<Net, String> {
    if text == "255.255.255.255" {
        return Ok(Net { base: IpAddr::V4(Ipv4Addr::BROADCAST), bits: 32 });
    }
    let (net, has_host_bits) = Net::parse(text).ok_or_else(|| format!("invalid network \"{text}\""))?;
    if has_host_bits {
        warnings.push(format!("low address bits of {text} are meaningless"));
    }
    Ok(net)
}
