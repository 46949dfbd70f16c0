//! The charset of an answer: its Content-Type names it, and its body is converted where the conf says that files have
//! another (`src/http/modules/ngx_http_charset_filter_module.c`).

use std::borrow::Cow;
use std::sync::Arc;

use super::headers::no_line_breaks;
use super::media_types::MediaTypes;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::charset_map::Charsets;
use crate::http::exchange::{Coded, Cx, Exchange, HttpConf, error_lines};
use crate::http::message::charset::Table;
use crate::http::site::template::Template;

/// The name of a charset.
#[derive(Debug, Default)]
pub enum Charset {
    /// `off`, or nothing.
    #[default]
    Off,
    /// A name.
    Name(Arc<str>),
    /// The variable whose value is the name.
    Variable(Template),
}

impl Charset {
    fn parse(args: &mut conf::Args) -> Result<Charset, conf::Error> {
        let name = args.str(0)?;
        if name.starts_with('$') {
            return Template::parse(args, 0).map(Charset::Variable);
        }
        Ok(Charset::Name(args.notes::<Charsets>().name(name)))
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
     have none. Where source_charset is another, bodies are converted by a charset_map.",
);

/// `source_charset`: the charset of the files.
pub static SOURCE_CHARSET: Setting<Charset> = Setting::one("source_charset", Charset::parse)
    .contexts(Contexts::HTTP_AND_IF)
    .args(1, 1)
    .syntax("NAME | $VARIABLE")
    .about(
        "The charset of files and texts, from which they are converted into that of `charset`. Without it they are \
         taken to have the latter.",
    );

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

/// The charset of an answer: the name that is sent, and the table that the body passes.
#[derive(Default)]
struct Decision<'n> {
    name: Option<Cow<'n, [u8]>>,
    table: Option<&'n Arc<Table>>,
    /// The charsets that no table is between.
    missing: Option<[Cow<'n, [u8]>; 2]>,
}

/// The value of Content-Type of an answer with this media type, whose status is set: with the name of a charset where
/// the conf says one.
#[inline]
pub(super) fn content_type<'t>(ex: &Exchange, cx: &Cx, media_type: &'t [u8]) -> Cow<'t, [u8]> {
    // Inlined: most locations say no charset.
    if matches!(ex.location_of(cx).scope.get(&CHARSET), Charset::Off) && ex.response.charset.is_none() {
        return Cow::Borrowed(media_type);
    }
    let decision = decide(ex, cx, media_type);
    if let Some([source, wanted]) = &decision.missing {
        error_lines::no_charset_map(ex, cx, source, wanted);
    }
    match decision.name {
        Some(name) => Cow::Owned([media_type, b"; charset=", &name].concat()),
        None => Cow::Borrowed(media_type),
    }
}

/// Whether answers of one type name one charset in this scope, and are not converted.
pub(super) fn is_steady(scope: &conf::Scope) -> bool {
    matches!(scope.get(&CHARSET), Charset::Off | Charset::Name(_)) && matches!(scope.get(&SOURCE_CHARSET), Charset::Off)
}

/// Whether an answer with this media type says that it is UTF-8.
pub(in crate::http) fn says_utf8(ex: &Exchange, cx: &Cx, media_type: &[u8]) -> bool {
    decide(ex, cx, media_type).name.is_some_and(|name| name.eq_ignore_ascii_case(b"utf-8"))
}

/// The table that the body of an answer with this media type passes.
pub(super) fn table(ex: &Exchange, cx: &Cx, media_type: &[u8]) -> Option<Arc<Table>> {
    decide(ex, cx, media_type).table.cloned()
}

/// Decides the charset (`ngx_http_charset_header_filter`).
fn decide<'n>(ex: &Exchange, cx: &Cx<'n>, media_type: &[u8]) -> Decision<'n> {
    let scope = &ex.location_of(cx).scope;
    let own = ex.response.charset.map(|name| Cow::Borrowed(name.as_bytes()));
    if media_type.is_empty() {
        return Decision::default();
    }
    let is_meant = match &own {
        Some(_) => *scope.get(&OVERRIDE_CHARSET),
        None => !matches!(scope.get(&CHARSET), Charset::Off) && scope.get(&CHARSET_TYPES).has(media_type, OWN_TYPES),
    };
    let Some(wanted) = Some(scope.get(&CHARSET)).filter(|_| is_meant).and_then(|charset| charset.name(ex, cx)) else {
        return Decision { name: own, ..Decision::default() };
    };
    let source = own.clone().or_else(|| scope.get(&SOURCE_CHARSET).name(ex, cx));
    let mut table = None;
    if let Some(source) = source.filter(|source| !source.eq_ignore_ascii_case(&wanted)) {
        let charsets = cx.conf.charsets();
        table = charsets.table(&source, &wanted);
        let is_gzip = ex.response.codings.sent.is_some() && ex.response.codings.coded != Coded::Gunzip;
        // Bodies that are put together of several keep their charset.
        let stays = is_gzip || ex.added.is_wanted;
        if table.is_none() || stays {
            let is_meant = !stays || !charsets.knows(&source) || !charsets.knows(&wanted);
            return Decision { name: own, missing: is_meant.then_some([source, wanted]), table: None };
        }
    }
    // Netscape 4 took the charset of a redirect for that of the page behind it.
    let name = Some(wanted).filter(|name| !name.is_empty() && !matches!(ex.response.status, 301 | 302));
    Decision { name, table, missing: None }
}

/// Complains where a location names two charsets, which nothing converts (`ngx_http_charset_postconfiguration`).
pub(in crate::http) fn check(conf: &HttpConf, mistakes: &mut conf::Mistakes) {
    for location in conf.locations() {
        let scope = &location.scope;
        let (Charset::Name(source), Charset::Name(wanted)) = (scope.get(&SOURCE_CHARSET), scope.get(&CHARSET)) else {
            continue;
        };
        let said = scope.span_of(&SOURCE_CHARSET).or(scope.span_of(&CHARSET));
        let is_known = conf.charsets().table(source.as_bytes(), wanted.as_bytes()).is_some();
        if let Some(span) = said.filter(|_| !is_known && !source.eq_ignore_ascii_case(wanted)) {
            let message = format!("no \"charset_map\" between the charsets \"{source}\" and \"{wanted}\"");
            let help = format!("\"charset_map {source} {wanted} {{ ... }}\" in \"http\" says which byte becomes which");
            mistakes.add(conf::Error::at(span, message).misses("charset_map").help(help));
        }
    }
}
