//! `$invalid_referer`: whether a request comes from where `valid_referers` does not let it come from.

use super::cx::{Cx, Embedded};
use super::error_lines;
use super::state::Exchange;
use crate::http::message::field::Id;

fn invalid_referer(ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) -> bool {
    let referer = ex.head.known(cx.input, Id::Referer);
    match cx.conf.referers(ex.target.location).map(|referers| referers.allow(referer)) {
        Some(Ok(false)) => out.push(b'1'),
        Some(Ok(true)) | None => {}
        Some(Err(error)) => {
            error_lines::regex_failed(ex, cx, referer.unwrap_or_default(), &error);
            return false;
        }
    }
    true
}

/// The variables that this file computes.
pub static VARIABLES: &[Embedded] =
    &[Embedded::ours("invalid_referer", "empty if Referer is right by valid_referers, else 1", invalid_referer)];
