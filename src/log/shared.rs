//! Memory of the processes that append to one log file: the rest of a line that was cut in two, because the disk was
//! full, which whoever writes next writes first; and how many lines nobody could write.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use crate::os::{process, shareable};

/// Longest rest of a line that is kept, bytes; of a longer one only the line's end is.
const REST_MAX: usize = 64 << 10;

/// How often the loss of lines is said, ms.
const SAY_EVERY_MS: u64 = 60_000;

shareable! {
    /// Shared by the process that has opened the file and its children.
    #[derive(Debug)]
    pub struct FileState {
        /// The process that has `len` and `rest` in hand; 0: none.
        holder: AtomicU32,
        len: AtomicU32,
        rest: [AtomicU8; REST_MAX],
        /// Lines that were lost since that was last said.
        lost: AtomicU64,
        /// Before that it is not said again, ms of the monotonic clock.
        say_from_ms: AtomicU64,
    }
}

/// The right to change the rest. Given back when dropped.
pub struct Held<'a>(&'a FileState);

impl FileState {
    /// Whether the file ends in the middle of a line.
    pub fn has_rest(&self) -> bool {
        self.len.load(Acquire) > 0
    }

    /// `None`: another process, or another thread, has the rest in hand.
    pub fn hold(&self) -> Option<Held<'_>> {
        let own = process::id() as u32;
        let take_from = |holder| self.holder.compare_exchange(holder, own, AcqRel, Acquire);
        let is_taken = match take_from(0) {
            Ok(_) => true,
            // Its holder has died with it in hand.
            Err(holder) => !process::is_alive(holder as process::Pid) && take_from(holder).is_ok(),
        };
        is_taken.then_some(Held(self))
    }

    /// Counts lines that could not be written.
    pub fn lose(&self, lines: u64) {
        self.lost.fetch_add(lines, Relaxed);
    }

    /// How many lines were lost, if that is to be said now: by one process, once a minute.
    pub fn loss_to_say(&self, now_ms: impl FnOnce() -> u64) -> Option<u64> {
        if self.lost.load(Relaxed) == 0 {
            return None;
        }
        let (from, now) = (self.say_from_ms.load(Relaxed), now_ms());
        let is_time =
            now >= from && self.say_from_ms.compare_exchange(from, now + SAY_EVERY_MS, AcqRel, Relaxed).is_ok();
        is_time.then(|| self.lost.swap(0, Relaxed))
    }
}

impl Held<'_> {
    /// The part of the cut line that is still to be written.
    pub fn get(&self) -> Vec<u8> {
        let len = self.0.len.load(Acquire) as usize;
        self.0.rest.iter().take(len).map(|byte| byte.load(Relaxed)).collect()
    }

    /// Replaces it.
    pub fn set(&self, rest: &[u8]) {
        let rest = if rest.len() > REST_MAX { b"\n" } else { rest };
        self.0.rest.iter().zip(rest).for_each(|(to, from)| to.store(*from, Relaxed));
        self.0.len.store(rest.len() as u32, Release);
    }
}

impl Drop for Held<'_> {
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
        let state = Shared::<FileState>::create("drover-test").unwrap();
        assert_eq!(state.loss_to_say(|| unreachable!()), None);
        state.lose(3);
        assert_eq!(state.loss_to_say(|| 1000), Some(3));
        state.lose(4);
        assert_eq!(state.loss_to_say(|| 1000 + SAY_EVERY_MS - 1), None);
        state.lose(5);
        assert_eq!(state.loss_to_say(|| 1000 + SAY_EVERY_MS), Some(9));
    }
}
