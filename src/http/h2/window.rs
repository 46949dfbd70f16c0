//! Flow control (RFC 9113, section 5.2).

use super::frame::MAX_31;

/// The window that holds without a setting, and always that of a new connection (RFC 9113, section 6.9.2).
pub(super) const DEFAULT_WINDOW: u32 = 65_535;

/// How many bytes of DATA the client takes. A setting may make it negative (RFC 9113, section 6.9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SendWindow(i64);

impl SendWindow {
    pub(super) fn new(size: u32) -> SendWindow {
        SendWindow(size.into())
    }

    /// The bytes that may be sent now.
    pub(super) fn room(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    pub(super) fn take(&mut self, bytes: usize) {
        self.0 -= bytes as i64;
    }

    /// Grows, or shrinks by a setting. `false`: beyond the largest window.
    pub(super) fn change(&mut self, by: i64) -> bool {
        self.0 += by;
        self.0 <= i64::from(MAX_31)
    }
}

/// How many bytes of DATA the client may send. Bodies are dropped as they come, so that a window is given back as soon
/// as half of it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecvWindow {
    size: u32,
    left: u32,
}

impl RecvWindow {
    pub(super) fn new(size: u32) -> RecvWindow {
        RecvWindow { size, left: size }
    }

    /// Takes bytes of a frame, padding included. `false`: the client had no leave to send them.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        match u32::try_from(bytes).ok().and_then(|bytes| self.left.checked_sub(bytes)) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// The growth that is due, if any: to be told to the client.
    pub(super) fn give_back(&mut self) -> Option<u32> {
        let used = self.size - self.left;
        if used == 0 || self.left > self.size / 2 {
            return None;
        }
        self.left = self.size;
        Some(used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_for_sending_may_be_negative_and_not_too_large() {
        let mut window = SendWindow::new(10);
        window.take(10);
        assert_eq!(window.room(), 0);
        assert!(window.change(-5));
        assert_eq!(window.room(), 0);
        assert!(window.change(6));
        assert_eq!(window.room(), 1);
        assert!(window.change(i64::from(MAX_31) - 1));
        assert!(!window.change(1));
    }

    #[test]
    fn a_window_for_receiving_is_given_back_by_halves() {
        let mut window = RecvWindow::new(100);
        assert!(window.take(49));
        assert_eq!(window.give_back(), None);
        assert!(window.take(1));
        assert_eq!(window.give_back(), Some(50));
        assert!(!window.take(101));
        assert!(window.take(100));
        assert_eq!((window.give_back(), window.give_back()), (Some(100), None));
        assert_eq!(RecvWindow::new(0).give_back(), None);
    }
}
