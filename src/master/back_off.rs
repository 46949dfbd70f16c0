//! The pause between the death of a child and the start of its successor.

use std::time::Duration;

/// A child that lived less than this died at once.
const AT_ONCE: Duration = Duration::from_secs(1);
/// The first pause; each further death at once doubles it.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);

/// The number of children in a row that could not begin which is no accident.
const NO_ACCIDENT: u32 = 5;

/// The deaths on one seat of the plan. The first is mended immediately, since a kill or a crash may be an accident; a
/// death at every start must not become a fork loop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackOff {
    at_once: u32,
    /// Children in a row that could not begin.
    unbegun: u32,
}

impl BackOff {
    /// Counts a child that had been at work. Those that are killed say nothing of their successors.
    pub fn had_begun(&mut self) {
        self.unbegun = 0;
    }

    /// Counts a child that could not begin.
    pub fn could_not_begin(&mut self) {
        self.unbegun = self.unbegun.saturating_add(1);
    }

    /// Counts a child that could not begin, and whose successor can't begin either.
    pub fn can_not_begin(&mut self) {
        (self.unbegun, self.at_once) = (NO_ACCIDENT, u32::MAX - 1);
    }

    /// Whether the next child will probably not begin either.
    pub fn is_hopeless(&self) -> bool {
        self.unbegun >= NO_ACCIDENT
    }

    /// Counts a death, and returns the pause before the next start.
    pub fn died(&mut self, lived: Duration) -> Duration {
        if lived >= AT_ONCE {
            self.at_once = 0;
            return Duration::ZERO;
        }
        self.at_once = self.at_once.saturating_add(1);
        match self.at_once {
            1 => Duration::ZERO,
            n => FIRST.saturating_mul(1 << (n - 2).min(16)).min(LONGEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_deaths_at_once_wait_longer_and_longer() {
        let mut back_off = BackOff::default();
        let pauses: Vec<u128> = (0..9).map(|_| back_off.died(Duration::from_millis(5)).as_millis()).collect();
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(back_off.died(Duration::from_secs(60)), Duration::ZERO);
        assert_eq!(back_off.died(Duration::from_millis(5)), Duration::ZERO);
        assert_eq!(back_off.died(Duration::from_millis(5)), FIRST);
        assert!(!back_off.is_hopeless());
        back_off.can_not_begin();
        assert_eq!((back_off.died(Duration::ZERO), back_off.is_hopeless()), (LONGEST, true));
    }

    #[test]
    fn only_children_that_could_not_begin_make_it_hopeless() {
        let mut back_off = BackOff::default();
        for _ in 0..9 {
            back_off.had_begun();
            back_off.died(Duration::ZERO);
        }
        for count in 1..=NO_ACCIDENT {
            back_off.could_not_begin();
            assert_eq!(back_off.is_hopeless(), count == NO_ACCIDENT);
        }
        back_off.had_begun();
        assert!(!back_off.is_hopeless());
    }
}
