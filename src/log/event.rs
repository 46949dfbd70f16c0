//! Events: the macros that send them, and what they tell of the connection they belong to.
//!
//! `tracing` carries them to the subscriber in `line`.

use std::fmt;

use super::{Level, LogRef};

/// The origin of an event: the `error_log` that takes it, and the text about the connection in its line.
pub trait Origin {
    /// The error log in force.
    fn log(&self) -> LogRef {
        LogRef::main()
    }

    /// The connection's number, shown as `*7`; 0: none.
    fn connection(&self) -> u64 {
        0
    }

    /// The text after the message: `, client: 127.0.0.1, server: x, request: "GET / HTTP/1.1", host: "x"`.
    fn context(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    /// Lines for the person who starts the program, each after a line feed; the log files get [`Origin::context`]
    /// instead.
    fn snippet(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// The process, outside any connection: the `error_log` of the main context.
pub struct Process;

impl Origin for Process {}

struct Context<'a>(&'a dyn Origin);

impl fmt::Display for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.context(f)
    }
}

struct Snippet<'a>(&'a dyn Origin);

impl fmt::Display for Snippet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.snippet(f)
    }
}

/// Sends an event. The macros call it once they know that the log takes the level.
pub fn event(level: Level, origin: &dyn Origin, message: fmt::Arguments<'_>) {
    let (log, connection) = (u64::from(origin.log().id()), origin.connection());
    let (severity, context, snippet) = (level as u64, Context(origin), Snippet(origin));
    macro_rules! send {
        ($tracing_level:ident) => {
            tracing::event!(
                tracing::Level::$tracing_level,
                severity,
                log,
                connection,
                context = %context,
                snippet = %snippet,
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

/// `log::emit!(level, "text {}", x)` or `log::emit!(level, at: origin, "text {}", x)`: an event of a level that is a
/// value. Nothing is formatted unless the log takes the level.
macro_rules! emit {
    ($level:expr, at: $origin:expr, $($arg:tt)+) => {{
        let (level, origin) = ($level, &$origin);
        if $crate::log::Origin::log(origin).takes(level) {
            $crate::log::event(level, origin, format_args!($($arg)+));
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
level_macros!($ debug_ debug Debug info_ info Info notice_ notice Notice warn_ warn Warn
    error_ error Error crit_ crit Crit alert_ alert Alert emerg_ emerg Emerg);
