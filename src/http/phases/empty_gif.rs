//! `empty_gif`: a transparent pixel from memory (`src/http/modules/ngx_http_empty_gif_module.c`).

use crate::conf::{self, Contexts, Setting};
use crate::http::answer::conditions;
use crate::http::exchange::{Cx, Exchange, Flow};
use crate::http::message::head::Method;
use crate::http::site::location::Location;

/// `empty_gif`: whether the location answers with the pixel.
pub static EMPTY_GIF: Setting<bool> = Setting::one("empty_gif", |_| Ok(true))
    .contexts(Contexts::LOCATION)
    .args(0, 0)
    .syntax("")
    .local()
    .about("Answers with a transparent GIF of one pixel, from memory.");

/// The directive of this module: `empty_gif`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&EMPTY_GIF];

/// The smallest transparent GIF.
const PIXEL: &[u8] = b"GIF89a\x01\0\x01\0\x80\x01\0\0\0\0\xff\xff\xff\x21\xf9\x04\x01\0\0\x01\0\
    \x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x4c\x01\0\x3b";

/// The time that nginx says it is from: 28 September 1970, seconds since 1970.
const MODIFIED: i64 = 23_349_600;

/// Whether the location has the pixel, or the one that it stands in may have.
pub(super) fn is_needed(location: &Location) -> bool {
    location.within.is_some() || *location.scope.get(&EMPTY_GIF)
}

/// Phase: the pixel, where the location has one. An `if` keeps that of the location that it stands in.
pub(super) fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    let home = cx.conf.location(ex.location_of(cx).home());
    if !*home.scope.get(&EMPTY_GIF) {
        return Flow::Next;
    }
    if !matches!(ex.head.method, Method::Get | Method::Head) {
        return Flow::Answer(ex.response.refuse_method());
    }
    Flow::Answer(conditions::dated_text(ex, cx, PIXEL.to_vec(), "image/gif", MODIFIED))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_pixel_has_nginx_s_43_bytes() {
        assert_eq!(super::PIXEL.len(), 43);
    }
}
