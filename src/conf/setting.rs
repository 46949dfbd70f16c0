//! A directive with a value of type `T`.

use super::entry::{Info, Names};
use super::value::{OneOf, one_of_syntax};
use super::{Args, Choice, Contexts, Entry, Error, Kind, Store, Syntax, Value};
use std::any::Any;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// A directive: how it is said, how it is parsed, what it is by default. One `static`, beside the code that reads it with
/// [`super::Scope::get`].
pub struct Setting<T> {
    info: Info,
    parse: Parse<T>,
    takes_block: bool,
    local: bool,
    /// Where every scope keeps the value; given out once in the life of the process.
    slot: AtomicU32,
    /// Answers for scopes of a registry without this setting.
    unset: OnceLock<T>,
}

enum Parse<T> {
    One(fn(&mut Args) -> Result<T, Error>),
    Many(fn(&mut Args, &mut T) -> Result<(), Error>),
}

const NO_SLOT: u32 = u32::MAX;
static SLOTS_GIVEN: AtomicU32 = AtomicU32::new(0);

impl<T: Default + Send + Sync + 'static> Setting<T> {
    /// A directive that may be said once in a block.
    pub const fn one(name: &'static str, parse: fn(&mut Args) -> Result<T, Error>) -> Setting<T> {
        Setting::new(Names::One(name), Parse::One(parse))
    }

    /// Directives that may be said again and again in a block; each adds to one value, in their order. A block with one of
    /// its own inherits none.
    pub const fn many(names: &'static [&'static str], parse: fn(&mut Args, &mut T) -> Result<(), Error>) -> Setting<T> {
        Setting::new(Names::Many(names), Parse::Many(parse))
    }

    const fn new(names: Names, parse: Parse<T>) -> Setting<T> {
        Setting {
            info: Info::new(names),
            parse,
            takes_block: false,
            local: false,
            slot: AtomicU32::new(NO_SLOT),
            unset: OnceLock::new(),
        }
    }

    /// The blocks that take it.
    pub const fn contexts(mut self, contexts: Contexts) -> Self {
        self.info.contexts = contexts;
        self
    }

    /// How few and how many arguments it takes; `usize::MAX` for any number.
    pub const fn args(mut self, min: usize, max: usize) -> Self {
        self.info.args = (min, max);
        self
    }

    /// How its arguments are written: `SIZE`, `on | off`, `NAME VALUE [always]`.
    pub const fn syntax(mut self, syntax: &'static str) -> Self {
        self.info.syntax = Syntax::Text(syntax);
        self
    }

    /// The arguments that stand for silence, parsed by the same function; without it the value is `T::default()`.
    pub const fn default(mut self, default: &'static str) -> Self {
        self.info.default = Some(default);
        self
    }

    /// What it does, in sentences for the reference.
    pub const fn about(mut self, about: &'static str) -> Self {
        self.info.about = about;
        self
    }

    /// What its first argument may be, a line each in the reference.
    pub const fn choices(mut self, choices: fn() -> Vec<Choice>) -> Self {
        self.info.choices = Some(choices);
        self
    }

    /// Blocks inside don't inherit it.
    pub const fn local(mut self) -> Self {
        self.local = true;
        self
    }

    /// It ends in a block of raw items ([`Args::block`]) instead of a semicolon.
    pub const fn takes_block(mut self) -> Self {
        self.takes_block = true;
        self
    }

    pub(super) fn known_slot(&self) -> usize {
        self.slot.load(Ordering::Relaxed) as usize
    }

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
    /// One of the words of its type.
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
    fn slot(&self) -> usize {
        let known = self.slot.load(Ordering::Relaxed);
        if known != NO_SLOT {
            return known as usize;
        }
        // Two registries made at once may both come here: the first number stays, the other is never used.
        let new = SLOTS_GIVEN.fetch_add(1, Ordering::Relaxed);
        match self.slot.compare_exchange(NO_SLOT, new, Ordering::Relaxed, Ordering::Relaxed) {
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

    fn empty(&self) -> Value {
        Arc::new(T::default())
    }

    fn parse(&self, args: &mut Args, value: &mut Value) -> Result<(), Error> {
        match self.parse {
            Parse::One(parse) => *value = Arc::new(parse(args)?),
            Parse::Many(parse) => {
                // While its block is read, a value has one owner and the type it was made with.
                let own = Arc::get_mut(value).and_then(|value| (value as &mut dyn Any).downcast_mut());
                parse(args, own.unwrap_or_else(|| unreachable!("the value of {}", args.name())))?;
            }
        }
        Ok(())
    }
}
