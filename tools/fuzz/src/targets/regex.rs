//! The patterns of a conf, and what clients send to them.

use drover::http::site::regex::{Captures, Regex};

/// The input is a pattern, a line feed and a text. Captures lie in the text, and a match that never ends comes back as
/// an error.
pub(super) fn regex(input: &[u8]) {
    let cut = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let Ok(pattern) = std::str::from_utf8(&input[..cut]) else { return };
    let text = &input[cut..input.len().min(cut + 200)];
    let Ok(regex) = Regex::new(pattern, input.len().is_multiple_of(2)) else { return };
    let mut captures = Captures::default();
    if regex.captures(text, &mut captures) == Ok(true) {
        assert!(regex.groups() == 0 || captures.get(0).is_some());
        assert!(captures.get(regex.groups() + 1).is_none());
    }
}
