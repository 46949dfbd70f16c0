//! `random_index`: a random file of a directory in the place of its index
//! (`src/http/modules/ngx_http_random_index_module.c`).

use std::hash::BuildHasher;

use super::autoindex;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Cx, Exchange, FileKind, Flow, Listed, Lookup};
use crate::http::message::head::Method;
use crate::http::site::location::Location;

/// `random_index`: whether a uri that ends in a slash gets a random file.
pub static RANDOM_INDEX: Setting<bool> =
    Setting::flag("random_index").contexts(Contexts::LOCATION).default("off").about(
        "Whether a uri that ends in a slash gets a file of the directory that is drawn anew for each request, in the \
         place of an `index`. Names that begin with a dot are left out; a directory without files is answered as \
         without this.",
    );

/// The directive of this module: `random_index`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&RANDOM_INDEX];

/// Whether the location draws a file.
pub(super) fn is_needed(location: &Location) -> bool {
    *location.scope.get(&RANDOM_INDEX)
}

/// Phase: asks for the entries of the directory, if the location draws among them.
pub(super) fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    let is_on = ex.target.uri.ends_with(b"/")
        && *ex.location_of(cx).scope.get(&RANDOM_INDEX)
        && matches!(ex.head.method, Method::Get | Method::Head | Method::Post);
    if !is_on {
        return Flow::Next;
    }
    autoindex::map_to_directory(ex, cx);
    Lookup::names()
}

/// The file that was drawn becomes the uri.
pub(super) fn listed(ex: &mut Exchange, cx: &Cx, _: usize, result: Result<Vec<Listed>, i32>) -> Flow {
    let mut entries = match result {
        Ok(entries) => entries,
        Err(errno) => return autoindex::failed(ex, cx, errno),
    };
    entries.retain(|entry| entry.kind == FileKind::File);
    if entries.is_empty() {
        return Flow::Next;
    }
    // Each hasher has keys of its own, also in workers that were forked alike: the numbers of their connections differ.
    let drawn = foldhash::quality::RandomState::default().hash_one((cx.clock.unix_ms(), cx.conn.number));
    ex.target.uri.extend_from_slice(&entries[(drawn % entries.len() as u64) as usize].name);
    Flow::Redirect
}
