//! `Authorization: Basic`, as far as the log needs it.

use super::cx::{Cx, Embedded};
use super::state::Exchange;
use crate::http::message::field::Id;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Appends the user's name, as nginx's `ngx_http_auth_basic_user` finds it.
fn user(ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) -> bool {
    let Some(value) = ex.head.known(cx.input, Id::Authorization) else { return false };
    let Some((scheme, encoded)) = value.split_at_checked(6) else { return false };
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return false;
    }
    let spaces = encoded.iter().take_while(|byte| **byte == b' ').count();
    let Some(decoded) = decode(&encoded[spaces..]) else { return false };
    let Some(colon) = memchr::memchr(b':', &decoded) else { return false };
    out.extend_from_slice(&decoded[..colon]);
    colon > 0
}

/// Padding is not needed, what follows it is not read, and spare bits in the last letter count for nothing
/// (`ngx_decode_base64`).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

fn decode(encoded: &[u8]) -> Option<Vec<u8>> {
    let end = memchr::memchr(b'=', encoded).unwrap_or(encoded.len());
    BASE64.decode(&encoded[..end]).ok()
}

/// The variables that this file computes.
pub static VARIABLES: &[Embedded] =
    &[Embedded::client("remote_user", "the user that Authorization: Basic names", user)];

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn base64_is_read_as_nginx_reads_it() {
        for (encoded, decoded) in [
            ("Ym9iOng=", Some("bob:x")),
            ("Ym9iOng", Some("bob:x")),
            ("YW5uZTpwdw==", Some("anne:pw")),
            ("YW5uZTpwdw=", Some("anne:pw")),
            ("YW5uZTpwdx", Some("anne:pw")),
            ("YW5uZTpwdw=%junk", Some("anne:pw")),
            ("YW5uZTpwd", None),
            ("YW5u ZTpw", None),
            ("Ym9iOng ", None),
            ("YWI_Og", None),
            ("", Some("")),
        ] {
            assert_eq!(decode(encoded.as_bytes()).as_deref(), decoded.map(str::as_bytes), "{encoded}");
        }
    }
}
