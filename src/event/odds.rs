//! Whether a system call that may be in vain is worth a try.

/// A try that has paid outweighs two in vain: each use says what it saves and costs.
const FOR_A_HIT: u8 = 2;

/// No more is saved up: when nothing pays any more, this many tries are in vain.
const MOST: u8 = 32;

/// While tries don't pay, one of so many chances is taken all the same: the load may have changed.
const PROBE: u8 = 32;

/// Says yes while the last tries have paid, and otherwise now and then.
#[derive(Debug)]
pub struct Odds {
    /// Tries that may still be in vain.
    credit: u8,
    /// Chances since the last probe.
    untried: u8,
}

impl Default for Odds {
    fn default() -> Odds {
        Odds { credit: FOR_A_HIT, untried: 0 }
    }
}

impl Odds {
    /// Whether the next chance is to be tried. If so, `count` follows.
    pub fn are_good(&mut self) -> bool {
        if self.credit > 0 {
            return true;
        }
        self.untried = (self.untried + 1) % PROBE;
        self.untried == 0
    }

    /// Notes whether a try has paid.
    pub fn count(&mut self, has_paid: bool) {
        self.credit = if has_paid { (self.credit + FOR_A_HIT).min(MOST) } else { self.credit.saturating_sub(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries among `chances`, of which every `nth` pays.
    fn tries(odds: &mut Odds, chances: usize, nth: usize) -> usize {
        let is_tried = |n: &usize| {
            let tries = odds.are_good();
            if tries {
                odds.count(n.is_multiple_of(nth));
            }
            tries
        };
        (1..=chances).filter(is_tried).count()
    }

    #[test]
    fn tries_that_do_not_pay_become_rare_and_those_that_do_are_all_made() {
        let mut odds = Odds::default();
        assert_eq!(tries(&mut odds, 3200, usize::MAX), 2 + 99, "the first two, and then one in 32");
        assert!(tries(&mut odds, 1000, 1) > 960, "a probe finds out");
        assert_eq!(tries(&mut odds, 100, 3), 100, "a third of them pays");
        let vain = tries(&mut odds, 3200, usize::MAX);
        assert!((32..=32 + 100).contains(&vain), "{vain}");
        assert!(tries(&mut odds, 3200, 8) < 800, "an eighth does not pay");
    }
}
