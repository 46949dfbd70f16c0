//! The pace of a response that must not go out faster (`ngx_http_write_filter`).

use crate::http::answer::limit_rate::Rate;

/// A response, and how much of it has gone out.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    /// Bytes sent; below 0 while responses in front of it are on their way.
    sent: i64,
    /// The next bytes go out then, ms of the clock.
    paused_until_ms: Option<u64>,
    /// The socket has something to say, which the next send finds out.
    pub(super) is_alarmed: bool,
}

/// The next step of a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many bytes may go out.
    Send(usize),
    /// Nothing, until then.
    PauseUntil(u64),
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Pace {
    /// A response behind `ahead` bytes of others.
    pub(super) fn new(rate: Rate, ahead: u64) -> Pace {
        Pace { rate, sent: -signed(ahead), paused_until_ms: None, is_alarmed: false }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused_until_ms.is_some()
    }

    /// The end of the pause under way, ms of the clock.
    pub(super) fn paused_until(&self) -> Option<u64> {
        self.paused_until_ms
    }

    /// Bytes sent that count.
    fn counted(&self) -> i64 {
        self.sent.saturating_sub(signed(self.rate.after))
    }

    /// The next step at `now_ms`.
    pub(super) fn step(&mut self, now_ms: u64) -> Step {
        let is_alarmed = std::mem::take(&mut self.is_alarmed);
        if let Some(until) = self.paused_until_ms.filter(|until| now_ms < *until && !is_alarmed) {
            return Step::PauseUntil(until);
        }
        self.paused_until_ms = None;
        // nginx counts in whole seconds, of which the one under way is the first.
        let seconds = signed((now_ms / 1000).saturating_sub(self.rate.started_ms / 1000) + 1);
        let rate = signed(self.rate.bytes);
        match rate.saturating_mul(seconds).saturating_sub(self.counted()) {
            more @ 1.. => Step::Send(usize::try_from(more).unwrap_or(usize::MAX)),
            _ if is_alarmed => Step::Send(1),
            less => {
                let ms = less.saturating_neg().saturating_mul(1000) / rate + 1;
                Step::PauseUntil(self.pause(now_ms, ms))
            }
        }
    }

    /// Counts bytes that have been sent. Returns the end of the pause that follows.
    pub(super) fn count(&mut self, bytes: u64, now_ms: u64) -> Option<u64> {
        let before = self.counted().max(0);
        self.sent = self.sent.saturating_add(signed(bytes));
        let ms = (self.counted().max(0) - before).saturating_mul(1000) / signed(self.rate.bytes);
        (ms > 0).then(|| self.pause(now_ms, ms))
    }

    fn pause(&mut self, now_ms: u64, ms: i64) -> u64 {
        let until = now_ms.saturating_add(ms.unsigned_abs());
        self.paused_until_ms = Some(until);
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(bytes: u64, after: u64, ahead: u64) -> Pace {
        Pace::new(Rate { bytes, after, started_ms: 5000 }, ahead)
    }

    #[test]
    fn a_response_goes_out_at_its_rate() {
        let mut pace = pace(1000, 0, 0);
        assert_eq!(pace.step(5000), Step::Send(1000));
        assert_eq!(pace.count(1000, 5000), Some(6000));
        assert!(pace.is_paused());
        assert_eq!(pace.step(5999), Step::PauseUntil(6000));
        assert_eq!(pace.step(6000), Step::Send(1000));
        assert_eq!(pace.count(100, 6000), Some(6100));
        assert_eq!(pace.step(6100), Step::Send(900), "of this second");
        assert_eq!(pace.count(0, 6100), None);
        assert_eq!(pace.count(900, 6100), Some(7000));
        assert_eq!(pace.step(9000), Step::Send(3000), "what it was late may be made up for");
    }

    #[test]
    fn the_first_bytes_and_those_of_others_do_not_count() {
        let mut first = pace(1000, 500, 0);
        assert_eq!(first.step(5500), Step::Send(1500));
        assert_eq!(first.count(500, 5500), None);
        assert_eq!(first.count(100, 5500), Some(5600));
        let mut behind = pace(1000, 0, 300);
        assert_eq!(behind.step(5500), Step::Send(1300));
        assert_eq!(behind.count(300, 5500), None);
        assert_eq!(behind.count(1000, 5500), Some(6500));
    }

    #[test]
    fn what_has_gone_out_too_fast_is_waited_for() {
        let mut pace = pace(1000, 0, 0);
        pace.sent = 4000;
        assert_eq!(pace.step(5000), Step::PauseUntil(8001));
        pace.is_alarmed = true;
        assert_eq!(pace.step(5001), Step::Send(1), "a socket that has failed says so to whoever sends");
        assert_eq!(pace.step(5001), Step::PauseUntil(8002));
        let mut any = super::tests::pace(u64::MAX, u64::MAX, u64::MAX);
        assert_eq!(any.step(u64::MAX), Step::Send(usize::try_from(i64::MAX).unwrap()));
    }
}
