//! `types` and `default_type`: the media type of a response by the extension of its uri.

use super::cx::Cx;
use super::state::Exchange;
use crate::conf::{self, Contexts, Setting};
use crate::http::message::mime::Types;
use std::sync::{Arc, LazyLock};

/// The text of the table that holds where no `types` block does.
pub const BUILT_IN: &str = include_str!("../../../conf/mime.types");

/// The table of one scope.
#[derive(Debug, Default)]
pub enum Table {
    /// No block says anything. nginx knows html, gif and jpg then, and sends a style sheet as text/plain, which no
    /// browser applies.
    #[default]
    BuiltIn,
    /// The `types` blocks of the scope.
    Said(Types<Arc<str>>),
}

impl Table {
    fn get(&self, uri: &[u8]) -> Option<&str> {
        match self {
            Table::BuiltIn => built_in().get(uri).copied(),
            Table::Said(types) => types.get(uri).map(|media_type| &**media_type),
        }
    }
}

/// The table of [`BUILT_IN`], which needs no quotes and includes nothing.
fn built_in() -> &'static Types<&'static str> {
    static TABLE: LazyLock<Types<&'static str>> = LazyLock::new(|| {
        let block = BUILT_IN.split_once("types {").map_or("", |(_, block)| block);
        let code: Vec<&str> = block.lines().filter_map(|line| line.split('#').next()).collect();
        let mut types = Types::default();
        for statement in code.iter().flat_map(|line| line.split([';', '}'])) {
            let mut words = statement.split_whitespace();
            let Some(media_type) = words.next() else { continue };
            for extension in words {
                // The names in the file are short enough; a test compares the tables.
                let _ = types.insert(extension.as_bytes(), media_type);
            }
        }
        types
    });
    &TABLE
}

/// `types`: the media types, by the extension of a file's name.
pub static TYPES: Setting<Table> = Setting::many(&["types"], |args, table: &mut Table| {
    if matches!(table, Table::BuiltIn) {
        *table = Table::Said(Types::default());
    }
    let Table::Said(types) = table else { return Ok(()) };
    for item in args.block() {
        let [media_type, extensions @ ..] = item.words.as_slice() else { continue };
        let name: Arc<str> = Arc::from(media_type.text.as_str());
        for extension in extensions {
            match types.insert(extension.text.as_bytes(), name.clone()) {
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
.contexts(Contexts::HTTP_ALL)
.args(0, 0)
.takes_block()
.syntax("{ TYPE EXTENSION ...; ... }")
.about(
    "Media types by file name extension. A block replaces an outer one; without any, those of conf/mime.types hold, \
     and an include of a mime.types that is not there means the same.",
);

/// `default_type`: the media type of a response whose uri has no known extension.
pub static DEFAULT_TYPE: Setting<String> = Setting::one("default_type", |args| Ok(args.str(0)?.to_owned()))
    .contexts(Contexts::HTTP_ALL)
    .args(1, 1)
    .syntax("TYPE")
    .default("text/plain")
    .about("The media type of what has no known extension.");

/// The media type of the response to the current uri; empty: none is sent.
pub(in crate::http) fn of<'a>(ex: &Exchange, cx: &Cx<'a>) -> &'a [u8] {
    let scope = &ex.location_of(cx).scope;
    scope.get(&TYPES).get(&ex.target.uri).map_or_else(|| scope.get(&DEFAULT_TYPE).as_bytes(), str::as_bytes)
}

/// The media type that `types` has for the extension of the current uri.
pub(in crate::http) fn known<'a>(ex: &Exchange, cx: &Cx<'a>) -> Option<&'a str> {
    known_for(ex, cx, &ex.target.uri)
}

/// The same for another uri in this location.
pub(in crate::http) fn known_for<'a>(ex: &Exchange, cx: &Cx<'a>, uri: &[u8]) -> Option<&'a str> {
    ex.location_of(cx).scope.get(&TYPES).get(uri)
}

/// The media type that drover's own table has for the extension of a uri.
pub(in crate::http) fn built_in_for(uri: &[u8]) -> Option<&'static str> {
    built_in().get(uri).copied()
}

/// The directives of this module: `types` and `default_type`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&TYPES, &DEFAULT_TYPE];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{Registry, parse};

    fn table(text: &str) -> impl Fn(&str) -> Option<String> + use<> {
        let conf = parse(&Registry::new(&[DIRECTIVES, crate::http::site::block::DIRECTIVES]), text).unwrap();
        let http = conf.root.children.into_iter().next().unwrap();
        move |name: &str| http.scope.get(&TYPES).get(format!("/{name}").as_bytes()).map(str::to_owned)
    }

    #[test]
    fn the_built_in_table_is_the_one_that_the_conf_would_be_read_into() {
        let (built_in, read) = (table("http { }"), table(&format!("http {{ {BUILT_IN} }}")));
        let words: Vec<&str> = BUILT_IN.split(|c: char| c.is_whitespace() || c == ';').collect();
        for word in &words {
            assert_eq!(built_in(&format!("a.{word}")), read(&format!("a.{word}")), "{word}");
        }
        let known = words.iter().filter(|word| built_in(&format!("a.{word}")).is_some()).count();
        assert!(known > 200, "{known}");
        for (name, media_type) in [("a.css", "text/css"), ("a.MJS", "text/javascript"), ("a.woff2", "font/woff2")] {
            assert_eq!(built_in(name).as_deref(), Some(media_type));
        }
    }

    #[test]
    fn a_block_leaves_only_what_it_names() {
        let own = table("http { types { text/a x; } types { text/b y; } }");
        assert_eq!(
            [own("a.x"), own("a.y"), own("a.html")],
            [Some("text/a".to_owned()), Some("text/b".to_owned()), None]
        );
        assert_eq!(table("http { types { } }")("a.html"), None);
    }
}
