//! `conf_watch`: a reload when a file of the conf is replaced, comes or goes.

use super::Master;
use crate::log;
use std::time::Instant;

impl Master {
    /// Looks at the files of the conf, if that is due, and reads them when they are others.
    pub(super) fn look_at_conf(&mut self, now: Instant) {
        if !self.conf_watch.is_due(now) {
            return;
        }
        if self.shutdown.has_begun() || self.next_binary.is_some() || self.is_idle {
            return;
        }
        if self.conf_watch.has_news() {
            log::notice!("conf_watch: the files of the configuration have changed");
            self.reload();
        }
    }
}
