//! The charset of an answer, which its Content-Type names (`src/http/modules/ngx_http_charset_filter_module.c`).

use std::borrow::Cow;

use super::headers::no_line_breaks;
use super::media_types::MediaTypes;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Cx, Exchange, HttpConf, error_lines};
use crate::http::site::template::Template;

/// The name of a charset.
#[derive(Debug, Default)]
pub enum Charset {
    /// `off`, or nothing.
    #[default]
    Off,
    /// A name.
    Name(String),
    /// The variable whose value is the name.
    Variable(Template),
}

impl Charset {
    fn parse(args: &mut conf::Args) -> Result<Charset, conf::Error> {
        let name = args.str(0)?;
        if name.starts_with('$') {
            return Template::parse(args, 0).map(Charset::Variable);
        }
        Ok(Charset::Name(name.into()))
    }

    /// The name of the charset for this exchange.
    fn name<'s>(&'s self, ex: &Exchange, cx: &Cx) -> Option<Cow<'s, [u8]>> {
        match self {
            Charset::Off => None,
            Charset::Name(name) => Some(Cow::Borrowed(name.as_bytes())),
            Charset::Variable(template) => {
                let mut name = Vec::new();
                template.eval(ex, cx, &mut name);
                no_line_breaks(&mut name);
                Some(Cow::Owned(name))
            }
        }
    }
}

/// `charset`: the charset that clients are told.
pub static CHARSET: Setting<Charset> = Setting::one("charset", |args| match args.str(0)? {
    "off" => Ok(Charset::Off),
    _ => Charset::parse(args),
})
.contexts(Contexts::HTTP_AND_IF)
.args(1, 1)
.syntax("NAME | $VARIABLE | off")
.default("off")
.about(
    "The charset that Content-Type names, in answers of the types that charset_types says; redirects with 301 and 302 \
     have none.",
);

/// `source_charset`: the charset of the files.
pub static SOURCE_CHARSET: Setting<Charset> = Setting::one("source_charset", Charset::parse)
    .contexts(Contexts::HTTP_AND_IF)
    .args(1, 1)
    .syntax("NAME | $VARIABLE")
    .about("The charset of files and texts. One that is not that of `charset` is an error: drover does not convert.");

/// `override_charset`: whether the charset that an answer has already gives way.
pub static OVERRIDE_CHARSET: Setting<bool> =
    Setting::flag("override_charset").contexts(Contexts::HTTP_AND_IF).default("off").about(
        "Whether an answer with a charset of its own, as an XML list of `autoindex` is one, gets that of `charset`.",
    );

/// `charset_types`: the media types whose charset is named.
pub static CHARSET_TYPES: Setting<MediaTypes> =
    Setting::many(&["charset_types"], |args, types: &mut MediaTypes| types.add(args))
        .contexts(Contexts::HTTP_ALL)
        .args(1, usize::MAX)
        .syntax("TYPE ... | *")
        .about(
            "The media types that `charset` is for, besides text/html; `*`: all. By default text/html, text/xml, \
             text/plain, text/vnd.wap.wml, application/javascript and application/rss+xml.",
        );

const OWN_TYPES: &[&str] =
    &["text/html", "text/xml", "text/plain", "text/vnd.wap.wml", "application/javascript", "application/rss+xml"];

/// The directives of this module, but for `charset_map`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&CHARSET, &SOURCE_CHARSET, &OVERRIDE_CHARSET, &CHARSET_TYPES];

/// The value of Content-Type of an answer with this media type, whose status is set: with the name of a charset where
/// the conf says one.
#[inline]
pub(super) fn content_type<'t>(ex: &Exchange, cx: &Cx, media_type: &'t [u8]) -> Cow<'t, [u8]> {
    // Inlined: most locations say no charset.
    if matches!(ex.location_of(cx).scope.get(&CHARSET), Charset::Off) && ex.response.charset.is_none() {
        return Cow::Borrowed(media_type);
    }
    match name(ex, cx, media_type) {
        Some(name) => Cow::Owned([media_type, b"; charset=", &name].concat()),
        None => Cow::Borrowed(media_type),
    }
}

/// Whether an answer with this media type says that it is UTF-8.
pub(in crate::http) fn says_utf8(ex: &Exchange, cx: &Cx, media_type: &[u8]) -> bool {
    name(ex, cx, media_type).is_some_and(|name| name.eq_ignore_ascii_case(b"utf-8"))
}

/// The name of the charset (`ngx_http_charset_header_filter`).
fn name<'n>(ex: &Exchange, cx: &Cx<'n>, media_type: &[u8]) -> Option<Cow<'n, [u8]>> {
    let scope = &ex.location_of(cx).scope;
    let own = ex.response.charset.map(|name| Cow::Borrowed(name.as_bytes()));
    if media_type.is_empty() {
        return None;
    }
    let is_meant = match &own {
        Some(_) => *scope.get(&OVERRIDE_CHARSET),
        None => !matches!(scope.get(&CHARSET), Charset::Off) && scope.get(&CHARSET_TYPES).has(media_type, OWN_TYPES),
    };
    let Some(wanted) = Some(scope.get(&CHARSET)).filter(|_| is_meant).and_then(|charset| charset.name(ex, cx)) else {
        return own;
    };
    let source = own.clone().or_else(|| scope.get(&SOURCE_CHARSET).name(ex, cx));
    if let Some(source) = source.filter(|source| !source.eq_ignore_ascii_case(&wanted)) {
        error_lines::no_charset_map(ex, cx, &source, &wanted);
        return own;
    }
    // Netscape 4 took the charset of a redirect for that of the page behind it.
    Some(wanted).filter(|name| !name.is_empty() && !matches!(ex.response.status, 301 | 302))
}

/// Complains where a location names two charsets, which nothing converts (`ngx_http_charset_postconfiguration`).
pub(in crate::http) fn check(conf: &HttpConf, mistakes: &mut conf::Mistakes) {
    for location in conf.locations() {
        let scope = &location.scope;
        let (Charset::Name(source), Charset::Name(wanted)) = (scope.get(&SOURCE_CHARSET), scope.get(&CHARSET)) else {
            continue;
        };
        let said = scope.span_of(&SOURCE_CHARSET).or(scope.span_of(&CHARSET));
        if let Some(span) = said.filter(|_| !source.eq_ignore_ascii_case(wanted)) {
            let message = format!("no \"charset_map\" between the charsets \"{source}\" and \"{wanted}\"");
            mistakes.add(conf::Error::at(span, message).help("drover does not convert texts yet: convert the files"));
        }
    }
}
