//! The Location of a redirect: absolute or as it is.

use super::headers::no_line_breaks;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Cx, Exchange};
use std::io::Write;

/// `absolute_redirect`: whether redirects to a path name scheme, host and port.
pub static ABSOLUTE_REDIRECT: Setting<bool> = Setting::flag("absolute_redirect")
    .contexts(Contexts::HTTP_ALL)
    .default("on")
    .about("Whether redirects to a path name scheme, host and port too.");

/// `port_in_redirect`: whether absolute redirects name a port other than the scheme's own.
pub static PORT_IN_REDIRECT: Setting<bool> = Setting::flag("port_in_redirect")
    .contexts(Contexts::HTTP_ALL)
    .default("on")
    .about("Whether absolute redirects name the port the client connected to, when it is not 80, or 443 under TLS.");

/// `server_name_in_redirect`: whether absolute redirects name the server's first name instead of the request's host.
pub static SERVER_NAME_IN_REDIRECT: Setting<bool> = Setting::flag("server_name_in_redirect")
    .contexts(Contexts::HTTP_ALL)
    .default("off")
    .about("Whether absolute redirects name the server's first name, not the host that the request names.");

/// A Location to be sent.
#[derive(Debug)]
pub struct LocationField {
    /// The value of the Location field.
    pub text: Vec<u8>,
    /// Scheme and host were put in front; nginx then sends the field earlier.
    pub completed: bool,
}

/// The Location for `target`, as nginx's header filter makes it.
pub(in crate::http) fn absolute(ex: &Exchange, cx: &Cx, mut target: Vec<u8>) -> LocationField {
    no_line_breaks(&mut target);
    let scope = &ex.location_of(cx).scope;
    let as_it_is = |text| LocationField { text, completed: false };
    if target.first() != Some(&b'/') || !*scope.get(&ABSOLUTE_REDIRECT) {
        return as_it_is(target);
    }
    let (scheme, own_port) = if cx.tls().is_some() { ("https://", 443) } else { ("http://", 80) };
    let mut out = scheme.as_bytes().to_vec();
    let host = ex.head.host.of(cx.input);
    let name = &ex.server_of(cx).name;
    if *scope.get(&SERVER_NAME_IN_REDIRECT) && !name.is_empty() {
        out.extend_from_slice(name.as_bytes());
    } else if !host.is_empty() {
        out.extend(host.iter().map(u8::to_ascii_lowercase));
    } else if let Some(local) = local_ip(cx) {
        // Writing to a Vec can't fail.
        let _ = match local {
            std::net::IpAddr::V4(ip) => write!(out, "{ip}"),
            std::net::IpAddr::V6(ip) => write!(out, "[{ip}]"),
        };
    } else {
        return as_it_is(target);
    }
    let port = cx.conf.bound_addr(cx.conn.bound).port();
    if let Some(port) = port.filter(|port| *port != own_port && *scope.get(&PORT_IN_REDIRECT)) {
        let _ = write!(out, ":{port}");
    }
    out.extend_from_slice(&target);
    LocationField { text: out, completed: true }
}

/// The address the client connected to, if it is known without a system call.
fn local_ip(cx: &Cx) -> Option<std::net::IpAddr> {
    let bound = cx.conf.bound_addr(cx.conn.bound);
    let addr = cx.conn.local.as_deref().unwrap_or(bound);
    addr.ip().filter(|ip| !ip.is_unspecified())
}

/// The directives of this module, which decide how a Location is completed.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&ABSOLUTE_REDIRECT, &PORT_IN_REDIRECT, &SERVER_NAME_IN_REDIRECT];
