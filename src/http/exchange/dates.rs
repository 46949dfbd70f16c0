//! The time in words: variables of nginx's `ngx_http_ssi_filter_module.c`, in its form where nothing sets another.

use super::cx::{Cx, Embedded};
use super::variables::put;
use crate::http::message::date;
use crate::os::time::{LocalTime, zone_name};

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// `Sunday, 06-Nov-1994 08:49:37 GMT` for `Sun, 06 Nov 1994 08:49:37 GMT`, with another zone.
fn words(date: &[u8; date::LEN], zone: &[u8]) -> Vec<u8> {
    let day = DAYS.iter().find(|day| day.as_bytes().starts_with(&date[..3])).copied().unwrap_or_default();
    [day.as_bytes(), b", ", &date[5..7], b"-", &date[8..11], b"-", &date[12..26], zone].concat()
}

fn local(cx: &Cx) -> Vec<u8> {
    let unix = cx.clock.unix_s() as i64;
    let offset = i64::from(LocalTime::at(unix).offset_minutes) * 60;
    words(&date::format(unix.saturating_add(offset)), &zone_name(unix))
}

/// The variables that this file computes.
pub static VARIABLES: &[Embedded] = &[
    Embedded::ours("date_gmt", "the time in UTC, Sunday, 06-Nov-1994 08:49:37 GMT", |_, cx, out| {
        put(out, Some(&words(cx.clock.http_date(), b"GMT")))
    }),
    Embedded::ours("date_local", "the same in local time, with the name of its zone", |_, cx, out| {
        put(out, Some(&local(cx)))
    }),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_in_nginx_s_form() {
        let date = |unix| String::from_utf8(words(&date::format(unix), b"CET")).unwrap();
        assert_eq!(date(784_111_777), "Sunday, 06-Nov-1994 08:49:37 CET");
        assert_eq!(date(0), "Thursday, 01-Jan-1970 00:00:00 CET");
    }
}
