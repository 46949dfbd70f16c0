//! The built-in pages, as in nginx's `ngx_http_special_response.c`.

use super::server_tokens::product;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Cx, Exchange};
use crate::http::message::field::Id;
use crate::http::message::uri::{self, Escape};
use crate::http::message::{browser, status};

/// `msie_padding`: whether built-in error pages are padded for old browsers that replace short pages.
pub static MSIE_PADDING: Setting<bool> = Setting::flag("msie_padding")
    .contexts(Contexts::HTTP_ALL)
    .default("on")
    .about("Whether the built-in error pages are padded for browsers that replace short ones.");

/// `msie_refresh`: whether old browsers are sent on by a page instead of a redirect.
pub static MSIE_REFRESH: Setting<bool> = Setting::flag("msie_refresh")
    .contexts(Contexts::HTTP_ALL)
    .default("off")
    .about("Whether Internet Explorer up to version 10 gets a page that sends it on instead of a 301 or 302.");

/// Appends the built-in page for a status; `false`: there is none.
pub(super) fn write(ex: &Exchange, cx: &Cx, status: u16, page: &mut Vec<u8>) -> bool {
    let scope = &ex.location_of(cx).scope;
    let wants_padding = |agent| browser::is_msie(agent) || browser::is_chrome(agent);
    let padding = *scope.get(&MSIE_PADDING) && ex.head.known(cx.input, Id::UserAgent).is_some_and(wants_padding);
    status::page(page, status, product(scope), padding)
}

/// The page that stands for a redirect with this status, if the client gets one (`ngx_http_send_refresh`).
pub(super) fn refresh(ex: &Exchange, cx: &Cx, status: u16) -> Option<Vec<u8>> {
    if !matches!(status, 301 | 302) || !*ex.location_of(cx).scope.get(&MSIE_REFRESH) {
        return None;
    }
    let target = ex.response.location.as_ref()?;
    ex.head.known(cx.input, Id::UserAgent).filter(|agent| browser::is_msie(agent))?;
    let mut page = b"<html><head><meta http-equiv=\"Refresh\" content=\"0; URL=".to_vec();
    uri::escape(&mut page, target, Escape::Refresh);
    page.extend_from_slice(b"\"></head><body></body></html>\r\n");
    Some(page)
}

/// The directives of this module: `msie_padding` and `msie_refresh`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&MSIE_PADDING, &MSIE_REFRESH];
