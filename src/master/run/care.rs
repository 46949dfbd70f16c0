//! The care of the dispatch model for its processes, while the service runs.

use std::time::Instant;

use super::Master;

impl Master {
    /// Lets the model look after its processes if that is due. While an old and a new binary serve with the same
    /// sockets, each socket has processes of both, and neither binary may take it from the other.
    pub(super) fn care_for_processes(&mut self, now: Instant) {
        if self.care_at.is_none_or(|at| now < at) {
            return;
        }
        self.care_at = None;
        if self.shutdown.has_begun() {
            return;
        }
        self.care_at = match self.has_other_binary() {
            true => Some(now + super::upkeep::LOOK),
            false => self.cycle.care().map(|pause| now + pause),
        };
    }

    /// Whether another binary serves with the same sockets: the old one of this, or the next.
    pub(super) fn has_other_binary(&self) -> bool {
        self.next_binary.is_some() || self.old_binary().is_some()
    }
}
