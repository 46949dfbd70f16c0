//! Memory shared by the processes that append to a log file: the rest of a line that a full disk has cut, which the
//! next writer writes first; and the number of lines that were lost.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use crate::os::{process, shareable};

/// Bytes of the longest rest that is kept; of a longer rest the line feed alone is kept.
pub(crate) const REST_MAX: usize = 128 << 10;

/// The loss of lines is logged at most once in this time, ms.
const SAY_EVERY_MS: u64 = 60_000;

shareable! {
    /// The state of a log file, shared by the process that has opened it and its children.
    #[derive(Debug)]
    pub(crate) struct FileState {
        /// The process that may change `len` and `rest`; 0: none.
        holder: AtomicU32,
        len: AtomicU32,
        rest: [AtomicU8; REST_MAX],
        pub(crate) losses: Losses,
    }
}

shareable! {
    /// Lines that a log has lost, in all the processes that write to it.
    #[derive(Debug)]
    pub(crate) struct Losses {
        /// Lines lost since the loss was logged last.
        lost: AtomicU64,
        /// The time before which a loss is not logged again, ms of the monotonic clock.
        say_from_ms: AtomicU64,
    }
}

/// The right to change the rest. Dropping gives the right back.
pub(crate) struct RestGuard<'a>(&'a FileState);

impl FileState {
    /// Whether the file ends in the middle of a line.
    pub(crate) fn has_rest(&self) -> bool {
        self.len.load(Acquire) > 0
    }

    /// Takes the right to change the rest. `None`: another process, or another thread, has it.
    pub(crate) fn hold(&self) -> Option<RestGuard<'_>> {
        let own = process::id() as u32;
        let take_from = |holder| self.holder.compare_exchange(holder, own, AcqRel, Acquire);
        let is_taken = match take_from(0) {
            Ok(_) => true,
            // A holder that has died can't give the right back.
            Err(holder) => !process::is_alive(holder as process::Pid) && take_from(holder).is_ok(),
        };
        is_taken.then_some(RestGuard(self))
    }
}

impl Losses {
    /// Counts lines that could not be written.
    pub(crate) fn add(&self, lines: u64) {
        self.lost.fetch_add(lines, Relaxed);
    }

    /// The number of lost lines, if this process is to log it now: one process does, once a minute.
    pub(crate) fn to_say(&self, now_ms: impl FnOnce() -> u64) -> Option<u64> {
        if self.lost.load(Relaxed) == 0 {
            return None;
        }
        let (from, now) = (self.say_from_ms.load(Relaxed), now_ms());
        let is_time =
            now >= from && self.say_from_ms.compare_exchange(from, now + SAY_EVERY_MS, AcqRel, Relaxed).is_ok();
        is_time.then(|| self.lost.swap(0, Relaxed))
    }
}

impl RestGuard<'_> {
    /// The rest of the cut line, still to be written.
    pub(crate) fn get(&self) -> Vec<u8> {
        let len = self.0.len.load(Acquire) as usize;
        self.0.rest.iter().take(len).map(|byte| byte.load(Relaxed)).collect()
    }

    /// Replaces the rest.
    pub(crate) fn set(&self, rest: &[u8]) {
        let rest = if rest.len() > REST_MAX { b"\n" } else { rest };
        self.0.rest.iter().zip(rest).for_each(|(to, from)| to.store(*from, Relaxed));
        self.0.len.store(rest.len() as u32, Release);
    }
}

impl Drop for RestGuard<'_> {
    fn drop(&mut self) {
        self.0.holder.store(0, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::Shared;

    #[test]
    fn one_at_a_time_has_the_rest_in_hand() {
        let state = Shared::<FileState>::create("drover-test").unwrap();
        let held = state.hold().unwrap();
        held.set(b"rest\n");
        assert!(state.has_rest() && state.hold().is_none());
        drop(held);
        assert_eq!(state.hold().unwrap().get(), b"rest\n");
        state.hold().unwrap().set(&[b'x'; REST_MAX + 1]);
        assert_eq!(state.hold().unwrap().get(), b"\n", "its end at least");
        // A pid beyond the kernel's greatest (PID_MAX_LIMIT) is nobody's.
        state.holder.store(1 << 30, Relaxed);
        assert!(state.hold().is_some(), "what a dead process had in hand");
    }

    #[test]
    fn a_loss_is_said_once_a_minute() {
        let losses = Shared::<Losses>::create("drover-test").unwrap();
        assert_eq!(losses.to_say(|| unreachable!()), None);
        losses.add(3);
        assert_eq!(losses.to_say(|| 1000), Some(3));
        losses.add(4);
        assert_eq!(losses.to_say(|| 1000 + SAY_EVERY_MS - 1), None);
        losses.add(5);
        assert_eq!(losses.to_say(|| 1000 + SAY_EVERY_MS), Some(9));
    }
}
