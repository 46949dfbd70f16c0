//! `Authorization: Basic`, as far as the log needs it.

use super::exchange::{Cx, Exchange};
use super::field::Id;

/// Appends the user's name, as nginx's `ngx_http_auth_basic_user` finds it.
pub(super) fn user(ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) -> bool {
    let Some(value) = ex.head.known(cx.input, Id::Authorization) else { return false };
    let Some((scheme, encoded)) = value.split_at_checked(6) else { return false };
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return false;
    }
    use base64::Engine;
    let engine = base64::engine::general_purpose::STANDARD;
    let Ok(decoded) = engine.decode(encoded.trim_ascii()) else { return false };
    let Some(colon) = memchr::memchr(b':', &decoded) else { return false };
    out.extend_from_slice(&decoded[..colon]);
    colon > 0
}
