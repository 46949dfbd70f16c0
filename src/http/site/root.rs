//! `root` and `alias`: the directory that holds the files, and which part of a uri names a file in it
//! (`ngx_http_core_root` in nginx's `ngx_http_core_module.c`).

use super::template::{Template, VariableNames};
use crate::conf::{self, Contexts, Setting};

/// The part of a uri that `root` or `alias` puts behind its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UriTail {
    /// The whole uri: `root`.
    Whole,
    /// The uri without so many bytes: the prefix of the location that says `alias`.
    After(usize),
    /// Nothing: the location that says `alias` is a regex.
    Nothing,
}

/// The directory that files are looked for in.
#[derive(Debug, Default)]
pub struct Root {
    /// The directory, or the text that takes the place of the location's prefix.
    path: Template,
    /// The argument, as the conf spells it.
    said: String,
    span: Option<conf::Span>,
    /// The directive is `alias`, not `root`.
    is_alias: bool,
    /// The prefix of the installation, in front of a path whose variables give no absolute one.
    prefix: Vec<u8>,
}

/// `root` and `alias` are two spellings of one setting: the inner replaces the outer.
pub static ROOT: Setting<Root> = Setting::many(&["root", "alias"], |args, root: &mut Root| {
    let alias = args.name() == "alias";
    if alias && !args.context().contains(Contexts::LOCATION) {
        return Err(args.directive("is not allowed here"));
    }
    if root.span.is_some() {
        return Err(match (alias, root.is_alias) {
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
    // The values of these variables are made of this very path.
    let own = ["document_root", "request_filename"];
    let names = args.notes::<VariableNames>();
    if let Some(name) = own.into_iter().find(|name| path.uses(names, name)) {
        let message = format!("the ${name} variable cannot be used in the \"{}\" directive", args.name());
        return Err(args.bad(0, message));
    }
    *root = Root {
        path,
        said: args.str(0)?.to_owned(),
        span: Some(args.span(0)),
        is_alias: alias,
        prefix: prefix.into_bytes(),
    };
    Ok(())
})
.contexts(Contexts::HTTP_AND_IF)
.args(1, 1)
.syntax("PATH")
.default("html")
.about(
    "The directory that holds the files: `root` puts the whole uri behind it, `alias` (in a location only) what of the \
     uri follows the location's prefix. A relative path starts at the prefix: that is `-p`, else DIR for a conf \
     DIR/conf/FILE, else the working directory. May hold variables.",
);

impl Root {
    /// The argument, as it stands in the conf, and its place.
    pub(in crate::http) fn said(&self) -> (&str, conf::Span) {
        (&self.said, self.span.unwrap_or(conf::Span::NOWHERE))
    }

    /// The path, when it holds no variable.
    pub(in crate::http) fn literal(&self) -> Option<&str> {
        std::str::from_utf8(self.path.as_text()?).ok()
    }

    /// The absolute path, when it holds no variable.
    pub(super) fn directory(&self) -> Option<&[u8]> {
        self.path.as_text().filter(|path| path.starts_with(b"/"))
    }

    pub(in crate::http) fn path(&self) -> &Template {
        &self.path
    }

    /// The prefix of the installation, absolute.
    pub(in crate::http) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Whether the directive is `alias`.
    pub(in crate::http) fn is_alias(&self) -> bool {
        self.is_alias
    }
}

/// The directives of this module: `root` and `alias`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&ROOT];
