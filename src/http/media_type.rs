//! `types` and `default_type`: the media type of a response by the extension of its uri.

use super::exchange::{Cx, Exchange};
use super::mime::Types;
use crate::conf::{self, Contexts, Setting};
use std::sync::Arc;

const EVERYWHERE: Contexts = Contexts::HTTP.union(Contexts::SERVER).union(Contexts::LOCATION);

/// The table of one scope; without a `types` block, nginx's three.
#[derive(Debug)]
pub struct Table {
    types: Types<Arc<str>>,
    /// The conf has a block of its own here.
    said: bool,
}

impl Default for Table {
    fn default() -> Table {
        let mut types = Types::default();
        for (extension, media_type) in [("html", "text/html"), ("gif", "image/gif"), ("jpg", "image/jpeg")] {
            // Three short extensions fit.
            let _ = types.insert(extension.as_bytes(), Arc::from(media_type));
        }
        Table { types, said: false }
    }
}

pub static TYPES: Setting<Table> = Setting::many(&["types"], |args, table: &mut Table| {
    if !table.said {
        *table = Table { types: Types::default(), said: true };
    }
    for item in args.block() {
        let [media_type, extensions @ ..] = item.words.as_slice() else { continue };
        let name: Arc<str> = Arc::from(media_type.text.as_str());
        for extension in extensions {
            match table.types.insert(extension.text.as_bytes(), name.clone()) {
                Ok(None) => {}
                Ok(Some(previous)) => {
                    let extension = extension.text.to_ascii_lowercase();
                    args.warn_item(
                        item,
                        format!(
                            "duplicate extension \"{extension}\", content type: \"{name}\", \
                             previous content type: \"{previous}\""
                        ),
                    );
                }
                Err(_) => return Err(conf::Error::at(extension.span, "file name extension is too long")),
            }
        }
    }
    Ok(())
})
.contexts(EVERYWHERE)
.args(0, 0)
.takes_block()
.syntax("{ TYPE EXTENSION ...; ... }")
.about(
    "Media types by file name extension. A block replaces an outer one; without any, html, gif and jpg are known. See \
     conf/mime.types.",
);

pub static DEFAULT_TYPE: Setting<String> = Setting::one("default_type", |args| Ok(args.str(0)?.to_owned()))
    .contexts(EVERYWHERE)
    .args(1, 1)
    .syntax("TYPE")
    .default("text/plain")
    .about("The media type of what has no known extension.");

/// The media type of the response to the current uri; empty: none is sent.
pub(super) fn of<'a>(ex: &Exchange, cx: &Cx<'a>) -> &'a [u8] {
    let scope = &ex.location_of(cx).scope;
    let known = scope.get(&TYPES).types.get(&ex.uri).map(|media_type| media_type.as_bytes());
    known.unwrap_or_else(|| scope.get(&DEFAULT_TYPE).as_bytes())
}

pub static DIRECTIVES: &[&dyn conf::Entry] = &[&TYPES, &DEFAULT_TYPE];
