//! What stands in the registry: settings, sections, and the two ways of knowing a directive of nginx without having it.

use super::{Args, Contexts, Error};
use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

/// The value of a setting, whatever its type.
pub type Value = Arc<dyn Any + Send + Sync>;

/// One entry of the registry; modules export theirs as `pub static DIRECTIVES: &[&dyn Entry]`.
pub trait Entry: Sync {
    /// What the checks and the reference need to know.
    fn info(&self) -> &Info;

    /// What it is.
    fn kind(&'static self) -> Kind;
}

/// The kinds of entries.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Has a value, in every scope.
    Setting(&'static dyn Store),
    /// Opens a block.
    Section(&'static Section),
    /// Accepted, without effect.
    Inert(&'static Inert),
    /// An error, with the reason.
    Refused(&'static Refused),
}

/// A [`super::Setting`] without its type.
pub trait Store: Sync {
    /// Its place in every scope.
    fn slot(&self) -> usize;
    /// Whether it takes a block of raw items instead of a semicolon.
    fn takes_block(&self) -> bool;
    /// Whether blocks inside don't inherit it.
    fn is_local(&self) -> bool;
    /// Whether it may be said more than once in a block.
    fn is_many(&self) -> bool;
    /// The value before anything was said.
    fn empty(&self) -> Value;
    /// Parses one directive into `value`, the block's own value up to here.
    fn parse(&self, args: &mut Args, value: &mut Value) -> Result<(), Error>;
}

/// How the arguments of a directive are written.
#[derive(Clone, Copy)]
pub enum Syntax {
    /// As it stands.
    Text(&'static str),
    /// Made from a list of words.
    Words(fn() -> String),
}

/// What is known about a directive apart from its value.
#[derive(Clone, Copy)]
pub struct Info {
    pub(super) names: Names,
    pub(super) contexts: Contexts,
    pub(super) args: (usize, usize),
    pub(super) syntax: Syntax,
    pub(super) default: Option<&'static str>,
    pub(super) about: &'static str,
    pub(super) choices: Option<fn() -> Vec<Choice>>,
}

/// One of the things that a directive's first argument names, for the reference.
pub struct Choice {
    /// As it is written, with its parameters.
    pub usage: String,
    /// What it means.
    pub about: &'static str,
}

#[derive(Clone, Copy)]
pub(super) enum Names {
    One(&'static str),
    Many(&'static [&'static str]),
}

impl Info {
    pub(super) const fn new(names: Names) -> Info {
        let (contexts, syntax) = (Contexts::empty(), Syntax::Text(""));
        Info { names, contexts, args: (0, 0), syntax, default: None, about: "", choices: None }
    }

    /// Its spellings; several share one value.
    pub fn names(&self) -> &[&'static str] {
        match &self.names {
            Names::One(name) => std::slice::from_ref(name),
            Names::Many(names) => names,
        }
    }

    /// The blocks that take it.
    pub fn contexts(&self) -> Contexts {
        self.contexts
    }

    /// How few and how many arguments it takes.
    pub fn args(&self) -> (usize, usize) {
        self.args
    }

    /// How its arguments are written.
    pub fn syntax(&self) -> Cow<'static, str> {
        match self.syntax {
            Syntax::Text(text) => text.into(),
            Syntax::Words(make) => make().into(),
        }
    }

    /// The arguments that stand for silence.
    pub fn default(&self) -> Option<&'static str> {
        self.default
    }

    /// What it does.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// What its first argument may be, where each is worth a line; empty where `syntax` and `about` say it all.
    pub fn choices(&self) -> Vec<Choice> {
        self.choices.map(|make| make()).unwrap_or_default()
    }
}

/// A directive that opens a block with a scope of its own: `http`, `server`, `location`.
pub struct Section {
    info: Info,
    pub(super) inner: Contexts,
    pub(super) once: bool,
    pub(super) required: bool,
}

impl Section {
    /// A section of this name, for [`Section::contexts`] to place.
    pub const fn new(name: &'static str) -> Section {
        Section { info: Info::new(Names::One(name)), inner: Contexts::empty(), once: false, required: false }
    }

    /// The blocks that take it.
    pub const fn contexts(mut self, contexts: Contexts) -> Section {
        self.info.contexts = contexts;
        self
    }

    /// The context its block is.
    pub const fn inner(mut self, inner: Contexts) -> Section {
        self.inner = inner;
        self
    }

    /// How few and how many arguments it takes.
    pub const fn args(mut self, min: usize, max: usize) -> Section {
        self.info.args = (min, max);
        self
    }

    /// How its arguments are written.
    pub const fn syntax(mut self, syntax: &'static str) -> Section {
        self.info.syntax = Syntax::Text(syntax);
        self
    }

    /// What it does.
    pub const fn about(mut self, about: &'static str) -> Section {
        self.info.about = about;
        self
    }

    /// A second one in the same block is nginx's `"http" directive is duplicate`.
    pub const fn once(mut self) -> Section {
        self.once = true;
        self
    }

    /// A main context without it is nginx's `no "events" section in configuration`.
    pub const fn required(mut self) -> Section {
        self.required = true;
        self
    }
}

impl std::fmt::Debug for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Section").field(&self.info.names()).finish()
    }
}

impl Entry for Section {
    fn info(&self) -> &Info {
        &self.info
    }

    fn kind(&'static self) -> Kind {
        Kind::Section(self)
    }
}

/// A directive of nginx that has nothing to act on here: accepted, checked for context and arity, named in one notice.
pub struct Inert {
    info: Info,
}

impl Inert {
    /// `why` is a sentence: what makes it needless.
    pub const fn new(name: &'static str, contexts: Contexts, args: (usize, usize), why: &'static str) -> Inert {
        Inert { info: Info { contexts, args, about: why, ..Info::new(Names::One(name)) } }
    }

    /// Directives with the same contexts, number of arguments and reason.
    pub const fn family(
        names: &'static [&'static str],
        contexts: Contexts,
        args: (usize, usize),
        why: &'static str,
    ) -> Inert {
        Inert { info: Info { contexts, args, about: why, ..Info::new(Names::Many(names)) } }
    }
}

impl Entry for Inert {
    fn info(&self) -> &Info {
        &self.info
    }

    fn kind(&'static self) -> Kind {
        Kind::Inert(self)
    }
}

/// Directives of nginx that drover does not have: an error with the reason, wherever they stand.
pub struct Refused {
    info: Info,
}

impl Refused {
    /// `why` is a sentence: the reason, and what to use instead.
    pub const fn new(name: &'static str, why: &'static str) -> Refused {
        Refused { info: Info { about: why, ..Info::new(Names::One(name)) } }
    }

    /// A family of directives with one reason; `proxy_*` is every name that starts so and that no other entry has.
    pub const fn family(names: &'static [&'static str], why: &'static str) -> Refused {
        Refused { info: Info { about: why, ..Info::new(Names::Many(names)) } }
    }
}

impl Entry for Refused {
    fn info(&self) -> &Info {
        &self.info
    }

    fn kind(&'static self) -> Kind {
        Kind::Refused(self)
    }
}
