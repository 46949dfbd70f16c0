//! `geo`: a variable whose value depends on an address, as in nginx's `ngx_http_geo_module.c`.

mod entries;
mod spans;

use super::cx::{Cx, Defined};
use super::defined;
use super::nets::{NO_ADDRESS, Net, forwarded, parse_ip};
use super::state::Exchange;
use crate::conf::{self, Contexts, Setting};
use crate::http::message::field::Id;
use crate::http::site::template::Template;
use entries::Entries;
use spans::Spans;
use std::net::IpAddr;
use std::sync::Arc;

/// A `geo`.
#[derive(Debug)]
struct Geo {
    /// The text that is the address; `None`: the client's own.
    source: Option<Template>,
    v4: Spans,
    v6: Spans,
    /// Addresses of IPv6 count as none.
    has_ranges: bool,
    default: usize,
    values: Vec<Box<[u8]>>,
    /// The clients whose X-Forwarded-For counts.
    proxies: Vec<Net>,
    /// All addresses in that field count, from its end up to the first that is no proxy.
    is_recursive: bool,
}

/// A variable whose value depends on the net of an address.
pub static GEO: Setting<()> = Setting::many(&["geo"], |args, (): &mut ()| {
    let variable = args.len() - 1;
    let address = defined::name(args, 0)?;
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let source = match variable {
        0 => None,
        _ if !is_name(address) => return Err(args.bad(0, format!("unknown \"{address}\" variable"))),
        _ => Some(Template::parse_text(args, 0, &format!("${{{address}}}"))?),
    };
    defined::name(args, variable)?;
    let mut entries = Entries::default();
    for item in args.block() {
        match entries.add(item) {
            Ok(warnings) => warnings.into_iter().for_each(|warning| args.warn_item(item, warning)),
            Err(error) => args.go_on_after(error)?,
        }
    }
    let is_volatile = entries.is_volatile;
    defined::define(args, variable, is_volatile, Arc::new(Geo::new(source, entries)))
})
.contexts(Contexts::HTTP)
.args(1, 2)
.takes_block()
.syntax("[$ADDRESS] $VARIABLE { NET VALUE; ... }")
.about(
    "Defines a variable: the value of the smallest NET that holds the client's address, or the one in $ADDRESS. \
     `default` is for all others, and for what is no address. `delete NET` takes away a net of an included file. With \
     `ranges` as the first line, nets are written FIRST-LAST, for IPv4 only. `proxy NET` names proxies, whose \
     X-Forwarded-For counts: its last address, or with `proxy_recursive` the last that is no proxy's. `volatile` \
     computes the value anew for each use.",
);

impl Geo {
    fn new(source: Option<Template>, entries: Entries) -> Geo {
        let (v4, v6) = entries.spans();
        Geo {
            source,
            v4,
            v6,
            has_ranges: entries.has_ranges,
            default: entries.default,
            values: entries.values,
            proxies: entries.proxies,
            is_recursive: entries.is_recursive,
        }
    }

    /// The address; `None`: there is none, as for a Unix socket.
    fn address(&self, ex: &Exchange, cx: &Cx) -> Option<IpAddr> {
        let mut ip = match &self.source {
            None => ex.client(cx).ip(),
            Some(source) => {
                let mut text = Vec::new();
                source.eval(ex, cx, &mut text);
                Some(parse_ip(&text)?)
            }
        };
        if !self.proxies.is_empty() {
            let lines = ex.head.all(cx.input, Id::XForwardedFor).collect::<Vec<_>>();
            let is_proxy = |ip: Option<IpAddr>| ip.is_some_and(|ip| self.proxies.iter().any(|net| net.contains(ip)));
            ip = forwarded(ip, &lines, self.is_recursive, is_proxy).map(|(ip, _)| ip).or(ip);
        }
        ip.map(|ip| ip.to_canonical())
    }
}

impl Defined for Geo {
    fn value(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) {
        let found = match self.address(ex, cx) {
            Some(IpAddr::V4(ip)) => self.v4.find(ip.to_bits().into()),
            Some(IpAddr::V6(ip)) if !self.has_ranges => self.v6.find(ip.to_bits()),
            _ => self.v4.find(NO_ADDRESS.into()),
        };
        out.extend_from_slice(self.values.get(found.unwrap_or(self.default)).map_or(&[][..], |value| value));
    }
}

/// The directive of this module: `geo`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&GEO];
