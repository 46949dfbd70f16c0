//! nginx's levels.

use std::fmt;

/// nginx's levels, the gravest first (ngx_log.h). `tracing` has only five: events carry nginx's as a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// The server can't go on.
    Emerg = 1,
    /// A part of the server is broken; somebody must look.
    Alert,
    /// A serious condition outside the server.
    Crit,
    /// A request failed.
    Error,
    /// Odd, but handled.
    Warn,
    /// Normal and significant: start, stop, reload.
    Notice,
    /// A mistake of a client.
    Info,
    /// Details for readers of the source.
    Debug,
}

impl Level {
    /// The levels by their names in a conf.
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

    pub(super) fn from_number(n: u64) -> Self {
        Self::NAMES.iter().map(|(_, l)| *l).find(|l| *l as u64 == n).unwrap_or(Level::Alert)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(_, l)| l == self).map_or("", |(name, _)| name))
    }
}
