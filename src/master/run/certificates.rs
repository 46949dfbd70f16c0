//! The care for TLS that goes on while the service runs: keys of tickets are replaced, files of certificates watched.

use super::Master;
use super::upkeep::{Certificates, LOOK};
use crate::conf::Mistakes;
use crate::log;
use crate::master::loader::LoadError;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Master {
    /// Does what is due.
    pub(super) fn care_for_certificates(&mut self, now: Instant) {
        if self.certificates.rotate_at.is_some_and(|at| now >= at) {
            let next = self.cycle.endpoints.rotate_ticket_keys();
            self.certificates.rotate_at = next.map(|seconds| now + Duration::from_secs(seconds));
        }
        if self.certificates.look_at.is_some_and(|at| now >= at) {
            self.certificates.look_at = Some(now + LOOK);
            self.look_at_certificates(now);
        }
    }

    /// Takes files that have been replaced, once they have not changed between two looks.
    fn look_at_certificates(&mut self, now: Instant) {
        if self.shutdown.has_begun() || self.next_binary.is_some() || self.is_idle {
            return;
        }
        let watch = self.cycle.endpoints.watch();
        let stamps = watch.look();
        let is_news = stamps != *watch.as_read() && !self.certificates.has_refused(&stamps, now);
        let is_settled = stamps == self.certificates.seen;
        self.certificates.seen = stamps.clone();
        if !is_news || !is_settled {
            return;
        }
        self.certificates.retry_at = None;
        if let Err(reason) = self.take_certificates(now) {
            log::warn!("certificate_watch: the changed files are not taken, the old ones go on: {reason}");
            self.certificates.refused = Some(stamps);
        }
    }

    /// Starts workers with the files as they are now, by the conf of those that run, which end as at a reload.
    fn take_certificates(&mut self, now: Instant) -> Result<(), LoadError> {
        let conf = &self.cycle.conf;
        let mut mistakes = Mistakes::default();
        let mut next = self.cycle.endpoints.again(&mut mistakes);
        conf.judge(mistakes)?;
        let mut mistakes = Mistakes::default();
        next.check_renewal(&self.cycle.endpoints, &mut mistakes);
        if !mistakes.is_empty() {
            self.certificates.retry_at = next.valid_in().map(|seconds| now + Duration::from_secs(seconds));
            conf.judge(mistakes)?;
        }
        next.prepare(Some(&self.cycle.endpoints), None).map_err(LoadError::Other)?;
        let (warnings, _) = next.take_remarks();
        self.fill_empty_seats();
        let old = std::mem::replace(&mut self.cycle.endpoints, Arc::new(next));
        if let Err(failure) = self.cycle.renew() {
            self.cycle.endpoints = old;
            return Err(failure.into());
        }
        warnings.iter().for_each(|warning| log::warn!("{}", warning.message()));
        log::notice!("certificate_watch: the files have changed: new workers take them");
        self.certificates = Certificates::of(&self.cycle.endpoints, Instant::now());
        self.replace_children();
        Ok(())
    }
}
