//! Times that two servers, asked one after the other, can't have alike: told by the Date of the same answer.

use std::time::UNIX_EPOCH;

/// The value of Expires. A time that is counted from now is told by its distance; a fixed one (`expires max`, `epoch`)
/// is years away.
pub fn expires(value: &str, date: &str) -> String {
    let seconds =
        |text: &str| Some(httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs() as i64);
    match (seconds(value), seconds(date)) {
        (Some(then), Some(now)) if (then - now).abs() < 5 * 366 * 86_400 => format!("<date> + {}", then - now),
        _ => value.to_owned(),
    }
}

/// A value with the time in the words of `$date_gmt`, where that is the time of Date.
pub fn in_words(value: &str, date: &str) -> String {
    let time: Vec<&str> = date.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let [weekday, day, month, year, clock, "GMT"] = time[..] else { return value.to_owned() };
    value.replace(&format!(", {day}-{month}-{year} {clock} "), ", <date> ").replace(weekday, "<weekday>")
}
