//! `set_real_ip_from`: the client's address as a proxy names it, as in nginx's `ngx_http_realip_module.c`.

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::nets::{Net, forwarded};
use crate::http::exchange::{Cx, Embedded, Exchange, Flow, variables};
use crate::http::message::field::Id;
use crate::http::site::location::Location;
use crate::os::{Addr, resolve};
use std::net::{IpAddr, SocketAddr};

/// Peers that are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// Peers on Unix sockets.
    Unix,
    /// The addresses of a net.
    Net(Net),
}

/// `set_real_ip_from`: the proxies that are believed when they name the client.
pub static SET_REAL_IP_FROM: Setting<Vec<Proxy>> =
    Setting::many(&["set_real_ip_from"], |args, proxies: &mut Vec<Proxy>| {
        let text = args.str(0)?;
        if text == "unix:" {
            proxies.push(Proxy::Unix);
            return Ok(());
        }
        if let Some((net, has_host_bits)) = Net::parse(text) {
            if has_host_bits {
                args.warn(0, format!("low address bits of {text} are meaningless"));
            }
            proxies.push(Proxy::Net(net));
            return Ok(());
        }
        let found = resolve(text);
        if found.is_empty() {
            return Err(args
                .bad(0, format!("host not found in set_real_ip_from \"{text}\""))
                .help("an address, a net such as 10.0.0.0/8, the name of a host, or unix:"));
        }
        proxies.extend(found.into_iter().map(|ip| Proxy::Net(Net::of(ip))));
        Ok(())
    })
    .contexts(Contexts::HTTP_ALL)
    .args(1, 1)
    .syntax("ADDRESS | CIDR | HOST | unix:")
    .about(
        "Proxies that are believed when they name the client: what `real_ip_header` says takes the place of \
         `$remote_addr` and `$remote_port`, in logs, `allow` and `deny`, `geo` and all variables. A name is looked up \
         once, when the configuration is read.",
    );

/// `real_ip_header`: the place where a proxy names the client.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Source {
    /// `X-Real-IP`.
    #[default]
    RealIp,
    /// `X-Forwarded-For`: the lines together, from the last address on.
    ForwardedFor,
    /// The header of the PROXY protocol.
    ProxyProtocol,
    /// The first line of a field.
    Field(String),
}

/// The field, or the protocol, by which a proxy names the client.
pub static REAL_IP_HEADER: Setting<Source> = Setting::one("real_ip_header", |args| {
    Ok(match args.str(0)? {
        "X-Real-IP" => Source::RealIp,
        "X-Forwarded-For" => Source::ForwardedFor,
        "proxy_protocol" => Source::ProxyProtocol,
        field => Source::Field(field.to_owned()),
    })
})
.contexts(Contexts::HTTP_ALL)
.args(1, 1)
.syntax("FIELD | X-Real-IP | X-Forwarded-For | proxy_protocol")
.default("X-Real-IP")
.about(
    "The field in which a proxy of `set_real_ip_from` names the client: an address, with a port or without; of several \
     the last. Of a field that comes in several lines the first counts, but of `X-Forwarded-For` the last. \
     `proxy_protocol`: the address and port in the header of the PROXY protocol.",
);

/// `real_ip_recursive`: whether a proxy that another names is believed as well.
pub static REAL_IP_RECURSIVE: Setting<bool> =
    Setting::flag("real_ip_recursive").contexts(Contexts::HTTP_ALL).default("off").about(
        "Whether an address that a proxy names, and that is itself one of `set_real_ip_from`, is passed over for the \
         one before it: the client is then the last that is no proxy.",
    );

/// Whether the proxies include the peer, whose address is `None` for a Unix socket.
fn include(proxies: &[Proxy], peer: Option<IpAddr>) -> bool {
    proxies.iter().any(|proxy| match (proxy, peer) {
        (Proxy::Unix, peer) => peer.is_none(),
        (Proxy::Net(net), Some(ip)) => net.contains(ip),
        (Proxy::Net(_), None) => false,
    })
}

/// Takes the address that a proxy names, once an exchange: as soon as the server is known, if it believes the proxy,
/// else in the location.
#[inline]
pub(super) fn find(ex: &mut Exchange, cx: &Cx) {
    let proxies = ex.location_of(cx).scope.get(&SET_REAL_IP_FROM).as_slice();
    if !proxies.is_empty() && ex.named_client.is_none() {
        find_behind(ex, cx, proxies);
    }
}

/// Not inlined: most requests come here through no proxy, and would pay for the frame of this function.
#[inline(never)]
fn find_behind(ex: &mut Exchange, cx: &Cx, proxies: &[Proxy]) {
    let scope = &ex.location_of(cx).scope;
    let is_recursive = *scope.get(&REAL_IP_RECURSIVE);
    let (source, proxy) = (scope.get(&REAL_IP_HEADER), &cx.conn.proxy);
    let lines: Vec<&[u8]> = match source {
        Source::RealIp => ex.head.known(cx.input, Id::XRealIp).into_iter().collect(),
        Source::ForwardedFor => ex.head.all(cx.input, Id::XForwardedFor).collect(),
        Source::Field(name) => ex.head.get(cx.input, name.as_bytes()).into_iter().collect(),
        Source::ProxyProtocol => proxy.iter().map(|header| header.source.addr.as_bytes()).collect(),
    };
    let named = forwarded(cx.conn.peer.ip(), &lines, is_recursive, |ip| include(proxies, ip));
    let named = match (named, source, proxy) {
        (Some((ip, _)), Source::ProxyProtocol, Some(header)) => Some((ip, header.source.port)),
        (named, ..) => named,
    };
    ex.named_client = named.map(|(ip, port)| Addr::from(SocketAddr::new(ip, port)));
}

/// Whether the location believes any proxy.
pub(super) fn is_needed(location: &Location) -> bool {
    !location.scope.get(&SET_REAL_IP_FROM).is_empty()
}

/// Phase: the location may believe a proxy that the server does not.
pub(super) fn check(ex: &mut Exchange, cx: &Cx) -> Flow {
    find(ex, cx);
    Flow::Next
}

/// The directives of this module: `set_real_ip_from`, `real_ip_header` and `real_ip_recursive`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&SET_REAL_IP_FROM, &REAL_IP_HEADER, &REAL_IP_RECURSIVE];

/// The other end of the connection, whatever it says of the client.
pub static VARIABLES: &[Embedded] = &[
    Embedded::ours(
        "realip_remote_addr",
        "address of the other end of the connection: the client or a proxy",
        |_, cx, out| variables::ip(out, &cx.conn.peer),
    ),
    Embedded::ours("realip_remote_port", "port of the other end of the connection", |_, cx, out| {
        variables::port(out, &cx.conn.peer)
    }),
];
