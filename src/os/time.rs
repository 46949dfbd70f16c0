//! Clocks, and local time, which needs the time zone database and so the C library.

use std::ffi::CStr;
use std::fmt;
use std::mem::MaybeUninit;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The time of the clock that never jumps, in milliseconds: the same in all processes.
pub fn monotonic_ms() -> u64 {
    read(ClockId::CLOCK_MONOTONIC).as_millis() as u64
}

/// The time of that clock in microseconds.
pub fn monotonic_us() -> u64 {
    read(ClockId::CLOCK_MONOTONIC).as_micros() as u64
}

/// The time of that clock in nanoseconds, a tick (4 ms) late at most: for signs of life, at a quarter of the cost.
pub fn coarse_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC_COARSE).as_nanos() as u64
}

/// The time of a clock that every Linux has.
pub fn read(clock: ClockId) -> Duration {
    clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

/// A time in the local time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Full year.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
    /// Minutes east of UTC.
    pub offset_minutes: i32,
}

impl LocalTime {
    /// The local time of `unix` seconds. A time that doesn't fit the calendar is shown as the epoch.
    pub fn at(unix: i64) -> Self {
        let mut tm = MaybeUninit::<libc::tm>::zeroed();
        // SAFETY: both pointers are to values of this frame; localtime_r fills the second one and keeps neither. An
        // all-zero tm is a valid value (its zone pointer is null and never read).
        let tm = unsafe {
            libc::localtime_r(&unix, tm.as_mut_ptr());
            tm.assume_init()
        };
        Self {
            year: tm.tm_year.saturating_add(1900),
            month: tm.tm_mon as u8 + 1,
            day: tm.tm_mday as u8,
            hour: tm.tm_hour as u8,
            minute: tm.tm_min as u8,
            second: tm.tm_sec as u8,
            offset_minutes: (tm.tm_gmtoff / 60) as i32,
        }
    }

    /// The current time.
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self::at(since.map_or(0, |d| d.as_secs() as i64))
    }
}

/// The name of the local time zone at `unix` seconds: `UTC`, `CET`.
pub fn zone_name(unix: i64) -> Vec<u8> {
    let mut tm = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: as in `LocalTime::at`. The zone, where localtime_r has set one, is a text of the C library, which changes
    // it only where TZ changes, and nothing here sets that.
    unsafe {
        libc::localtime_r(&unix, tm.as_mut_ptr());
        let zone = tm.assume_init().tm_zone;
        if zone.is_null() { Vec::new() } else { CStr::from_ptr(zone).to_bytes().to_vec() }
    }
}

/// The error log's form: `2026/11/20 10:00:00`.
impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self;
        write!(f, "{:04}/{:02}/{:02} {:02}:{:02}:{:02}", t.year, t.month, t.day, t.hour, t.minute, t.second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_date() {
        for unix in [0_i64, 951_782_400, 1_700_000_000, 4_102_444_799] {
            let out =
                std::process::Command::new("date").args(["-d", &format!("@{unix}"), "+%Y/%m/%d %H:%M:%S %z"]).output();
            let expected = String::from_utf8(out.unwrap().stdout).unwrap();
            let t = LocalTime::at(unix);
            let sign = if t.offset_minutes < 0 { '-' } else { '+' };
            let offset = t.offset_minutes.abs();
            let text = format!("{t} {sign}{:02}{:02}", offset / 60, offset % 60);
            assert_eq!(text, expected.trim());
            let out = std::process::Command::new("date").args(["-d", &format!("@{unix}"), "+%Z"]).output();
            assert_eq!(zone_name(unix), out.unwrap().stdout.trim_ascii());
        }
    }
}
