//! The limits against clients that make work and get nothing done: frames of each kind are measured against the bytes
//! that the client has been sent and has sent of bodies.
//!
//! nginx compares all bytes of a connection with those of bodies (`total / 8 > payload + 1 MiB`), which lets 9,500
//! PINGs pass, and 20,000 SETTINGS as they are answered. Here each kind has a number that is free, and more of it has
//! to be earned.

use super::fault::{Counted, Fault};

/// How many are free, and how many bytes earn one more. A browser resets what its user leaves, a page at a time; nghttp
/// sends a PRIORITY for each stream and a WINDOW_UPDATE for each 32 KiB, others one for each DATA frame.
const LIMITS: [(Counted, u64, u64); 7] = [
    (Counted::Reset, 256, 4096),
    (Counted::Ping, 1000, 4096),
    (Counted::Settings, 100, 4096),
    (Counted::Priority, 1000, 256),
    (Counted::EmptyData, 100, 1024),
    (Counted::WindowUpdate, 2000, 64),
    (Counted::Ignored, 1000, 1024),
];

/// The counts of one connection.
#[derive(Debug, Default)]
pub(super) struct Guard {
    counts: [u32; LIMITS.len()],
    useful: u64,
}

impl Guard {
    /// Counts bytes of answers, or of bodies that come in.
    pub(super) fn earn(&mut self, bytes: u64) {
        self.useful = self.useful.saturating_add(bytes);
    }

    /// Counts a frame. Errors: there are too many of its kind.
    pub(super) fn count(&mut self, kind: Counted) -> Result<(), Fault> {
        let (_, free, price) = LIMITS[kind as usize];
        let count = &mut self.counts[kind as usize];
        *count = count.saturating_add(1);
        if u64::from(*count) > free + self.useful / price { Err(Fault::Flood(kind)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_stand_in_the_order_of_their_kinds() {
        assert!(LIMITS.iter().enumerate().all(|(at, (kind, ..))| *kind as usize == at));
    }

    #[test]
    fn frames_that_are_not_free_have_to_be_earned() {
        let mut guard = Guard::default();
        for _ in 0..256 {
            assert_eq!(guard.count(Counted::Reset), Ok(()));
        }
        assert_eq!(guard.count(Counted::Reset), Err(Fault::Flood(Counted::Reset)));
        guard.earn(8192);
        assert_eq!(guard.count(Counted::Reset), Ok(()));
        assert_eq!(guard.count(Counted::Reset), Err(Fault::Flood(Counted::Reset)));
        assert_eq!(guard.count(Counted::Ping), Ok(()), "each kind for itself");
    }
}
