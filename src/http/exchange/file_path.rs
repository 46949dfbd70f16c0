//! From a uri to a path of the file system: nginx's `ngx_http_map_uri_to_path`.

use super::cx::{Cx, Embedded};
use super::error_lines;
use super::state::Exchange;
use super::variables::put;
use crate::http::site::Location;
use crate::http::site::root::{ROOT, UriTail};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

impl Exchange {
    /// Whether a script has changed the uri, but not the location, whose `alias` takes the place of a part of the uri:
    /// there is no path.
    pub(in crate::http) fn has_lost_alias(&self, cx: &Cx) -> bool {
        self.target.is_out_of_place && self.location_of(cx).scope.get(&ROOT).is_alias()
    }

    /// The directory of the location's `root` or `alias`.
    pub fn document_root(&self, cx: &Cx) -> Vec<u8> {
        let mut root = Vec::new();
        directory(self, cx, self.location_of(cx), &mut root);
        root
    }

    /// Puts the directory that files of the location lie in into `out`, as far as the conf says it where an `alias` is
    /// made of variables: these may be all of a file's path.
    pub(super) fn root_for_links(&self, cx: &Cx, out: &mut Vec<u8>) {
        let location = self.location_of(cx);
        let root = location.scope.get(&ROOT);
        if !root.is_alias() || root.literal().is_some() {
            return directory(self, cx, location, out);
        }
        out.extend_from_slice(root.path().fixed_path());
    }

    /// The path of the uri in the current location becomes that of the look-up to come.
    pub(in crate::http) fn map_uri_to_path(&mut self, cx: &Cx) {
        let mut path = std::mem::take(&mut self.target.path);
        map(self, cx, self.location_of(cx), &mut path);
        self.target.path = path;
    }
}

/// Puts the directory of a location's `root` or `alias` into `out`, in the place of what it holds.
#[inline(always)]
pub(in crate::http) fn directory(ex: &Exchange, cx: &Cx, location: &Location, out: &mut Vec<u8>) {
    out.clear();
    if let Some(directory) = &location.rules.directory {
        return out.extend_from_slice(directory);
    }
    let root = location.scope.get(&ROOT);
    root.path().eval(ex, cx, out);
    if out.first() != Some(&b'/') {
        out.splice(0..0, root.prefix().iter().copied().chain(std::iter::once(b'/')));
    }
}

#[inline(always)]
fn map(ex: &Exchange, cx: &Cx, location: &Location, out: &mut Vec<u8>) {
    directory(ex, cx, location, out);
    let uri = &ex.target.uri;
    let tail = match location.uri_tail {
        UriTail::Nothing if !ex.target.add_uri_to_alias => &[],
        UriTail::After(prefix) => uri.get(prefix..).unwrap_or_default(),
        UriTail::Nothing | UriTail::Whole => &uri[..],
    };
    out.extend_from_slice(tail);
}

/// The variables that this file computes.
pub static VARIABLES: &[Embedded] = &[
    Embedded::ours("document_root", "the root or alias", |ex, cx, out| {
        out.extend_from_slice(&ex.document_root(cx));
        true
    }),
    Embedded::ours("realpath_root", "the root or alias, as links lead", |ex, cx, out| {
        // nginx keeps a failure for the request (ngx_http_get_indexed_variable).
        if ex.values.has_no_realpath.get() {
            return false;
        }
        let root = ex.document_root(cx);
        match std::fs::canonicalize(Path::new(OsStr::from_bytes(&root))) {
            Ok(path) => put(out, Some(path.as_os_str().as_bytes())),
            Err(error) => {
                ex.values.has_no_realpath.set(true);
                error_lines::no_realpath(ex, cx, &root, &error);
                false
            }
        }
    }),
    Embedded::client("request_filename", "path of the file for $uri", |ex, cx, out| {
        if ex.has_lost_alias(cx) {
            return false;
        }
        let mut path = Vec::new();
        map(ex, cx, ex.location_of(cx), &mut path);
        put(out, Some(&path))
    }),
];
