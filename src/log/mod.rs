//! The error log: nginx's levels and lines, carried by `tracing`; and the log files that access logs share with it.
//!
//! `log::error!("text {}", x)` logs to the main error log, `log::error!(at: origin, "text {}", x)` to that of an
//! [`Origin`], with the connection's number, client and request. The macros format nothing unless the log takes the
//! level.

mod error_log;
mod event;
mod file;
mod level;
mod line;
mod log_ref;
mod memory;
mod named;
mod output;
pub(crate) mod panics;
mod settings;
mod shared;
mod startup;
mod syslog;
mod text;

pub use error_log::{Logs, Target};
pub use event::{Origin, Process, event};
#[allow(unused_imports, reason = "a level may have no event")]
pub(crate) use event::{alert, crit, debug, emerg, emit, error, info, notice, warn};
pub(crate) use file::lines_up_to;
pub use file::{Contents, Files, LogFile, Missing};
pub use level::Level;
pub use line::{Lines, init};
pub use log_ref::LogRef;
pub use named::{KeepOpen, NamedFiles, Unwritten};
pub use output::{Output, To};
pub use panics::log_panics;
pub use settings::{DIRECTIVES, ERROR_LOG};
pub(crate) use shared::REST_MAX;
pub use startup::set_startup;
pub use syslog::{Peer, Syslog};
pub use text::Text;

#[cfg(test)]
mod tests;
