//! When the files of the conf, and the files and keys of TLS, are to be looked after next.

use crate::conf::{Conf, Watch};
use crate::master::loader::Loader;
use crate::master::settings::CONF_WATCH;
use crate::os::Stamps;
use crate::tls::Endpoints;
use std::time::{Duration, Instant};

/// The time between two looks at the files of `certificate_watch` and `conf_watch`.
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

/// The files of the conf, and how they looked.
#[derive(Debug, Default)]
pub(super) struct ConfWatch {
    files: Watch,
    /// The state in which they were read last, or a bit before.
    read: Stamps,
    /// The state at the last look.
    seen: Stamps,
    /// When to look again; `None`: `conf_watch` is off.
    look_at: Option<Instant>,
}

impl ConfWatch {
    /// The watch over the files that a generation has read.
    pub(super) fn of(conf: &Conf, loader: &Loader) -> ConfWatch {
        if !*conf.root.scope.get(&CONF_WATCH) {
            return ConfWatch::default();
        }
        let mut watch = ConfWatch::begin(loader);
        if conf.sources.have_changed() {
            watch.read = Stamps::default();
        }
        watch
    }

    /// The watch of a service that is about to read the files again, for the case that it can't take them: those that
    /// a new `include` names are watched as well.
    pub(super) fn again(&self, loader: &Loader) -> ConfWatch {
        if self.look_at.is_none() { ConfWatch::default() } else { ConfWatch::begin(loader) }
    }

    fn begin(loader: &Loader) -> ConfWatch {
        let files = loader.watch();
        let seen = files.look();
        ConfWatch { files, read: seen.clone(), seen, look_at: Some(Instant::now() + LOOK) }
    }

    /// When to look again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.look_at
    }

    /// Whether it is time to look; if so, the next look is set.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.look_at.is_some_and(|at| now >= at);
        if is_due {
            self.look_at = Some(now + LOOK);
        }
        is_due
    }

    /// Whether the files are others than those that were read, and have not changed between two looks.
    pub(super) fn has_news(&mut self) -> bool {
        let now = self.files.look();
        let has_news = now != self.read && now == self.seen;
        self.seen = now;
        has_news
    }
}
