//! `echo_upper`: sends back what comes, with ASCII letters in upper case.

use super::step::Step;

/// Answers a chunk, which is whatever arrived together.
pub fn answer(input: &[u8], out: &mut Vec<u8>, enough: usize) -> Step {
    let used = input.len().min(enough.saturating_sub(out.len()));
    let chunk = input.get(..used).unwrap_or_default();
    out.extend(chunk.iter().map(u8::to_ascii_uppercase));
    Step { used, answered: u32::from(used > 0), fault: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_ascii_are_raised_and_all_else_is_kept() {
        let (mut out, chunk) = (b"<".to_vec(), "az AZ 09 \0 \u{e4}\r\n".as_bytes());
        let step = answer(chunk, &mut out, 100);
        assert_eq!(out, "<AZ AZ 09 \0 \u{e4}\r\n".as_bytes());
        assert_eq!((step.used, step.answered), (chunk.len(), 1));
    }

    #[test]
    fn no_more_is_taken_than_there_is_room_for() {
        let mut out = b"123".to_vec();
        assert_eq!((answer(b"abc", &mut out, 5).used, &out[..]), (2, &b"123AB"[..]));
        let step = answer(b"c", &mut out, 5);
        assert_eq!((step.used, step.answered, out.len()), (0, 0, 5));
    }
}
