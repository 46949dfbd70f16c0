//! `try_files`, as nginx's `ngx_http_try_files_module.c`.

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, FileKind, Flow, Found, Lookup, directory, file_lines};
use crate::http::site::location::Location;
use crate::http::site::root::UriTail;
use crate::http::site::template::Template;

/// The names tried before the location's content is looked up.
pub static TRY_FILES: Setting<Option<TryFiles>> = Setting::one("try_files", TryFiles::parse)
    .contexts(Contexts::SERVER.union(Contexts::LOCATION))
    .args(2, usize::MAX)
    .syntax("FILE ... URI | =CODE | @NAME")
    .local()
    .about(
        "Serves the first of the named files that exists (a name that ends in a slash asks for a directory). The \
         last argument says what happens when none does: an internal redirect to a uri, a status (408, 444 and 499 \
         close the connection without a response), or a named location.",
    );

/// The parsed `try_files`.
#[derive(Debug)]
pub struct TryFiles {
    names: Vec<(Template, bool)>,
    fallback: Fallback,
}

#[derive(Debug)]
enum Fallback {
    Status(u16),
    /// A named location, without the `@`, and the place of its name.
    Named(String, conf::Span),
    /// A uri, or what variables may make a named location.
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
        let uri = |args: &mut conf::Args| Template::parse(args, last).map(Fallback::Uri);
        let fallback = if let Some(code) = text.strip_prefix('=') {
            match conf::parse_count(code) {
                // nginx takes this one for a uri.
                Some(0) => uri(args)?,
                Some(code @ 200..=999) => Fallback::Status(code as u16),
                _ => {
                    let error = args.bad(last, format!("invalid code \"{text}\""));
                    return Err(error.help("=STATUS, such as =404"));
                }
            }
        } else {
            match (uri(args)?, text.strip_prefix('@')) {
                (Fallback::Uri(template), Some(name)) if template.as_text().is_some() => {
                    Fallback::Named(name.to_owned(), args.span(last))
                }
                (uri, _) => uri,
            }
        };
        Ok(Some(TryFiles { names, fallback }))
    }

    /// The named location of the last argument, without the `@`, and its place.
    pub(in crate::http) fn named(&self) -> Option<(&str, conf::Span)> {
        match &self.fallback {
            Fallback::Named(name, span) => Some((name, *span)),
            _ => None,
        }
    }
}

/// Whether the location has a `try_files`.
pub(super) fn is_needed(location: &Location) -> bool {
    location.scope.get(&TRY_FILES).is_some()
}

/// Phase: looks the first name up.
pub(super) fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    match ex.location_of(cx).scope.get(&TRY_FILES) {
        Some(conf) => look_up(ex, cx, conf, 0),
        None => Flow::Next,
    }
}

/// The name of number `i` has been looked up: it is taken, or the next is tried.
pub(super) fn opened(ex: &mut Exchange, cx: &Cx, i: usize, result: Result<Found, i32>) -> Flow {
    let Some(conf) = ex.location_of(cx).scope.get(&TRY_FILES) else { return Flow::Next };
    match (result, conf.names.get(i)) {
        (Ok(found), Some((template, is_dir))) if (found.kind == FileKind::Dir) == *is_dir => {
            take(ex, cx, template, *is_dir)
        }
        (result, _) => {
            if let Err(errno) = result
                && !matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG)
            {
                file_lines::stat_failed(ex, cx, errno);
            }
            look_up(ex, cx, conf, i + 1)
        }
    }
}

/// Looks the name of number `i` up; behind the last name goes where the last argument leads.
fn look_up(ex: &mut Exchange, cx: &Cx, conf: &TryFiles, i: usize) -> Flow {
    if let Some((template, _)) = conf.names.get(i) {
        let mut path = std::mem::take(&mut ex.target.path);
        directory(ex, cx, ex.location_of(cx), &mut path);
        path.extend_from_slice(&try_name(ex, cx, template));
        ex.target.path = path;
        return Lookup::stat(i);
    }
    match &conf.fallback {
        Fallback::Status(status) => Flow::Answer(Answer::failure(*status)),
        Fallback::Named(name, _) => Flow::Named(name.clone()),
        Fallback::Uri(template) => {
            let name = try_name(ex, cx, template);
            if let Some(location) = name.strip_prefix(b"@") {
                return Flow::Named(String::from_utf8_lossy(location).into_owned());
            }
            ex.target.set_uri(&name);
            Flow::Redirect
        }
    }
}

/// The name that was found becomes the uri, behind the part of it that `alias` leaves out; the location stays.
fn take(ex: &mut Exchange, cx: &Cx, template: &Template, is_dir: bool) -> Flow {
    let name = try_name(ex, cx, template);
    match ex.location_of(cx).uri_tail {
        UriTail::Whole => ex.target.uri = name,
        UriTail::After(prefix) => {
            ex.target.uri.truncate(prefix);
            ex.target.uri.extend_from_slice(&name);
        }
        // nginx takes over the name of a file only.
        UriTail::Nothing if is_dir => {}
        UriTail::Nothing => (ex.target.uri, ex.target.add_uri_to_alias) = (name, true),
    }
    Flow::Next
}

/// The name of a `try_files` argument. One made of the uri begins with the location's prefix, which `alias` leaves out.
fn try_name(ex: &Exchange, cx: &Cx, template: &Template) -> Vec<u8> {
    let mut name = Vec::new();
    template.eval(ex, cx, &mut name);
    if let UriTail::After(len) = ex.location_of(cx).uri_tail
        && template.as_text().is_none()
        && ex.target.uri.get(..len).is_some_and(|prefix| name.starts_with(prefix))
    {
        name.drain(..len);
    }
    name
}

/// The directive of this module: `try_files`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&TRY_FILES];
