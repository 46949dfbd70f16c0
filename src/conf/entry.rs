//! The entries of the registry: settings, sections, and directives of nginx that are accepted without effect or
//! refused.

use super::{Arg, Args, Contexts, Error};
use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

/// The value of a setting, whatever its type.
pub type Value = Arc<dyn Any + Send + Sync>;

/// An entry of the registry. Each module exports its entries as `pub static DIRECTIVES: &[&dyn Entry]`.
pub trait Entry: Sync {
    /// The facts for the checks and the reference.
    fn info(&self) -> &Info;

    /// The kind of entry, with the entry itself.
    fn kind(&'static self) -> Kind;
}

/// The kind of an entry.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Has a value in every scope.
    Setting(&'static dyn Store),
    /// Opens a block.
    Section(&'static Section),
    /// Accepted without effect.
    Inert(&'static Inert),
    /// An error, with the reason.
    Refused(&'static Refused),
}

impl Kind {
    /// Whether a block may have the directive `name`, which has no effect, once, and the check of its values.
    pub(super) fn without_effect(self, name: &str) -> (bool, Option<Check>) {
        match self {
            Kind::Inert(inert) => {
                let form = inert.form_of(name);
                (form.is_some_and(|form| !form.is_many), form.map(|form| form.check))
            }
            Kind::Refused(refused) => (refused.is_once(), None),
            Kind::Setting(_) | Kind::Section(_) => (false, None),
        }
    }
}

/// A [`super::Setting`] without its type.
pub trait Store: Sync {
    /// The index of the value in every scope.
    fn index(&self) -> usize;
    /// Whether the directive ends in a block of raw items instead of a semicolon.
    fn takes_block(&self) -> bool;
    /// Whether inner blocks don't inherit the value.
    fn is_local(&self) -> bool;
    /// Whether a block may have the directive more than once.
    fn is_many(&self) -> bool;
    /// Whether the directive adds to the value of another setting.
    fn is_part(&self) -> bool;
    /// The rule by which a block's own value is joined with that of the block around it; `None`: it takes its place.
    fn joins(&self) -> Option<Joins>;
    /// A block's own value with that of the block around behind it.
    fn join(&self, own: &Value, outer: &Value) -> Value;
    /// The value of a block that has no such directive, before defaults and inheritance.
    fn empty(&self) -> Value;
    /// Parses a directive into `value`, the block's own value so far.
    fn parse(&self, args: &mut Args, value: &mut Value) -> Result<(), Error>;
}

/// How the arguments of a directive are written.
#[derive(Clone, Copy)]
pub enum Syntax {
    /// A fixed text.
    Text(&'static str),
    /// A text made of a list of words.
    Words(fn() -> String),
}

/// The facts about a directive, apart from its value.
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

/// A thing that a directive's first argument can name, for the reference.
pub struct Choice {
    /// The argument as a conf writes it, with its parameters.
    pub usage: String,
    /// A sentence about its meaning.
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

    /// The names of the directive; several share one value.
    pub fn names(&self) -> &[&'static str] {
        match &self.names {
            Names::One(name) => std::slice::from_ref(name),
            Names::Many(names) => names,
        }
    }

    /// The contexts that take the directive.
    pub fn contexts(&self) -> Contexts {
        self.contexts
    }

    /// The least and the greatest number of arguments.
    pub fn args(&self) -> (usize, usize) {
        self.args
    }

    /// The arguments as the reference writes them.
    pub fn syntax(&self) -> Cow<'static, str> {
        match self.syntax {
            Syntax::Text(text) => text.into(),
            Syntax::Words(make) => make().into(),
        }
    }

    /// The arguments used when the directive is absent.
    pub fn default(&self) -> Option<&'static str> {
        self.default
    }

    /// The reference's text about the directive.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// The things that the first argument can name; none where `syntax` and `about` say it all.
    pub fn choices(&self) -> Vec<Choice> {
        self.choices.map(|make| make()).unwrap_or_default()
    }
}

/// A directive that opens a block with a scope of its own: `http`, `server`, `location`.
pub struct Section {
    info: Info,
    pub(super) inner: Contexts,
    pub(super) head: Option<&'static dyn Store>,
    pub(super) once: bool,
    pub(super) required: bool,
}

impl Section {
    /// A section of this name, for [`Section::contexts`] to place.
    pub const fn new(name: &'static str) -> Section {
        let info = Info::new(Names::One(name));
        Section { info, inner: Contexts::empty(), head: None, once: false, required: false }
    }

    /// Sets the contexts that take the section.
    pub const fn contexts(mut self, contexts: Contexts) -> Section {
        self.info.contexts = contexts;
        self
    }

    /// Sets the context of the section's own block.
    pub const fn inner(mut self, inner: Contexts) -> Section {
        self.inner = inner;
        self
    }

    /// Lets a setting of the block around parse the section's own statement, before the section is read: so a list that
    /// the setting gathers can hold sections among directives, in their order.
    pub const fn head(mut self, head: &'static dyn Store) -> Section {
        self.head = Some(head);
        self
    }

    /// Sets the least and the greatest number of arguments.
    pub const fn args(mut self, min: usize, max: usize) -> Section {
        self.info.args = (min, max);
        self
    }

    /// Sets the arguments as the reference writes them.
    pub const fn syntax(mut self, syntax: &'static str) -> Section {
        self.info.syntax = Syntax::Text(syntax);
        self
    }

    /// Sets the reference's text about the section.
    pub const fn about(mut self, about: &'static str) -> Section {
        self.info.about = about;
        self
    }

    /// Refuses a second one in the same block: nginx's `"http" directive is duplicate`.
    pub const fn once(mut self) -> Section {
        self.once = true;
        self
    }

    /// Refuses a conf without the section: nginx's `no "events" section in configuration`.
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

/// The rule by which the value of a block is joined with that of the block around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joins {
    /// In every block.
    Always,
    /// The setting with this index, an [`super::Inherit`], says when.
    By(usize),
}

/// Refuses the values that nginx refuses.
pub type Check = fn(&Args) -> Result<(), Error>;

/// The values that nginx takes for a directive.
pub struct Form {
    pub(super) args: (usize, usize),
    pub(super) syntax: &'static str,
    pub(super) is_many: bool,
    pub(super) check: Check,
}

impl Form {
    /// A directive that a block may have once, with so many arguments, written so.
    pub const fn once(args: (usize, usize), syntax: &'static str, check: Check) -> Form {
        Form { args, syntax, is_many: false, check }
    }

    /// A directive that a block may have several times.
    pub const fn many(args: (usize, usize), syntax: &'static str, check: Check) -> Form {
        Form { args, syntax, is_many: true, check }
    }
}

/// A directive of nginx that has nothing to act on here: accepted, checked for context and arity, named in one notice.
pub struct Inert {
    info: Info,
    pub(super) takes_block: bool,
    /// The directives of its block, one of which must be there, and the others.
    pub(super) needed: &'static [&'static str],
    pub(super) inner: &'static [&'static str],
    form_of: Option<FormOf>,
}

/// Finds the form of a directive by its name.
pub type FormOf = fn(&str) -> Option<&'static Form>;

impl Inert {
    /// `why` is a sentence: the reason why nothing needs the directive here.
    pub const fn new(name: &'static str, contexts: Contexts, args: (usize, usize), why: &'static str) -> Inert {
        let info = Info { contexts, args, about: why, ..Info::new(Names::One(name)) };
        Inert { info, takes_block: false, needed: &[], inner: &[], form_of: None }
    }

    /// Directives with the same contexts, number of arguments and reason.
    pub const fn family(
        names: &'static [&'static str],
        contexts: Contexts,
        args: (usize, usize),
        why: &'static str,
    ) -> Inert {
        let info = Info { contexts, args, about: why, ..Info::new(Names::Many(names)) };
        Inert { info, takes_block: false, needed: &[], inner: &[], form_of: None }
    }

    /// Refuses what the form of a directive refuses, for those that have one.
    pub const fn formed(mut self, form_of: FormOf) -> Inert {
        self.form_of = Some(form_of);
        self
    }

    /// The form of the directive `name`, if it is known.
    pub(super) fn form_of(&self, name: &str) -> Option<&'static Form> {
        self.form_of?(name)
    }

    /// Makes the directive one that opens a block of such directives: one of `needed` must be there, and of the others
    /// only the names are looked at.
    pub const fn block_of(mut self, needed: &'static [&'static str], others: &'static [&'static str]) -> Inert {
        self.takes_block = true;
        self.needed = needed;
        self.inner = others;
        self
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

/// Directives that drover does not have: an error with the reason, wherever they stand.
pub struct Refused {
    info: Info,
    pub(super) in_nginx: InNginx,
    /// Whether its block is in another language.
    pub(super) holds_code: bool,
    asks: Asks,
}

/// Where nginx has a directive that drover refuses, which decides its sentence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum InNginx {
    /// In the same place.
    Here,
    /// In a block that drover does not have.
    Elsewhere,
    /// Nowhere: it belongs to a module of somebody else.
    Nowhere,
}

/// The arguments with which a directive asks for something that drover does not do.
#[derive(Clone, Copy)]
enum Asks {
    Always,
    /// All but this one alone.
    But(&'static str),
    /// This one alone.
    Only(&'static str),
}

impl Refused {
    /// `why` is a sentence: the reason, and what to use instead.
    pub const fn new(name: &'static str, why: &'static str) -> Refused {
        Refused::named(Names::One(name), why, InNginx::Here)
    }

    /// A family of directives with one reason; `proxy_*` is every name that starts so and that no other entry has.
    pub const fn family(names: &'static [&'static str], why: &'static str) -> Refused {
        Refused::named(Names::Many(names), why, InNginx::Here)
    }

    /// Directives of a module that does not come with nginx, as a [`Refused::family`]. `why` names the module, and what
    /// to use instead.
    pub const fn foreign(names: &'static [&'static str], why: &'static str) -> Refused {
        Refused::named(Names::Many(names), why, InNginx::Nowhere)
    }

    /// A directive of a block of nginx's that drover does not have. `why` names the block, and what to use instead.
    pub const fn elsewhere(name: &'static str, why: &'static str) -> Refused {
        Refused::named(Names::One(name), why, InNginx::Elsewhere)
    }

    const fn named(names: Names, why: &'static str, in_nginx: InNginx) -> Refused {
        Refused { info: Info { about: why, ..Info::new(names) }, in_nginx, holds_code: false, asks: Asks::Always }
    }

    /// Says that what stands in the block of such a directive is Lua.
    pub const fn holding_code(mut self) -> Refused {
        self.holds_code = true;
        self
    }

    /// Accepts the directives with this argument alone, which asks for what drover does anyway.
    pub const fn but(mut self, idle: &'static str) -> Refused {
        self.asks = Asks::But(idle);
        self
    }

    /// Accepts the directives with all arguments but this one alone, without which they change nothing.
    pub const fn only(mut self, busy: &'static str) -> Refused {
        self.asks = Asks::Only(busy);
        self
    }

    /// The contexts that take the directive when it asks for nothing; without this all do.
    pub const fn contexts(mut self, contexts: Contexts) -> Refused {
        self.info.contexts = contexts;
        self
    }

    /// Whether a block has it once: it is a flag.
    pub(super) fn is_once(&self) -> bool {
        matches!(self.asks, Asks::But("off"))
    }

    /// Whether these arguments ask for nothing.
    pub(super) fn is_idle(&self, args: &[Arg]) -> bool {
        let is = |word: &str| matches!(args, [only] if only.text.eq_ignore_ascii_case(word));
        match self.asks {
            Asks::Always => false,
            Asks::But(idle) => is(idle),
            Asks::Only(busy) => !args.is_empty() && !is(busy),
        }
    }

    /// The exception in words; empty: there is none.
    pub(super) fn exception(&self) -> String {
        match self.asks {
            Asks::Always => String::new(),
            Asks::But(idle) => format!(" (but \"{idle}\" is accepted)"),
            Asks::Only(busy) => format!(" (but accepted with anything else than \"{busy}\")"),
        }
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
