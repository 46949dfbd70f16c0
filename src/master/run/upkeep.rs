//! When the files and keys of TLS are to be looked after next.

use crate::tls::{Endpoints, Stamps};
use std::time::{Duration, Instant};

/// The time between two looks at the files of `certificate_watch`.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// When something is to be done next, and how the watched files looked.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    pub(super) rotate_at: Option<Instant>,
    pub(super) look_at: Option<Instant>,
    /// The state of the files at the last look.
    pub(super) seen: Stamps,
    /// The state in which they could not be taken.
    pub(super) refused: Option<Stamps>,
    /// When the same files may do, because a certificate becomes valid.
    pub(super) retry_at: Option<Instant>,
}

impl Certificates {
    /// The care for the certificates of a generation.
    pub(super) fn of(endpoints: &Endpoints, now: Instant) -> Certificates {
        let rotates = endpoints.ticket_keys().is_some();
        let watch = endpoints.watch();
        Certificates {
            rotate_at: rotates.then_some(now),
            look_at: (!watch.is_empty()).then_some(now + LOOK),
            seen: watch.as_read().clone(),
            refused: None,
            retry_at: None,
        }
    }

    /// Whether files in this state have been refused, and nothing has changed since.
    pub(super) fn has_refused(&self, stamps: &Stamps, now: Instant) -> bool {
        self.refused.as_ref() == Some(stamps) && self.retry_at.is_none_or(|at| now < at)
    }

    /// When there is something to do.
    pub(super) fn next_due(&self) -> Option<Instant> {
        [self.rotate_at, self.look_at].into_iter().flatten().min()
    }
}
