//! The use that exchanges make of TLS on their connection: requests that don't fit it, and variables that show it.

use super::cx::{Cx, Embedded};
use super::error_lines;
use super::secure::{Checked, ClientCertificate, ClientCheck, Offered, Secure, Transport};
use super::state::Exchange;
use crate::http::message::{host, tls_names};
use std::io::Write;

/// Whether the server that a request names asks clients for a certificate, and the hello has named another
/// (`ngx_http_set_virtual_server`).
#[inline]
pub(in crate::http) fn is_misdirected(ex: &Exchange, cx: &Cx) -> bool {
    let Some(tls) = cx.tls().filter(|tls| tls.server.is_some()) else { return false };
    let named = tls.name.as_deref().and_then(host::parse).map(|named| named.host).unwrap_or_default();
    cx.conf.client_check(ex.target.server) != ClientCheck::Off && !ex.head.host.of(cx.input).eq_ignore_ascii_case(named)
}

/// The status that a request is refused with for its connection (`ngx_http_process_request`).
#[inline]
pub(in crate::http) fn refused(ex: &Exchange, cx: &Cx) -> Option<u16> {
    let tls = match &cx.conn.transport {
        Transport::Plain => return None,
        Transport::PlainAtTls => {
            error_lines::secure::plain_at_tls(ex, cx);
            return Some(497);
        }
        Transport::Tls(tls) => tls,
    };
    let check = cx.conf.client_check(ex.target.server);
    match &tls.checked {
        _ if check == ClientCheck::Off => None,
        Checked::Failed { .. } if check == ClientCheck::OptionalNoCa && tls.checked.is_unknown_issuer() => None,
        Checked::Failed { number, reason } => {
            error_lines::secure::client_certificate_failed(ex, cx, *number, reason);
            Some(495)
        }
        Checked::None if check == ClientCheck::On => {
            error_lines::secure::no_client_certificate(ex, cx);
            Some(496)
        }
        Checked::None | Checked::Success => None,
    }
}

/// Appends the value; an empty one is none (`ngx_http_ssl_variable`).
fn put(out: &mut Vec<u8>, value: &[u8]) -> bool {
    out.extend_from_slice(value);
    !value.is_empty()
}

fn text(cx: &Cx, out: &mut Vec<u8>, of: impl Fn(&Secure) -> &[u8]) -> bool {
    cx.tls().is_some_and(|tls| put(out, of(tls)))
}

/// A word of the client's certificate.
fn word(cx: &Cx, out: &mut Vec<u8>, of: fn(&ClientCertificate) -> &str) -> bool {
    let client = cx.tls().and_then(|tls| tls.client.as_deref());
    client.is_some_and(|client| put(out, of(client).as_bytes()))
}

/// A list of the hello: numbers without a name are in hex (`ngx_ssl_get_curves`).
fn list(cx: &Cx, out: &mut Vec<u8>, of: fn(&Offered) -> &[u16], name: fn(u16) -> Option<&'static str>) -> bool {
    let Some(offered) = cx.tls().and_then(|tls| tls.offered.as_deref()) else { return false };
    let numbers = of(offered);
    for (n, number) in numbers.iter().enumerate() {
        let colon = if n == 0 { "" } else { ":" };
        // Writing to a Vec can't fail.
        let _ = match name(*number) {
            Some(name) => write!(out, "{colon}{name}"),
            None => write!(out, "{colon}0x{number:04x}"),
        };
    }
    !numbers.is_empty()
}

/// The certificate, its lines but the first behind a tab (`ngx_ssl_get_certificate`).
fn folded(cx: &Cx, out: &mut Vec<u8>) -> bool {
    let Some(client) = cx.tls().and_then(|tls| tls.client.as_deref()) else { return false };
    put(out, client.pem.trim_end_matches('\n').replace('\n', "\n\t").as_bytes())
}

/// The certificate with all but unreserved bytes escaped (`ngx_ssl_get_escaped_certificate`).
fn escaped(cx: &Cx, out: &mut Vec<u8>) -> bool {
    let Some(client) = cx.tls().and_then(|tls| tls.client.as_deref()) else { return false };
    for byte in client.pem.bytes() {
        // Writing to a Vec can't fail.
        let _ = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.write_all(&[byte]),
            _ => write!(out, "%{byte:02X}"),
        };
    }
    true
}

/// Days until the certificate ends (`ngx_ssl_get_client_v_remain`).
fn remaining_days(cx: &Cx, out: &mut Vec<u8>) -> bool {
    let Some(client) = cx.tls().and_then(|tls| tls.client.as_deref()) else { return false };
    let now = (cx.clock.unix_ms() / 1000) as i64;
    write!(out, "{}", (client.ends_unix_s - now).max(0) / 86_400).is_ok()
}

fn verified(cx: &Cx, out: &mut Vec<u8>) -> bool {
    let Some(tls) = cx.tls() else { return false };
    match &tls.checked {
        Checked::None => put(out, b"NONE"),
        Checked::Success => put(out, b"SUCCESS"),
        Checked::Failed { reason, .. } => put(out, format!("FAILED:{reason}").as_bytes()),
    }
}

fn session_id(cx: &Cx, out: &mut Vec<u8>) -> bool {
    let Some(tls) = cx.tls() else { return false };
    tls.session_id.iter().for_each(|byte| {
        // Writing to a Vec can't fail.
        let _ = write!(out, "{byte:02x}");
    });
    !tls.session_id.is_empty()
}

/// The variables of this file.
pub static VARIABLES: &[Embedded] = &[
    Embedded::ours("https", "\"on\" under TLS, else empty", |_, cx, out| {
        text(cx, out, |_| b"on");
        true
    }),
    Embedded::ours("scheme", "http, or https under TLS", |_, cx, out| {
        put(out, if cx.tls().is_some() { b"https" } else { b"http" })
    }),
    Embedded::client("ssl_alpn_protocol", "the protocol that ALPN chose", |_, cx, out| {
        text(cx, out, |tls| tls.alpn.as_deref().unwrap_or_default())
    }),
    Embedded::ours("ssl_cipher", "the cipher suite, in OpenSSL's spelling", |_, cx, out| {
        text(cx, out, |tls| tls.cipher.as_bytes())
    }),
    Embedded::ours(
        "ssl_ciphers",
        "the cipher suites that the client offered; in hex those without a name",
        |_, cx, out| list(cx, out, |offered| &offered.ciphers, tls_names::cipher),
    ),
    Embedded::client("ssl_client_cert", "the client's certificate in PEM, its lines behind tabs", |_, cx, out| {
        folded(cx, out)
    }),
    Embedded::client("ssl_client_escaped_cert", "the client's certificate in PEM, escaped", |_, cx, out| {
        escaped(cx, out)
    }),
    Embedded::ours("ssl_client_fingerprint", "SHA-1 of the client's certificate", |_, cx, out| {
        word(cx, out, |client| &client.fingerprint)
    }),
    Embedded::client("ssl_client_i_dn", "the issuer of the client's certificate (RFC 2253)", |_, cx, out| {
        word(cx, out, |client| &client.issuer)
    }),
    Embedded::client("ssl_client_i_dn_legacy", "the same in OpenSSL's older form", |_, cx, out| {
        word(cx, out, |client| &client.legacy_issuer)
    }),
    Embedded::client("ssl_client_raw_cert", "the client's certificate in PEM", |_, cx, out| {
        word(cx, out, |client| &client.pem)
    }),
    Embedded::client("ssl_client_s_dn", "the subject of the client's certificate (RFC 2253)", |_, cx, out| {
        word(cx, out, |client| &client.subject)
    }),
    Embedded::client("ssl_client_s_dn_legacy", "the same in OpenSSL's older form", |_, cx, out| {
        word(cx, out, |client| &client.legacy_subject)
    }),
    Embedded::ours("ssl_client_serial", "the serial number of the client's certificate", |_, cx, out| {
        word(cx, out, |client| &client.serial)
    }),
    Embedded::ours("ssl_client_v_end", "when the client's certificate ends", |_, cx, out| {
        word(cx, out, |client| &client.ends)
    }),
    Embedded::ours("ssl_client_v_remain", "days until the client's certificate ends", |_, cx, out| {
        remaining_days(cx, out)
    }),
    Embedded::ours("ssl_client_v_start", "when the client's certificate begins", |_, cx, out| {
        word(cx, out, |client| &client.starts)
    }),
    Embedded::ours(
        "ssl_client_verify",
        "the check of the client's certificate: SUCCESS, FAILED:reason, or NONE if there is none",
        |_, cx, out| verified(cx, out),
    ),
    Embedded::ours("ssl_curve", "the group that agreed on the keys", |_, cx, out| {
        text(cx, out, |tls| tls.curve.as_bytes())
    }),
    Embedded::ours("ssl_curves", "the groups that the client offered; in hex those without a name", |_, cx, out| {
        list(cx, out, |offered| &offered.groups, tls_names::group)
    }),
    Embedded::ours("ssl_early_data", "empty: no request is taken before the handshake is over", |_, _, _| false),
    Embedded::ours("ssl_protocol", "the version of TLS", |_, cx, out| text(cx, out, |tls| tls.protocol.as_bytes())),
    Embedded::client("ssl_server_name", "the server that the client has named in its hello", |_, cx, out| {
        text(cx, out, |tls| tls.name.as_deref().unwrap_or_default())
    }),
    Embedded::ours("ssl_session_id", "the id of the session that a client of TLS 1.2 has resumed", |_, cx, out| {
        session_id(cx, out)
    }),
    Embedded::ours("ssl_session_reused", "\"r\" where a session was resumed, else \".\"", |_, cx, out| {
        text(cx, out, |tls| if tls.is_reused { b"r" } else { b"." })
    }),
];
