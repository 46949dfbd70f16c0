//! The marks of `userid`: no two servers give the same, so that a new one is told by its time and its first word.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The letters of base64 in a cookie.
const LETTERS: usize = 22;

/// How a mark that was made just now begins: its first word, and whether the others have their high bytes first.
/// `None`: it was not.
fn new(bytes: &[u8]) -> Option<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs() as u32;
    let word = |n: usize| bytes.get(4 * n..4 * n + 4)?.try_into().ok();
    let is_now = |time: u32| now.abs_diff(time) < 600;
    let time: [u8; 4] = word(1)?;
    let last: [u8; 4] = word(3)?;
    let first = bytes[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match (is_now(u32::from_be_bytes(time)), is_now(u32::from_le_bytes(time))) {
        (true, _) => Some(format!("<new v2 mark, {first}, step {:02x}>", last[3])),
        (_, true) => Some(format!("<new v1 mark, {first}, step {:02x}>", last[0])),
        _ => None,
    }
}

/// The value of Set-Cookie, with a placeholder for a new mark, and for a time that is not the end of 2037.
pub fn cookie(value: &str) -> String {
    let Some((name, rest)) = value.split_once('=') else { return value.to_owned() };
    let Some((letters, rest)) = rest.split_at_checked(LETTERS) else { return value.to_owned() };
    let mark = STANDARD.decode(format!("{letters}==")).ok().and_then(|bytes| new(&bytes));
    let rest = match rest.split_once("; expires=") {
        Some((before, after)) if !after.starts_with("Thu, 31-Dec-37") => format!("{before}; expires={}", time(after)),
        _ => rest.to_owned(),
    };
    format!("{name}={}{rest}", mark.as_deref().unwrap_or(letters))
}

/// `Sun, 29-Nov-26 20:00:00 GMT; ...` by its distance in hours.
fn time(text: &str) -> String {
    let (time, rest) = text.split_at(text.find(" GMT").expect("a time in GMT") + 4);
    let parts: Vec<&str> = time.split([' ', '-']).collect();
    let [weekday, day, month, year, clock, "GMT"] = parts[..] else { return text.to_owned() };
    let year = if year.len() == 2 { format!("20{year}") } else { year.to_owned() };
    let then = httpdate::parse_http_date(&format!("{weekday} {day} {month} {year} {clock} GMT")).expect("a time");
    let hours = then.duration_since(SystemTime::now()).expect("a time to come").as_secs().div_ceil(3600);
    format!("<{} digits, in {hours} h>{rest}", parts[3].len())
}

/// The value of `$uid_set` or `$uid_got`, likewise.
pub fn words(value: &str) -> String {
    let Some((name, hex)) = value.split_once('=') else { return value.to_owned() };
    let word = |n: usize| u32::from_str_radix(hex.get(8 * n..8 * n + 8)?, 16).ok().map(u32::to_le_bytes);
    let bytes: Option<Vec<[u8; 4]>> = (0..4).map(word).collect();
    let mark = bytes.and_then(|bytes| new(&bytes.concat()));
    format!("{name}={}", mark.as_deref().unwrap_or(hex))
}
