//! A phase tells the walk where the request goes next.

use super::action::Check;
use super::answer::Answer;

/// Where a request goes from a phase.
#[derive(Debug)]
pub(in crate::http) enum Flow {
    /// On to the next phase.
    Next,
    /// To the client: the request has its answer.
    Answer(Answer),
    /// To the location that fits the uri, which the phase has changed: an internal redirect.
    Redirect,
    /// To the location that fits the uri, which the script of a location has changed: the server's script is not run
    /// again.
    Rewritten,
    /// To the location that fits the uri of a request that runs in the place of another.
    Aside,
    /// To the location `@name` of the server; the uri stays.
    Named(String),
    /// To the file system, for the path in the target; then back to the phase.
    Lookup(Lookup),
    /// To a check of a password; then back to the phase.
    Check(Check),
    /// To the same phase, so many milliseconds later.
    Wait(u64),
}

/// A question about the target's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Lookup {
    pub kind: LookupKind,
    /// The phase's own mark: it gets the mark back with the result.
    pub step: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum LookupKind {
    /// Open the file, to be sent.
    Open,
    /// Tell whether something is there, and what; the file need not be readable.
    Stat,
    /// List the directory.
    List,
    /// Tell the names in the directory and their kinds alone.
    Names,
    /// Read the file, which is for the phase alone.
    Contents,
}

impl Lookup {
    pub(in crate::http) fn open() -> Flow {
        Flow::Lookup(Lookup { kind: LookupKind::Open, step: 0 })
    }

    /// Opens a file for a phase that looks up several.
    pub(in crate::http) fn open_as(step: usize) -> Flow {
        Flow::Lookup(Lookup { kind: LookupKind::Open, step })
    }

    pub(in crate::http) fn stat(step: usize) -> Flow {
        Flow::Lookup(Lookup { kind: LookupKind::Stat, step })
    }

    pub(in crate::http) fn contents() -> Flow {
        Flow::Lookup(Lookup { kind: LookupKind::Contents, step: 0 })
    }

    pub(in crate::http) fn list() -> Flow {
        Flow::Lookup(Lookup { kind: LookupKind::List, step: 0 })
    }

    pub(in crate::http) fn names() -> Flow {
        Flow::Lookup(Lookup { kind: LookupKind::Names, step: 0 })
    }
}
