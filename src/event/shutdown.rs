//! How far a process or a thread has gone on its way to its end.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

/// The life of a process that serves clients, and of each of its threads.
///
/// ```text
///            QUIT                    TERM, or worker_shutdown_timeout is over
///   No ────────────────▶ Graceful ────────────────────────────────────────▶ Fast ──▶ the process exits
///   │                        │                                                 ▲
///   │                        └─ no connection is left ──▶ the process exits    │
///   └───────────────────────────────── TERM ───────────────────────────────────┘
/// ```
///
/// A shutdown never goes back. The words are those of nginx(8): QUIT shuts down gracefully, TERM and INT fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shutdown {
    /// The service goes on.
    #[default]
    No,
    /// Nothing is accepted any more. Exchanges are finished, idle connections are closed when nothing more comes.
    Graceful,
    /// Everything is closed at once.
    Fast,
}

impl Shutdown {
    /// Whether the process is on its way to its end: no connection is kept alive from now on.
    pub fn has_begun(self) -> bool {
        self != Shutdown::No
    }
}

/// A `Shutdown` that one thread commands and the others read.
#[derive(Debug, Default)]
pub struct AtomicShutdown(AtomicU8);

impl AtomicShutdown {
    /// The last value stored.
    pub fn load(&self) -> Shutdown {
        Self::decoded(self.0.load(SeqCst))
    }

    /// Commands the threads that read it.
    pub fn store(&self, shutdown: Shutdown) {
        self.0.store(shutdown as u8, SeqCst);
    }

    fn decoded(value: u8) -> Shutdown {
        [Shutdown::No, Shutdown::Graceful].into_iter().find(|known| *known as u8 == value).unwrap_or(Shutdown::Fast)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_read_what_was_commanded() {
        let shared = AtomicShutdown::default();
        assert_eq!(shared.load(), Shutdown::No);
        for shutdown in [Shutdown::Graceful, Shutdown::Fast, Shutdown::No] {
            shared.store(shutdown);
            assert_eq!((shared.load(), shutdown.has_begun()), (shutdown, shutdown > Shutdown::No));
        }
    }
}
