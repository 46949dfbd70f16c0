//! The lines about TLS: handshakes, and requests that do not fit what was agreed there.

use super::{Before, Here};
use crate::http::exchange::Exchange;
use crate::http::exchange::cx::Cx;
use crate::http::message::reject::Phase;
use crate::log::{self, Level};
use crate::os::ErrnoText;
use std::fmt;
use std::io;

const HANDSHAKING: &str = "while SSL handshaking";

/// The handshake of TLS has failed; a failure that no client should be able to cause is `critical`
/// (`ngx_ssl_connection_error`).
pub fn handshake_failed(cx: &Cx, critical: bool, why: &dyn fmt::Display) {
    let level = if critical { Level::Crit } else { Level::Info };
    log::emit!(level, at: Before { cx, doing: HANDSHAKING }, "SSL_do_handshake() failed (SSL: {why})");
}

/// The client has gone before its handshake was over, or before it began.
pub fn handshake_abandoned(cx: &Cx, has_begun: bool, error: Option<&io::Error>) {
    let at = Before { cx, doing: HANDSHAKING };
    match error {
        Some(error) if has_begun => {
            log::info!(at: at, "peer closed connection in SSL handshake ({})", ErrnoText(error));
        }
        Some(error) => log::info!(at: at, "recv() failed ({})", ErrnoText(error)),
        None if has_begun => log::info!(at: at, "peer closed connection in SSL handshake"),
        None => log::info!(at: at, "client closed connection"),
    }
}

/// The certificate that the client's name leads to can't be had.
pub fn handshake_without_certificate(cx: &Cx, sentence: &str) {
    log::error!(at: Before { cx, doing: HANDSHAKING }, "{sentence}");
}

/// The conf rejects the handshakes of this name (`ssl_reject_handshake`).
pub fn handshake_rejected(cx: &Cx) {
    log::info!(at: Before { cx, doing: HANDSHAKING }, "handshake rejected");
}

/// The handshake took too long.
pub fn handshake_timed_out(cx: &Cx) {
    log::info!(at: Before { cx, doing: HANDSHAKING }, "client timed out (110: Connection timed out)");
}

/// The request is for a server that asks for a certificate, and the hello has named another.
pub fn misdirected(ex: &Exchange, cx: &Cx) {
    let doing = Phase::Headers.to_string();
    let what = "client attempted to request the server name different from the one that was negotiated";
    log::info!(at: Here { ex, cx, doing }, "{what}");
}

/// The client speaks HTTP where it should speak TLS.
pub(in crate::http::exchange) fn plain_at_tls(ex: &Exchange, cx: &Cx) {
    let doing = Phase::Headers.to_string();
    log::info!(at: Here { ex, cx, doing }, "client sent plain HTTP request to HTTPS port");
}

/// The client's certificate does not fit.
pub(in crate::http::exchange) fn client_certificate_failed(ex: &Exchange, cx: &Cx, number: i32, reason: &str) {
    let doing = Phase::Headers.to_string();
    log::info!(at: Here { ex, cx, doing }, "client SSL certificate verify error: ({number}:{reason})");
}

/// The client has sent no certificate.
pub(in crate::http::exchange) fn no_client_certificate(ex: &Exchange, cx: &Cx) {
    let doing = Phase::Headers.to_string();
    log::info!(at: Here { ex, cx, doing }, "client sent no required SSL certificate");
}
