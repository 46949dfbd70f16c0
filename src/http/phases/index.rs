//! `index`: the files tried for a uri that ends in a slash, as in nginx's `ngx_http_index_module.c`.

use super::spa_fallback;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, FileKind, Flow, Found, Lookup, file_lines};
use crate::http::message::head::Method;
use crate::http::site::template::Template;

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
.contexts(Contexts::HTTP_ALL)
.args(1, usize::MAX)
.syntax("FILE ...")
.default("index.html")
.about("The files tried in this order for a uri that ends in a slash. The last may be a uri that starts with a slash.");

/// The mark of the look-up of the directory itself; other marks are numbers of names.
const DIRECTORY: usize = usize::MAX;

/// Phase: looks the first name up.
pub(super) fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    if !ex.target.uri.ends_with(b"/") || !matches!(ex.head.method, Method::Get | Method::Head | Method::Post) {
        return Flow::Next;
    }
    look_up(ex, cx, 0)
}

/// The file that is there becomes the uri. Where the first name is missing, the directory is looked up before the next
/// name: without it, there is no use in trying.
pub(super) fn opened(ex: &mut Exchange, cx: &Cx, step: usize, result: Result<Found, i32>) -> Flow {
    match result {
        Ok(found) if step == DIRECTORY && found.kind == FileKind::Dir => look_up(ex, cx, 1),
        Ok(_) if step == DIRECTORY => {
            spa_fallback::instead_of_missing(ex, cx).unwrap_or(Flow::Answer(Answer::Error(404)))
        }
        Ok(_) => {
            let location = ex.location_of(cx);
            let mut uri = std::mem::take(&mut ex.target.uri);
            if let Some(template) = location.scope.get(&INDEX).get(step) {
                template.eval(ex, cx, &mut uri);
            }
            ex.target.uri = uri;
            Flow::Redirect
        }
        Err(libc::ENOENT) if step == 0 => {
            ex.map_uri_to_path(cx);
            Lookup::stat(DIRECTORY)
        }
        Err(libc::ENOENT) if step != DIRECTORY => look_up(ex, cx, step + 1),
        Err(errno @ (libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG)) => missing(ex, cx, step, errno),
        // The names in it may be there.
        Err(libc::EACCES) if step == DIRECTORY => look_up(ex, cx, 1),
        Err(libc::EACCES) => {
            file_lines::index_forbidden(ex, cx);
            Flow::Answer(Answer::Error(403))
        }
        // nginx says nothing of a link that is not followed.
        Err(libc::ELOOP | libc::EMLINK) => Flow::Answer(Answer::Error(403)),
        Err(errno) => {
            file_lines::stat_failed(ex, cx, errno);
            Flow::Answer(Answer::Error(500))
        }
    }
}

/// There is no such directory: where the page of an application answers for what is missing, that.
fn missing(ex: &mut Exchange, cx: &Cx, step: usize, errno: i32) -> Flow {
    if let Some(flow) = spa_fallback::instead_of_missing(ex, cx) {
        return flow;
    }
    let mut path = ex.target.path.clone();
    if step == DIRECTORY
        && let Some(first) = ex.location_of(cx).scope.get(&INDEX).first()
    {
        first.eval(ex, cx, &mut path);
    }
    file_lines::index_missing(ex, cx, &path, errno);
    Flow::Answer(Answer::Error(404))
}

fn look_up(ex: &mut Exchange, cx: &Cx, i: usize) -> Flow {
    let Some(template) = ex.location_of(cx).scope.get(&INDEX).get(i) else { return Flow::Next };
    ex.map_uri_to_path(cx);
    let mut path = std::mem::take(&mut ex.target.path);
    let dir_len = path.len();
    template.eval(ex, cx, &mut path);
    let is_absolute = path.get(dir_len) == Some(&b'/');
    if is_absolute {
        ex.target.uri.clear();
        ex.target.uri.extend_from_slice(&path[dir_len..]);
    }
    ex.target.path = path;
    if is_absolute { Flow::Redirect } else { Lookup::stat(i) }
}

/// The directive of this module: `index`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&INDEX];
