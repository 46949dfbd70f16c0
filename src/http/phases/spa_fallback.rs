//! `spa_fallback`: the page of an application answers for the addresses that are not files.
//!
//! nginx's `try_files $uri /index.html` does so for everything that is missing: the script of an old release, asked for
//! by a page that is open still, is then answered by HTML with status 200, which browsers and caches take for the
//! script.

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Cx, Exchange, Flow, media_type};
use crate::http::message::field::Id;
use crate::http::message::head::Method;
use crate::http::message::{asset_names, media_ranges};
use crate::http::site::template::Template;

/// `spa_fallback`: the uri of the page.
pub static SPA_FALLBACK: Setting<Option<Template>> = Setting::one("spa_fallback", |args| {
    let text = args.str(0)?;
    if text == "off" {
        return Ok(None);
    }
    if !text.starts_with(['/', '$']) {
        let error = args.bad(0, format!("\"spa_fallback\" must be a uri, and \"{text}\" does not begin with a slash"));
        return Err(error.help(format!("\"/{text}\"? It is the uri of the page, not its path on the disk")));
    }
    Template::parse(args, 0).map(Some)
})
.contexts(Contexts::HTTP_ALL)
.args(1, 1)
.syntax("URI | off")
.default("off")
.about(
    "Answers a navigation to what is not there with the page at URI, by an internal redirect and with status 200: the \
     application finds its way by the address. A navigation is a GET or HEAD for a uri without the extension of an \
     asset (one that `types`, or else drover's own table, has for something else than HTML, or `glsl`, `vue`, `php` \
     and their like) and without a segment that begins with a dot, that browsers call one (`Sec-Fetch-Mode`), or that \
     accepts text/html where the client does not say. All else that is missing stays a 404. Directories without an \
     index count as missing.",
);

/// The directive of this module: `spa_fallback`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&SPA_FALLBACK];

/// The way of a request whose file is missing; `None`: the error is the answer.
pub(super) fn instead_of_missing(ex: &mut Exchange, cx: &Cx) -> Option<Flow> {
    let template = ex.location_of(cx).scope.get(&SPA_FALLBACK).as_ref()?;
    if ex.error.status != 0 || !matches!(ex.head.method, Method::Get | Method::Head) {
        return None;
    }
    let mut uri = Vec::new();
    template.eval(ex, cx, &mut uri);
    let path = uri.split(|byte| *byte == b'?').next().unwrap_or_default();
    if path == ex.target.uri {
        return None;
    }
    ex.response.chosen_by = Some("Accept, Sec-Fetch-Mode");
    if is_asset(ex, cx) || !is_navigation(ex, cx) {
        return None;
    }
    ex.target.set_uri(&uri);
    Some(Flow::Redirect)
}

/// Whether the name of the uri is that of an asset. The table of the conf is asked first, and would not do alone:
/// nginx's mime.types knows no mjs, ttf or webmanifest.
fn is_asset(ex: &Exchange, cx: &Cx) -> bool {
    let uri = asset_names::without_parameters(&ex.target.uri);
    let is_of_page = |media_type: &str| media_type.starts_with("text/html");
    asset_names::has_hidden_segment(uri)
        || match media_type::known_for(ex, cx, uri) {
            Some(known) => !is_of_page(known),
            None => {
                asset_names::has_asset_name(uri)
                    || media_type::built_in_for(uri).is_some_and(|known| !is_of_page(known))
            }
        }
}

/// Whether the client follows a link, or would at least take a page.
fn is_navigation(ex: &Exchange, cx: &Cx) -> bool {
    match ex.head.all_of_variable(cx.input, b"sec_fetch_mode").next() {
        Some(mode) => mode == b"navigate",
        None => ex.head.list(cx.input, Id::Accept).is_none_or(|list| media_ranges::accept_html(&list)),
    }
}
