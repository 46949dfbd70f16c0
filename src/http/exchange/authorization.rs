//! `Authorization: Basic`: the name and the password in it.

use super::cx::{Cx, Embedded};
use super::state::Exchange;
use super::variables::put;
use crate::http::message::field::Id;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A user's name and password.
pub(in crate::http) struct Credentials {
    decoded: Vec<u8>,
    colon: usize,
}

impl Credentials {
    /// The credentials of the request, as nginx's `ngx_http_auth_basic_user` finds them.
    pub(in crate::http) fn of(ex: &Exchange, cx: &Cx) -> Option<Credentials> {
        let value = ex.head.known(cx.input, Id::Authorization)?;
        let (scheme, encoded) = value.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        let spaces = encoded.iter().take_while(|byte| **byte == b' ').count();
        let decoded = decode(&encoded[spaces..])?;
        let colon = memchr::memchr(b':', &decoded).filter(|colon| *colon > 0)?;
        Some(Credentials { decoded, colon })
    }

    /// The user's name.
    pub(in crate::http) fn user(&self) -> &[u8] {
        &self.decoded[..self.colon]
    }

    /// The password.
    pub(in crate::http) fn password(&self) -> &[u8] {
        &self.decoded[self.colon + 1..]
    }
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
    &[Embedded::client("remote_user", "the user that Authorization: Basic names", |ex, cx, out| {
        Credentials::of(ex, cx).is_some_and(|credentials| put(out, Some(credentials.user())))
    })];

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
