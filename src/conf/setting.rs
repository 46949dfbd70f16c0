//! A directive with a typed value.

use super::entry::{Info, Joins, Names};
use super::value::{Inherit, OneOf, one_of_syntax};
use super::{Args, Choice, Contexts, Entry, Error, Kind, Store, Syntax, Value};
use std::any::Any;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// How two values of a setting are joined, the inner one first; and the setting that says when: `None`: always.
type Joined<T> = (Option<&'static Setting<Inherit>>, fn(&T, &T) -> T);

/// A directive with a value of type `T`: its names, its contexts, its syntax, its default, and the function that parses
/// it. A `static` beside the code that reads the value with [`super::Scope::get`].
pub struct Setting<T> {
    info: Info,
    parse: Parse<T>,
    takes_block: bool,
    local: bool,
    /// The setting whose value this directive adds to.
    whole: Option<&'static dyn Store>,
    joined: Option<Joined<T>>,
    /// The index of the value in every scope; given out once in the life of the process.
    index: AtomicU32,
    /// The value for scopes of a registry without this setting.
    unset: OnceLock<T>,
}

enum Parse<T> {
    One(fn(&mut Args) -> Result<T, Error>),
    Many(fn(&mut Args, &mut T) -> Result<(), Error>),
}

const NO_INDEX: u32 = u32::MAX;
static INDICES_GIVEN: AtomicU32 = AtomicU32::new(0);

impl<T: Default + Send + Sync + 'static> Setting<T> {
    /// A directive that a block may have once.
    pub const fn one(name: &'static str, parse: fn(&mut Args) -> Result<T, Error>) -> Setting<T> {
        Setting::new(Names::One(name), Parse::One(parse))
    }

    /// Directives that a block may have any number of times; each adds to one value, in their order. A block that has
    /// such a directive inherits none.
    pub const fn many(names: &'static [&'static str], parse: fn(&mut Args, &mut T) -> Result<(), Error>) -> Setting<T> {
        Setting::new(Names::Many(names), Parse::Many(parse))
    }

    const fn new(names: Names, parse: Parse<T>) -> Setting<T> {
        Setting {
            info: Info::new(names),
            parse,
            takes_block: false,
            local: false,
            whole: None,
            joined: None,
            index: AtomicU32::new(NO_INDEX),
            unset: OnceLock::new(),
        }
    }

    /// Sets the contexts that take the directive.
    pub const fn contexts(mut self, contexts: Contexts) -> Self {
        self.info.contexts = contexts;
        self
    }

    /// Sets the least and the greatest number of arguments; `usize::MAX`: any number.
    pub const fn args(mut self, min: usize, max: usize) -> Self {
        self.info.args = (min, max);
        self
    }

    /// Sets the arguments as the reference writes them: `SIZE`, `on | off`, `NAME VALUE [always]`.
    pub const fn syntax(mut self, syntax: &'static str) -> Self {
        self.info.syntax = Syntax::Text(syntax);
        self
    }

    /// Sets the arguments used when the directive is absent; the same function parses them. Without a call the default
    /// is `T::default()`.
    pub const fn default(mut self, default: &'static str) -> Self {
        self.info.default = Some(default);
        self
    }

    /// Sets the reference's text: sentences that say what the directive does.
    pub const fn about(mut self, about: &'static str) -> Self {
        self.info.about = about;
        self
    }

    /// Sets the things that the first argument can name, a line each in the reference.
    pub const fn choices(mut self, choices: fn() -> Vec<Choice>) -> Self {
        self.info.choices = Some(choices);
        self
    }

    /// Keeps inner blocks from inheriting the value.
    pub const fn local(mut self) -> Self {
        self.local = true;
        self
    }

    /// Lets `mode` say whether a block inherits the value, or adds what it inherits to its own by `join`.
    pub const fn inherits_by(mut self, mode: &'static Setting<Inherit>, join: fn(&T, &T) -> T) -> Self {
        self.joined = Some((Some(mode), join));
        self
    }

    /// Adds what a block inherits to its own value by `join`.
    pub const fn joined(mut self, join: fn(&T, &T) -> T) -> Self {
        self.joined = Some((None, join));
        self
    }

    /// Lets the directive add to the value of `whole`, another setting of the same type: each parses its own arguments,
    /// and the value keeps the order in which both stand.
    pub const fn part_of(mut self, whole: &'static Setting<T>) -> Self {
        self.whole = Some(whole);
        self
    }

    /// Lets the directive end in a block of raw items ([`Args::block`]) instead of a semicolon.
    pub const fn takes_block(mut self) -> Self {
        self.takes_block = true;
        self
    }

    pub(super) fn known_index(&self) -> usize {
        self.index.load(Ordering::Relaxed) as usize
    }

    #[cold]
    pub(super) fn unset(&self) -> &T {
        self.unset.get_or_init(T::default)
    }
}

impl Setting<bool> {
    /// `on | off`
    pub const fn flag(name: &'static str) -> Self {
        Setting::one(name, |args| args.flag(0)).args(1, 1).syntax("on | off")
    }
}

impl Setting<u64> {
    /// A number of bytes: `8k`, `1m`.
    pub const fn size(name: &'static str) -> Self {
        Setting::one(name, |args| args.size(0)).args(1, 1).syntax("SIZE")
    }

    /// A time kept in milliseconds: `500ms`, `75s`, `1h30m`.
    pub const fn time_ms(name: &'static str) -> Self {
        Setting::one(name, |args| args.time_ms(0)).args(1, 1).syntax("TIME")
    }

    /// A time kept in seconds: `75s`, `30d`, `1y`.
    pub const fn time_s(name: &'static str) -> Self {
        Setting::one(name, |args| args.time_s(0)).args(1, 1).syntax("TIME")
    }

    /// A whole number.
    pub const fn count(name: &'static str) -> Self {
        Setting::one(name, |args| args.count(0)).args(1, 1).syntax("NUMBER")
    }
}

impl Setting<String> {
    /// A file or directory, joined to the prefix.
    pub const fn path(name: &'static str) -> Self {
        Setting::one(name, |args| args.path(0)).args(1, 1).syntax("PATH")
    }
}

impl<T: OneOf> Setting<T> {
    /// A word of the type's list.
    pub const fn one_of(name: &'static str) -> Self {
        let mut setting = Setting::one(name, |args| args.one_of(0, T::WORDS)).args(1, 1);
        setting.info.syntax = Syntax::Words(one_of_syntax::<T>);
        setting
    }
}

impl<T: Default + Send + Sync + 'static> Entry for Setting<T> {
    fn info(&self) -> &Info {
        &self.info
    }

    fn kind(&'static self) -> Kind {
        Kind::Setting(self)
    }
}

impl<T: Default + Send + Sync + 'static> Store for Setting<T> {
    fn index(&self) -> usize {
        if let Some(whole) = self.whole {
            return whole.index();
        }
        let known = self.index.load(Ordering::Relaxed);
        if known != NO_INDEX {
            return known as usize;
        }
        // Two threads that make registries may both come here: the first index stays, the other is never used.
        let new = INDICES_GIVEN.fetch_add(1, Ordering::Relaxed);
        match self.index.compare_exchange(NO_INDEX, new, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => new as usize,
            Err(theirs) => theirs as usize,
        }
    }

    fn takes_block(&self) -> bool {
        self.takes_block
    }

    fn is_local(&self) -> bool {
        self.local
    }

    fn is_many(&self) -> bool {
        matches!(self.parse, Parse::Many(_))
    }

    fn is_part(&self) -> bool {
        self.whole.is_some()
    }

    fn joins(&self) -> Option<Joins> {
        self.joined.map(|(mode, _)| mode.map_or(Joins::Always, |mode| Joins::By(mode.index())))
    }

    fn join(&self, own: &Value, outer: &Value) -> Value {
        match (self.joined, own.downcast_ref::<T>(), outer.downcast_ref::<T>()) {
            (Some((_, join)), Some(own), Some(outer)) => Arc::new(join(own, outer)),
            _ => own.clone(),
        }
    }

    fn empty(&self) -> Value {
        Arc::new(T::default())
    }

    fn parse(&self, args: &mut Args, value: &mut Value) -> Result<(), Error> {
        match self.parse {
            Parse::One(parse) => *value = Arc::new(parse(args)?),
            Parse::Many(parse) => {
                // While its block is read, a value has a single owner and the type that `empty` gave it.
                let own = Arc::get_mut(value).and_then(|value| (value as &mut dyn Any).downcast_mut());
                parse(args, own.unwrap_or_else(|| unreachable!("the value of {}", args.name())))?;
            }
        }
        Ok(())
    }
}
