//! `autoindex`: a page that lists a directory without an index (`src/http/modules/ngx_http_autoindex_module.c`).

use std::io::Write;

use crate::conf::{self, Contexts, Setting};
use crate::http::answer::conditions;
use crate::http::exchange::{Answer, Cx, Exchange, FileKind, Flow, Listed, Lookup, error_lines};
use crate::http::message::date;
use crate::http::message::head::Method;
use crate::http::message::uri::{self, Escape};
use crate::os::time::LocalTime;

/// `autoindex`: whether a directory without an index file is listed.
pub static AUTOINDEX: Setting<bool> = Setting::flag("autoindex").contexts(Contexts::HTTP_ALL).default("off").about(
    "Whether a uri that ends in a slash, and leads to a directory without an index file, gets a list of what the \
     directory holds. Names that begin with a dot are not listed.",
);

/// `autoindex_exact_size`: whether a list gives sizes in bytes, not rounded.
pub static AUTOINDEX_EXACT_SIZE: Setting<bool> = Setting::flag("autoindex_exact_size")
    .contexts(Contexts::HTTP_ALL)
    .default("on")
    .about("Whether `autoindex` gives sizes in bytes, not rounded to kilobytes, megabytes and gigabytes.");

/// `autoindex_localtime`: whether a list gives times in this machine's time zone, not in UTC.
pub static AUTOINDEX_LOCALTIME: Setting<bool> = Setting::flag("autoindex_localtime")
    .contexts(Contexts::HTTP_ALL)
    .default("off")
    .about("Whether `autoindex` gives times in this machine's time zone, not in UTC.");

/// The directives of this module, which decide whether and how directories are listed.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&AUTOINDEX, &AUTOINDEX_EXACT_SIZE, &AUTOINDEX_LOCALTIME];

/// The column in which times begin, counted from the names: longer names are cut.
const NAME_LEN: usize = 50;

/// Phase: asks for the entries of the directory, if the location lists.
pub(super) fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    let is_on = ex.target.uri.ends_with(b"/")
        && *ex.location_of(cx).scope.get(&AUTOINDEX)
        && matches!(ex.head.method, Method::Get | Method::Head);
    if !is_on {
        return Flow::Next;
    }
    ex.map_uri_to_path(cx);
    if ex.target.path.len() > 1 && ex.target.path.ends_with(b"/") {
        ex.target.path.pop();
    }
    Lookup::list()
}

/// The page of the entries, or the answer to the `errno` of opendir(3) or stat(2).
pub(super) fn listed(ex: &mut Exchange, cx: &Cx, _: usize, result: Result<Vec<Listed>, i32>) -> Flow {
    let mut entries = match result {
        Ok(entries) => entries,
        Err(errno) => {
            error_lines::list_failed(ex, cx, errno);
            return Flow::Answer(Answer::Error(match errno {
                libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG => 404,
                libc::EACCES => 403,
                _ => 500,
            }));
        }
    };
    entries.sort_by(|a, b| (a.kind != FileKind::Dir, &a.name).cmp(&(b.kind != FileKind::Dir, &b.name)));
    let scope = &ex.location_of(cx).scope;
    let (exact, local) = (*scope.get(&AUTOINDEX_EXACT_SIZE), *scope.get(&AUTOINDEX_LOCALTIME));
    Flow::Answer(conditions::text(ex, cx, page(&ex.target.uri, &entries, exact, local), Some("text/html")))
}

fn page(uri: &[u8], entries: &[Listed], exact: bool, local: bool) -> Vec<u8> {
    let mut out = b"<html>\r\n<head><title>Index of ".to_vec();
    uri::escape_html(&mut out, uri);
    out.extend_from_slice(b"</title></head>\r\n<body>\r\n<h1>Index of ");
    uri::escape_html(&mut out, uri);
    out.extend_from_slice(b"</h1><hr><pre><a href=\"../\">../</a>\r\n");
    for entry in entries {
        put_name(&mut out, entry);
        out.push(b' ');
        put_time(&mut out, entry.mtime, local);
        put_size(&mut out, entry, exact);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"</pre><hr></body>\r\n</html>\r\n");
    out
}

/// The link, and the space up to the column of times.
fn put_name(out: &mut Vec<u8>, entry: &Listed) {
    let is_dir = entry.kind == FileKind::Dir;
    out.extend_from_slice(b"<a href=\"");
    uri::escape(out, &entry.name, Escape::Component);
    out.extend_from_slice(if is_dir { b"/\">" } else { b"\">" });
    if let Some(cut) = entry.name.get(..NAME_LEN - 3).filter(|_| entry.name.len() > NAME_LEN) {
        uri::escape_html(out, cut);
        out.extend_from_slice(b"..&gt;</a>");
        return;
    }
    uri::escape_html(out, &entry.name);
    let mut len = entry.name.len();
    if is_dir && len < NAME_LEN {
        out.push(b'/');
        len += 1;
    }
    out.extend_from_slice(b"</a>");
    out.resize(out.len() + NAME_LEN - len, b' ');
}

/// `06-Nov-1994 08:49 `
fn put_time(out: &mut Vec<u8>, mtime: i64, local: bool) {
    // Local time is the time of UTC that reads the same.
    let shift = if local { i64::from(LocalTime::at(mtime).offset_minutes) * 60 } else { 0 };
    let text = date::format(mtime.saturating_add(shift));
    let (day, month, year, time) = (&text[5..7], &text[8..11], &text[12..16], &text[17..22]);
    out.extend_from_slice(&[day, month, year].join(&b"-"[..]));
    out.push(b' ');
    out.extend_from_slice(time);
    out.push(b' ');
}

fn put_size(out: &mut Vec<u8>, entry: &Listed, exact: bool) {
    let is_dir = entry.kind == FileKind::Dir;
    // Writing to a Vec does not fail.
    let _ = match (exact, is_dir, rounded(entry.len)) {
        (true, true, _) => write!(out, "{:>19}", '-'),
        (true, false, _) => write!(out, "{:>19}", entry.len),
        (false, true, _) => write!(out, "{:>7}", '-'),
        (false, false, (size, Some(unit))) => write!(out, "{size:>6}{unit}"),
        (false, false, (size, None)) => write!(out, "{size:>7}"),
    };
}

/// A size in the unit that keeps it short; rounded up from half a unit on.
fn rounded(len: u64) -> (u64, Option<char>) {
    const K: u64 = 1 << 10;
    let (unit, letter) = match len {
        0..10_000 => return (len, None),
        10_000..0x10_0000 => (K, 'K'),
        0x10_0000..0x4000_0000 => (K * K, 'M'),
        _ => (K * K * K, 'G'),
    };
    (len / unit + u64::from(len % unit >= unit / 2), Some(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_as_in_nginx() {
        let shown = |len| rounded(len);
        assert_eq!([0, 9_999, 10_000, 10_239, 10_240].map(shown).map(|(n, _)| n), [0, 9_999, 10, 10, 10]);
        assert_eq!(shown(10_751), (10, Some('K')));
        assert_eq!(shown(10_752), (11, Some('K')));
        assert_eq!(
            [(1 << 20) - 1, 1 << 20, (3 << 20) / 2].map(shown),
            [(1024, Some('K')), (1, Some('M')), (2, Some('M'))]
        );
        assert_eq!(
            [(1 << 30) - 1, 1 << 30, u64::MAX].map(shown),
            [(1024, Some('M')), (1, Some('G')), (1 << 34, Some('G'))]
        );
    }
}
