//! The error log: nginx's levels and lines, carried by `tracing`; and the log files that access logs share with it.

mod error_log;
mod file;
mod line;
mod settings;
mod shared;

pub use error_log::{LogRef, Logs, Target, To};
pub use file::{Files, LogFile};
pub use settings::{DIRECTIVES, ERROR_LOG};

use std::fmt;

/// nginx's levels, the gravest first (ngx_log.h). `tracing` has only five: events carry this one as a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// The server can't go on.
    Emerg = 1,
    /// A part of it is broken; somebody must look.
    Alert,
    /// A serious condition outside.
    Crit,
    /// One request failed.
    Error,
    /// Odd, but handled.
    Warn,
    /// Normal and significant: start, stop, reload.
    Notice,
    /// What clients do wrong.
    Info,
    /// For those who read the source.
    Debug,
}

impl Level {
    /// The names of the conf file with their levels.
    pub const NAMES: &[(&str, Level)] = &[
        ("debug", Level::Debug),
        ("info", Level::Info),
        ("notice", Level::Notice),
        ("warn", Level::Warn),
        ("error", Level::Error),
        ("crit", Level::Crit),
        ("alert", Level::Alert),
        ("emerg", Level::Emerg),
    ];

    fn from_number(n: u64) -> Self {
        Self::NAMES.iter().map(|(_, l)| *l).find(|l| *l as u64 == n).unwrap_or(Level::Alert)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(_, l)| l == self).map_or("", |(name, _)| name))
    }
}

/// Where an event happened: which `error_log` takes it, and what its line says about the connection.
pub trait Place {
    /// The error log in force here.
    fn log(&self) -> LogRef {
        LogRef::main()
    }

    /// The connection's number, shown as `*7`; 0 for none.
    fn connection(&self) -> u64 {
        0
    }

    /// What follows the message: `, client: 127.0.0.1, server: x, request: "GET / HTTP/1.1", host: "x"`.
    fn context(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    /// More lines, each after a line feed, for the person who starts the program: in the place of what
    /// [`Place::context`] tells the log files.
    fn picture(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// Outside of any connection: the `error_log` of the main context.
pub struct Process;

impl Place for Process {}

struct Context<'a>(&'a dyn Place);

impl fmt::Display for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.context(f)
    }
}

struct Picture<'a>(&'a dyn Place);

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.picture(f)
    }
}

/// Sends one event. The macros call it once they know that the log takes the level.
pub fn event(level: Level, place: &dyn Place, message: fmt::Arguments<'_>) {
    let (log, connection) = (u64::from(place.log().id()), place.connection());
    let (severity, context, picture) = (level as u64, Context(place), Picture(place));
    macro_rules! send {
        ($tracing_level:ident) => {
            tracing::event!(
                tracing::Level::$tracing_level,
                severity,
                log,
                connection,
                context = %context,
                picture = %picture,
                "{message}"
            )
        };
    }
    match level {
        Level::Debug => send!(DEBUG),
        Level::Info | Level::Notice => send!(INFO),
        Level::Warn => send!(WARN),
        Level::Error | Level::Crit | Level::Alert | Level::Emerg => send!(ERROR),
    }
}

/// `log::emit!(level, "text {}", x)` or `log::emit!(level, at: place, "text {}", x)`; nothing is formatted when the log doesn't take
/// the level.
macro_rules! emit {
    ($level:expr, at: $place:expr, $($arg:tt)+) => {{
        let (level, place) = ($level, &$place);
        if $crate::log::Place::log(place).takes(level) {
            $crate::log::event(level, place, format_args!($($arg)+));
        }
    }};
    ($level:expr, $($arg:tt)+) => { $crate::log::emit!($level, at: $crate::log::Process, $($arg)+) };
}

macro_rules! level_macros {
    ($d:tt $($inner:ident $name:ident $level:ident)+) => { $(
        #[doc = concat!("An event of nginx's level `", stringify!($name), "`.")]
        #[allow(unused_macros)]
        macro_rules! $inner { ($d($d arg:tt)+) => { $crate::log::emit!($crate::log::Level::$level, $d($d arg)+) } }
        // `warn` is an attribute of the compiler's: a macro of that name must be renamed to be exported.
        #[allow(unused_imports)]
        pub(crate) use $inner as $name;
    )+ };
}

pub(crate) use emit;
level_macros!($ debug_ debug Debug info_ info Info notice_ notice Notice warn_ warn Warn error_ error Error crit_ crit Crit
    alert_ alert Alert emerg_ emerg Emerg);

pub use line::{Output, init, set_startup};

#[cfg(test)]
mod tests;
