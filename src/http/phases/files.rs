//! From a uri to a file: root, alias, index, try_files, and what each look-up's result means.
//! Follows nginx's `ngx_http_map_uri_to_path`, `ngx_http_index_module.c`, `ngx_http_try_files_module.c` and
//! `ngx_http_static_module.c`.

use crate::conf::{self, Contexts, Setting};
use crate::http::answer::response::{self, Answer};
use crate::http::exchange::error_lines;
use crate::http::exchange::{Cx, Exchange, Flow, Found, Kind};
use crate::http::message::head::Method;
use crate::http::message::uri::{self, Escape};
use crate::http::phases::autoindex;
use crate::http::site::template::Template;
use crate::http::site::{Location, Pattern};

/// What a look-up is for, and so what its result leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The response itself.
    Content,
    /// The index file of this number.
    Index(usize),
    /// Whether the directory of an index that was not found is there at all.
    IndexDir,
    /// The contents of a directory without an index.
    List,
    /// The `try_files` argument of this number; `dir`: it must be a directory.
    Try { i: usize, dir: bool },
}

/// What of a uri `root` or `alias` puts behind its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// All of it: that is `root`.
    All,
    /// What follows so many bytes: the prefix of the location that says `alias`.
    Behind(usize),
    /// Nothing: the location that says `alias` is a regex.
    Nothing,
}

/// Where files are looked for.
#[derive(Debug, Default)]
pub struct Root {
    /// The directory, or what takes the place of the location's prefix.
    path: Template,
    /// As the conf says it.
    said: String,
    span: Option<conf::Span>,
    /// `alias` was said, not `root`.
    alias: bool,
    /// What a path with variables is relative to.
    prefix: Vec<u8>,
}

const EVERYWHERE: Contexts = Contexts::HTTP.union(Contexts::SERVER).union(Contexts::LOCATION);

/// `root` and `alias` are two spellings of one setting: the inner replaces the outer.
pub static ROOT: Setting<Root> = Setting::many(&["root", "alias"], |args, root: &mut Root| {
    let alias = args.name() == "alias";
    if alias && !args.context().contains(Contexts::LOCATION) {
        return Err(args.directive("is not allowed here"));
    }
    if root.is_said() {
        return Err(match (alias, root.alias) {
            (true, false) => args.duplicate("is duplicate, \"root\" directive was specified earlier"),
            (false, true) => args.duplicate("is duplicate, \"alias\" directive was specified earlier"),
            _ => args.duplicate("is duplicate"),
        });
    }
    let prefix = args.prefix().to_owned();
    let mut text = args.str(0)?.to_owned();
    if !alias && text.len() > 1 && text.ends_with('/') {
        text.pop();
    }
    if !text.starts_with(['/', '$']) {
        text = format!("{}/{text}", prefix.trim_end_matches('/'));
    }
    let path = Template::parse_text(args, 0, &text)?;
    // Their values are made of this very path.
    let own = ["document_root", "request_filename"];
    if let Some(name) = path.variables().find(|name| own.contains(name)) {
        let message = format!("the ${name} variable cannot be used in the \"{}\" directive", args.name());
        return Err(args.bad(0, message));
    }
    *root = Root { path, said: args.str(0)?.to_owned(), span: Some(args.span(0)), alias, prefix: prefix.into_bytes() };
    Ok(())
})
.contexts(EVERYWHERE)
.args(1, 1)
.syntax("PATH")
.default("html")
.about(
    "The directory that holds the files: `root` puts the whole uri behind it, `alias` (in a location only) what of the \
     uri follows the location's prefix. A relative path starts at the prefix: that is `-p`, else DIR for a conf \
     DIR/conf/FILE, else the working directory. May hold variables.",
);

/// The names tried for a uri that ends in a slash.
pub static INDEX: Setting<Vec<Template>> = Setting::many(&["index"], |args, names: &mut Vec<Template>| {
    for i in 0..args.len() {
        let name = args.str(i)?;
        if name.is_empty() {
            return Err(args.bad(i, "index \"\" in \"index\" directive is invalid"));
        }
        if name.starts_with('/') && i + 1 < args.len() {
            args.warn(i, "only the last index in \"index\" directive should be absolute");
        }
        names.push(Template::parse(args, i)?);
    }
    Ok(())
})
.contexts(EVERYWHERE)
.args(1, usize::MAX)
.syntax("FILE ...")
.default("index.html")
.about("The files tried in this order for a uri that ends in a slash. The last may be a uri that starts with a slash.");

/// The names tried before the location's content is looked up.
pub static TRY_FILES: Setting<Option<TryFiles>> = Setting::one("try_files", TryFiles::parse)
    .contexts(Contexts::SERVER.union(Contexts::LOCATION))
    .args(2, usize::MAX)
    .syntax("FILE ... URI | =CODE | @NAME")
    .local()
    .about(
        "Serves the first of the named files that exists (a name that ends in a slash asks for a directory). The last \
         argument says what happens when none does: an internal redirect to a uri, a status (408, 444 and 499 close the \
         connection without a response), or a named location.",
    );

/// Only internal redirects may come here.
pub static INTERNAL: Setting<bool> = Setting::one("internal", |_| Ok(true))
    .contexts(Contexts::LOCATION)
    .args(0, 0)
    .syntax("")
    .about("The location, and those in it, answer internal redirects only (error_page, try_files, index); anyone else gets a 404.");

/// Whether runs of slashes count as one.
pub static MERGE_SLASHES: Setting<bool> = Setting::one("merge_slashes", |args| args.flag(0))
    .contexts(Contexts::HTTP.union(Contexts::SERVER))
    .args(1, 1)
    .syntax("on | off")
    .default("on")
    .about("Whether a run of slashes in a uri counts as one.");

/// Whether a missing file is worth a line in the error log.
pub static LOG_NOT_FOUND: Setting<bool> = Setting::one("log_not_found", |args| args.flag(0))
    .contexts(EVERYWHERE)
    .args(1, 1)
    .syntax("on | off")
    .default("on")
    .about("Whether a file that is not found is worth a line in the error log.");

pub static DIRECTIVES: &[&dyn conf::Entry] = &[&ROOT, &INDEX, &TRY_FILES, &INTERNAL, &MERGE_SLASHES, &LOG_NOT_FOUND];

/// The parsed `try_files`.
#[derive(Debug)]
pub struct TryFiles {
    names: Vec<(Template, bool)>,
    fallback: Fallback,
}

#[derive(Debug)]
enum Fallback {
    Status(u16),
    /// With the place of the name.
    Named(String, conf::Span),
    Uri(Template),
}

impl TryFiles {
    fn parse(args: &mut conf::Args) -> Result<Option<TryFiles>, conf::Error> {
        let last = args.len() - 1;
        let mut names = Vec::with_capacity(last);
        for i in 0..last {
            let text = args.str(i)?.to_owned();
            let dir = text.len() > 1 && text.ends_with('/');
            let text = if dir { &text[..text.len() - 1] } else { &text[..] };
            names.push((Template::parse_text(args, i, text)?, dir));
        }
        let text = args.str(last)?.to_owned();
        let fallback = if let Some(code) = text.strip_prefix('=') {
            match conf::parse_count(code) {
                // nginx takes this one for a uri.
                Some(0) => Fallback::Uri(Template::parse(args, last)?),
                Some(code @ 200..=999) => Fallback::Status(code as u16),
                _ => return Err(args.bad(last, format!("invalid code \"{text}\""))),
            }
        } else if let Some(name) = text.strip_prefix('@') {
            Fallback::Named(name.to_owned(), args.span(last))
        } else {
            Fallback::Uri(Template::parse(args, last)?)
        };
        Ok(Some(TryFiles { names, fallback }))
    }

    /// The named location that it leads to in the end, without the `@`, and where it stands.
    pub(in crate::http) fn named(&self) -> Option<(&str, conf::Span)> {
        match &self.fallback {
            Fallback::Named(name, span) => Some((name, *span)),
            _ => None,
        }
    }
}

impl Root {
    fn is_said(&self) -> bool {
        self.path.as_text() != Some(b"")
    }

    /// The argument, as it stands in the conf, and where.
    pub(in crate::http) fn said(&self) -> (&str, conf::Span) {
        (&self.said, self.span.unwrap_or(conf::Span::NOWHERE))
    }

    /// The path, when it holds no variable.
    pub(in crate::http) fn literal(&self) -> Option<&str> {
        std::str::from_utf8(self.path.as_text()?).ok()
    }

    /// What of a uri is put behind the path, if a location of this `pattern` says so.
    pub fn rest(&self, pattern: &Pattern) -> Rest {
        match pattern {
            Pattern::Prefix(prefix) | Pattern::Exact(prefix) if self.alias => Rest::Behind(prefix.len()),
            Pattern::Regex if self.alias => Rest::Nothing,
            _ => Rest::All,
        }
    }

    /// The path by itself, in the place of what `out` holds.
    fn path(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) {
        out.clear();
        self.path.eval(ex, cx, out);
        if out.first() != Some(&b'/') {
            out.splice(0..0, self.prefix.iter().copied().chain(std::iter::once(b'/')));
        }
    }

    /// The directory by itself, for `$document_root`.
    pub fn document_root(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) {
        self.path.eval(ex, cx, out);
    }
}

/// The path of the exchange's uri in this location, into `out`: `ngx_http_map_uri_to_path`.
pub(in crate::http) fn map(ex: &Exchange, cx: &Cx, location: &Location, out: &mut Vec<u8>) {
    location.scope.get(&ROOT).path(ex, cx, out);
    let rest = match location.rest {
        Rest::Nothing if !ex.add_uri_to_alias => &[],
        Rest::Behind(prefix) => ex.uri.get(prefix..).unwrap_or_default(),
        Rest::Nothing | Rest::All => &ex.uri[..],
    };
    out.extend_from_slice(rest);
}

/// Whether an alias would lead to a sibling of its directory: `location /i { alias /img/; }` fits `/i../x`, a segment that
/// normalisation leaves alone, and the file would be `/img/../x`. nginx serves it.
pub(in crate::http) fn leaves_alias(ex: &Exchange, location: &Location) -> bool {
    let Rest::Behind(prefix) = location.rest else { return false };
    let rest = ex.uri.get(prefix..).and_then(|rest| rest.strip_prefix(b".."));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
}

/// The path of the uri in the current location becomes the exchange's.
fn map_current(ex: &mut Exchange, cx: &Cx) {
    let mut path = std::mem::take(&mut ex.path);
    map(ex, cx, ex.location_of(cx), &mut path);
    ex.path = path;
}

/// The try_files phase, from argument `from` on.
pub(in crate::http) fn try_files(ex: &mut Exchange, cx: &Cx, from: usize) -> Flow {
    let location = ex.location_of(cx);
    let Some(conf) = location.scope.get(&TRY_FILES) else {
        return Flow::Next;
    };
    if let Some((template, dir)) = conf.names.get(from) {
        let mut path = std::mem::take(&mut ex.path);
        location.scope.get(&ROOT).path(ex, cx, &mut path);
        path.extend_from_slice(&try_name(ex, cx, template));
        ex.path = path;
        return Flow::Lookup(Purpose::Try { i: from, dir: *dir });
    }
    match &conf.fallback {
        Fallback::Status(status) => Flow::Answer(Answer::failure(*status)),
        Fallback::Named(name, _) => ex.enter_named(cx, name),
        Fallback::Uri(template) => {
            let mut name = Vec::new();
            template.eval(ex, cx, &mut name);
            set_uri(ex, &name);
            ex.redirect_to(cx)
        }
    }
}

/// The name of a `try_files` argument. One made of the uri begins with the location's prefix, which `alias` leaves out.
fn try_name(ex: &Exchange, cx: &Cx, template: &Template) -> Vec<u8> {
    let mut name = Vec::new();
    template.eval(ex, cx, &mut name);
    if let Rest::Behind(len) = ex.location_of(cx).rest
        && template.as_text().is_none()
        && ex.uri.get(..len).is_some_and(|prefix| name.starts_with(prefix))
    {
        name.drain(..len);
    }
    name
}

/// Splits `target` into the exchange's uri and its query.
pub(in crate::http) fn set_uri(ex: &mut Exchange, target: &[u8]) {
    let (path, query) = match memchr::memchr(b'?', target) {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, [].as_slice()),
    };
    ex.uri.clear();
    ex.uri.extend_from_slice(path);
    ex.args.clear();
    ex.args.extend_from_slice(query);
}

/// The content phase: an index for a uri that ends in a slash, else the file itself.
pub(in crate::http) fn content(ex: &mut Exchange, cx: &Cx) -> Flow {
    if !matches!(ex.head.method, Method::Get | Method::Head | Method::Post) {
        return Flow::Answer(ex.response.refuse_method());
    }
    if ex.uri.ends_with(b"/") {
        return index(ex, cx, 0);
    }
    map_current(ex, cx);
    Flow::Lookup(Purpose::Content)
}

fn index(ex: &mut Exchange, cx: &Cx, from: usize) -> Flow {
    let location = ex.location_of(cx);
    let names = location.scope.get(&INDEX);
    map_current(ex, cx);
    let Some(template) = names.get(from) else {
        if let Some(flow) = autoindex::list(ex, cx) {
            return flow;
        }
        error_lines::directory_forbidden(ex, cx);
        return Flow::Answer(Answer::Error(403));
    };
    let mut path = std::mem::take(&mut ex.path);
    let dir_len = path.len();
    template.eval(ex, cx, &mut path);
    if path.get(dir_len) == Some(&b'/') {
        ex.uri.clear();
        ex.uri.extend_from_slice(&path[dir_len..]);
        ex.path = path;
        return ex.redirect_to(cx);
    }
    ex.path = path;
    Flow::Lookup(Purpose::Index(from))
}

/// What the result of a look-up leads to.
pub(in crate::http) fn opened(ex: &mut Exchange, cx: &Cx, purpose: Purpose, result: Result<Found, i32>) -> Flow {
    match purpose {
        Purpose::Content => content_opened(ex, cx, result),
        Purpose::Index(i) => index_opened(ex, cx, i, result),
        Purpose::IndexDir => match result {
            Ok(found) if found.kind == Kind::Dir => index(ex, cx, 1),
            Ok(_) => Flow::Answer(Answer::Error(404)),
            Err(errno) => not_opened(ex, cx, errno),
        },
        // Reported otherwise: see `autoindex`.
        Purpose::List => Flow::Answer(Answer::Error(500)),
        Purpose::Try { i, dir } => match result {
            Ok(found) if (found.kind == Kind::Dir) == dir => take_try(ex, cx, i),
            _ => try_files(ex, cx, i + 1),
        },
    }
}

/// The name that `try_files` found becomes the uri, with what `alias` has left out of it in front; the location stays.
fn take_try(ex: &mut Exchange, cx: &Cx, i: usize) -> Flow {
    let location = ex.location_of(cx);
    let Some((template, dir)) = location.scope.get(&TRY_FILES).as_ref().and_then(|conf| conf.names.get(i)) else {
        return Flow::Answer(Answer::Error(500));
    };
    let name = try_name(ex, cx, template);
    match location.rest {
        Rest::All => ex.uri = name,
        Rest::Behind(prefix) => {
            ex.uri.truncate(prefix);
            ex.uri.extend_from_slice(&name);
        }
        // nginx takes over the name of a file only.
        Rest::Nothing if *dir => {}
        Rest::Nothing => (ex.uri, ex.add_uri_to_alias) = (name, true),
    }
    Flow::Next
}

fn index_opened(ex: &mut Exchange, cx: &Cx, i: usize, result: Result<Found, i32>) -> Flow {
    match result {
        Ok(_) => {
            let location = ex.location_of(cx);
            let mut uri = std::mem::take(&mut ex.uri);
            if let Some(template) = location.scope.get(&INDEX).get(i) {
                template.eval(ex, cx, &mut uri);
            }
            ex.uri = uri;
            ex.redirect_to(cx)
        }
        Err(libc::ENOENT | libc::ENOTDIR) if i == 0 => {
            map_current(ex, cx);
            Flow::Lookup(Purpose::IndexDir)
        }
        Err(libc::ENOENT | libc::ENOTDIR) => index(ex, cx, i + 1),
        Err(errno) => not_opened(ex, cx, errno),
    }
}

fn content_opened(ex: &mut Exchange, cx: &Cx, result: Result<Found, i32>) -> Flow {
    match result {
        Ok(found) if found.kind == Kind::Dir => Flow::Answer(directory_redirect(ex)),
        Ok(_) if ex.head.method == Method::Post => Flow::Answer(ex.response.refuse_method()),
        Ok(found) if found.kind == Kind::File => Flow::Answer(response::negotiate(ex, cx, found)),
        Ok(_) => {
            error_lines::not_regular(ex, cx);
            Flow::Answer(Answer::Error(404))
        }
        Err(errno) => not_opened(ex, cx, errno),
    }
}

/// A directory is sent to its name with a slash, so that the relative links of its index work.
fn directory_redirect(ex: &Exchange) -> Answer {
    let mut target = Vec::with_capacity(ex.uri.len() + ex.args.len() + 2);
    uri::escape(&mut target, &ex.uri, Escape::Path);
    target.push(b'/');
    if !ex.args.is_empty() {
        target.push(b'?');
        target.extend_from_slice(&ex.args);
    }
    Answer::Redirect { status: 301, target }
}

fn not_opened(ex: &Exchange, cx: &Cx, errno: i32) -> Flow {
    error_lines::open_failed(ex, cx, errno);
    Flow::Answer(Answer::Error(match errno {
        libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG => 404,
        libc::EACCES | libc::EPERM | libc::ELOOP => 403,
        _ => 500,
    }))
}
