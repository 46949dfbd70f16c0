//! The built-in pages, as in nginx's `ngx_http_special_response.c`.

use super::server_tokens::product;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Cx, Exchange};
use crate::http::message::field::Id;
use crate::http::message::status;

/// `msie_padding`: whether built-in error pages are padded for old browsers that replace short pages.
pub static MSIE_PADDING: Setting<bool> = Setting::flag("msie_padding")
    .contexts(Contexts::HTTP_ALL)
    .default("on")
    .about("Whether the built-in error pages are padded for browsers that replace short ones.");

/// Appends the built-in page for a status; `false`: there is none.
pub(super) fn write(ex: &Exchange, cx: &Cx, status: u16, page: &mut Vec<u8>) -> bool {
    let scope = &ex.location_of(cx).scope;
    let padding =
        *scope.get(&MSIE_PADDING) && ex.head.known(cx.input, Id::UserAgent).is_some_and(status::wants_padding);
    status::page(page, status, product(scope), padding)
}

/// The directive of this module: `msie_padding`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&MSIE_PADDING];
