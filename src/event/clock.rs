//! The time of a turn of the loop: read once, written out once a second.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use nix::time::ClockId;

use crate::os::time::{LocalTime, read};

/// nginx's months, whatever the locale.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The current time, as of the last `update`, in every form that a response or a log line needs.
#[derive(Debug)]
pub struct Clock {
    now_ms: u64,
    turn_ns: u64,
    unix_ms: u64,
    /// The second that the texts show.
    shown_s: u64,
    http_date: [u8; 29],
    log_time: String,
    iso8601: String,
}

impl Clock {
    /// A clock that shows the present.
    pub fn new() -> Clock {
        let mut clock = Clock {
            now_ms: 0,
            turn_ns: 0,
            unix_ms: 0,
            shown_s: u64::MAX,
            http_date: [b' '; 29],
            log_time: String::with_capacity(26),
            iso8601: String::with_capacity(25),
        };
        clock.update();
        clock
    }

    /// Reads the time: two calls into the vDSO, no system call. The wall clock is the coarse one (a tick, 4 ms, behind
    /// at most), because nothing but dates is made of it.
    pub fn update(&mut self) {
        let unix = read(ClockId::CLOCK_REALTIME_COARSE);
        let now = read(ClockId::CLOCK_MONOTONIC);
        self.set(now.as_millis() as u64, unix.as_millis() as u64);
        self.turn_ns = now.as_nanos() as u64;
    }

    /// Shows a given time: milliseconds of the monotonic clock and since 1970.
    pub fn set(&mut self, now_ms: u64, unix_ms: u64) {
        (self.now_ms, self.turn_ns, self.unix_ms) = (now_ms, now_ms * 1_000_000, unix_ms);
        if self.shown_s != unix_ms / 1000 {
            self.shown_s = unix_ms / 1000;
            self.write_texts();
        }
    }

    fn write_texts(&mut self) {
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(self.shown_s));
        if let Ok(date) = date.as_bytes().try_into() {
            self.http_date = date;
        }
        let t = LocalTime::at(i64::try_from(self.shown_s).unwrap_or(0));
        let month = MONTHS.get(usize::from(t.month) - 1).unwrap_or(&"Jan");
        let sign = if t.offset_minutes < 0 { '-' } else { '+' };
        let (hours, minutes) = (t.offset_minutes.abs() / 60, t.offset_minutes.abs() % 60);
        let LocalTime { year, day, hour, minute, second, .. } = t;
        for text in [&mut self.log_time, &mut self.iso8601] {
            text.clear();
        }
        // Writing to a String can't fail.
        let _ = write!(
            self.log_time,
            "{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} {sign}{hours:02}{minutes:02}"
        );
        let _ = write!(
            self.iso8601,
            "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{sign}{hours:02}:{minutes:02}",
            t.month
        );
    }

    /// The next moment that is `seconds` after a local midnight, in seconds since 1970.
    pub fn next_time_of_day(&self, seconds: i64) -> i64 {
        let now = i64::try_from(self.shown_s).unwrap_or(0);
        let t = LocalTime::at(now);
        let since_midnight = i64::from(t.hour) * 3600 + i64::from(t.minute) * 60 + i64::from(t.second);
        let today = now - since_midnight + seconds;
        if today > now { today } else { today + 86_400 }
    }

    /// Milliseconds of a clock that never jumps; for timers. Its zero is the start of the machine.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Nanoseconds from the start of a turn until now: one call into the vDSO.
    pub fn since_ns(&self, turn_ns: u64) -> u64 {
        (read(ClockId::CLOCK_MONOTONIC).as_nanos() as u64).saturating_sub(turn_ns)
    }

    /// When the turn began, in nanoseconds of the clock that never jumps.
    pub fn turn_ns(&self) -> u64 {
        self.turn_ns
    }

    /// Seconds since 1970.
    pub fn unix_s(&self) -> u64 {
        self.shown_s
    }

    /// Milliseconds since 1970.
    pub fn unix_ms(&self) -> u64 {
        self.unix_ms
    }

    /// The value of a Date header: `Fri, 20 Nov 2026 10:00:00 GMT`.
    pub fn http_date(&self) -> &[u8; 29] {
        &self.http_date
    }

    /// nginx's `$time_local`: `20/Nov/2026:10:00:00 +0000`.
    pub fn log_time(&self) -> &str {
        &self.log_time
    }

    /// nginx's `$time_iso8601`: `2026-11-20T10:00:00+00:00`.
    pub fn iso8601(&self) -> &str {
        &self.iso8601
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_change_with_the_second_only() {
        let mut clock = Clock::new();
        clock.set(5, 784_111_777_000);
        assert_eq!(clock.http_date(), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!((clock.log_time().len(), clock.iso8601().len()), (26, 25));
        let before = clock.iso8601().as_ptr();
        clock.set(6, 784_111_777_999);
        assert_eq!((clock.now_ms(), clock.unix_ms(), clock.unix_s()), (6, 784_111_777_999, 784_111_777));
        assert_eq!(clock.http_date(), b"Sun, 06 Nov 1994 08:49:37 GMT");
        clock.set(7, 784_111_778_000);
        assert_eq!(clock.http_date(), b"Sun, 06 Nov 1994 08:49:38 GMT");
        assert_eq!(clock.iso8601().as_ptr(), before, "the texts are rewritten in place");
    }

    #[test]
    fn local_texts_agree_with_date() {
        let mut clock = Clock::new();
        clock.set(0, 1_700_000_000_000);
        let out = std::process::Command::new("date")
            .env("LC_ALL", "C")
            .args(["-d", "@1700000000", "+%d/%b/%Y:%H:%M:%S %z|%Y-%m-%dT%H:%M:%S%:z"])
            .output()
            .unwrap();
        assert_eq!(format!("{}|{}\n", clock.log_time(), clock.iso8601()), String::from_utf8(out.stdout).unwrap());
    }

    #[test]
    fn the_present_is_shown() {
        let mut clock = Clock::new();
        let first = clock.now_ms();
        let real = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        clock.update();
        assert!(clock.now_ms() >= first);
        assert!(clock.unix_ms().abs_diff(real) < 1000);
    }
}
