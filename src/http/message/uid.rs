//! The marks that clients get in a cookie: 16 bytes, in the forms of nginx's `ngx_http_userid_filter_module.c`.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The mark of a client, four words in the order of their bytes. All zeros stand for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uid([u8; 16]);

/// The way a new mark is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `userid v1`: words whose low bytes come first. Begins with this word.
    V1(u32),
    /// `userid on`: words whose high bytes come first. Begins with these bytes, of an address or of a number.
    V2([u8; 4]),
}

/// Letters of base64 that hold a mark.
pub const LETTERS: usize = 22;

/// Padding is not needed, and spare bits in the last letter count for nothing (`ngx_decode_base64`).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// The numbers of the marks that this process has given, in steps of 0x100. A child that is forked goes on where its
/// parent was, with a pid of its own.
static V1_SEQUENCE: AtomicU32 = AtomicU32::new(1);
static V2_SEQUENCE: AtomicU32 = AtomicU32::new(FIRST_V2);
const FIRST_V2: u32 = 0x0303_0302;
const STEP: u32 = 0x100;

/// The process, and the word that tells it from the others that gave marks in the same second.
static STARTED: AtomicU64 = AtomicU64::new(0);

/// Bits of a pid: Linux has none above 4,194,304.
const PID_BITS: u32 = 22;

/// The word of this process: its pid, and as much of the time of its first mark as fits. nginx puts 16 bits of the time
/// over the upper half of the pid, so that two processes may share a word where pids are larger than that.
fn process_word(now_ms: u64) -> u32 {
    let pid = std::process::id();
    let known = STARTED.load(Ordering::Relaxed);
    if known >> 32 == u64::from(pid) {
        return known as u32;
    }
    let word = ((now_ms % 1000) as u32) << PID_BITS | pid;
    // Another thread may have been first: all threads of a process use its word.
    match STARTED.compare_exchange(known, u64::from(pid) << 32 | u64::from(word), Ordering::Relaxed, Ordering::Relaxed)
    {
        Ok(_) => word,
        Err(theirs) => theirs as u32,
    }
}

/// The next number of `sequence`, never one under `first`.
fn next(sequence: &AtomicU32, first: u32) -> u32 {
    let following = |number: u32| Some(number.wrapping_add(STEP).max(first));
    sequence.fetch_update(Ordering::Relaxed, Ordering::Relaxed, following).unwrap_or(first)
}

impl Uid {
    /// A mark that no other client has.
    pub fn new(form: Form, now_ms: u64) -> Uid {
        let (time, process) = ((now_ms / 1000) as u32, process_word(now_ms));
        let mut bytes = [0; 16];
        let words = match form {
            Form::V1(first) => [first, time, process, next(&V1_SEQUENCE, 1)].map(u32::to_le_bytes),
            Form::V2(first) => {
                let [time, process, number] = [time, process, next(&V2_SEQUENCE, FIRST_V2)].map(u32::to_be_bytes);
                [first, time, process, number]
            }
        };
        bytes.chunks_exact_mut(4).zip(words).for_each(|(place, word)| place.copy_from_slice(&word));
        Uid(bytes)
    }

    /// The mark in the first letters of a cookie. `None`: these letters are no base64.
    pub fn decode(letters: &[u8]) -> Option<Uid> {
        let letters = &letters[..letters.len().min(LETTERS)];
        let end = memchr::memchr(b'=', letters).unwrap_or(letters.len());
        let mut bytes = [0; 16];
        let decoded = BASE64.decode(&letters[..end]).ok()?;
        bytes.iter_mut().zip(decoded).for_each(|(place, byte)| *place = byte);
        Some(Uid(bytes))
    }

    /// Whether there is a mark.
    pub fn is_some(self) -> bool {
        self.0[12..] != [0; 4]
    }

    /// Appends the mark as a cookie has it, without padding.
    pub fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(BASE64.encode(self.0).as_bytes().get(..LETTERS).unwrap_or_default());
    }

    /// The four words as a log shows them.
    pub fn hex(self) -> String {
        let word = |bytes: &[u8]| bytes.iter().rev().map(|byte| format!("{byte:02X}")).collect::<String>();
        self.0.chunks_exact(4).map(word).collect()
    }
}

/// The time of a cookie's `expires` from an HTTP date; browsers once took years of two digits only
/// (`ngx_http_cookie_time`).
pub fn cookie_time(date: &[u8; super::date::LEN]) -> Vec<u8> {
    let year = &date[12..16];
    let year = if year > b"2037".as_slice() { year } else { &year[2..] };
    [&date[..7], b"-", &date[8..11], b"-", year, &date[16..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::message::date;
    use std::collections::HashSet;

    #[test]
    fn forms_are_those_of_nginx() {
        // The example of nginx's manual: a cookie, and its words in a log.
        let uid = Uid::decode(b"fwAAAUvCYwhBeQDeAwMDAg==").unwrap();
        assert_eq!(uid.hex(), "0100007F0863C24BDE00794102030303");
        let mut letters = Vec::new();
        uid.encode(&mut letters);
        assert_eq!(letters, b"fwAAAUvCYwhBeQDeAwMDAg");
        assert!(uid.is_some());
    }

    #[test]
    fn what_is_no_mark_is_told() {
        assert_eq!(Uid::decode(b"AAAAAAAAAAAAAAAAAAAAAA"), Some(Uid::default()));
        assert!(!Uid::default().is_some());
        assert_eq!(
            Uid::decode(b"fwAA=============================").unwrap().hex(),
            format!("0000007F{}", "0".repeat(24))
        );
        assert_eq!(Uid::decode(b"fwAAA================="), None, "a letter too many");
        assert_eq!(Uid::decode(b"fwAAA.vCYwhBeQDeAwMDAg"), None);
    }

    #[test]
    fn new_marks_hold_the_time_and_the_process() {
        let now_ms = 0x6543_2100 * 1000 + 7;
        let word = |uid: Uid, n: usize| u32::from_be_bytes(uid.0[4 * n..][..4].try_into().unwrap());
        let uid = Uid::new(Form::V2([127, 0, 0, 1]), now_ms);
        assert_eq!((word(uid, 0), word(uid, 1)), (0x7f00_0001, 0x6543_2100));
        assert_eq!(word(uid, 2) & ((1 << PID_BITS) - 1), std::process::id());
        assert!(word(uid, 3) >= FIRST_V2 && word(uid, 3) & 0xff == 2);
        let old = Uid::new(Form::V1(5), now_ms);
        assert_eq!((word(old, 0), word(old, 1)), (0x0500_0000, 0x0021_4365));
        assert_eq!(word(old, 2).swap_bytes(), word(uid, 2));
        assert_eq!(word(old, 3).swap_bytes() & 0xff, 1);
    }

    #[test]
    fn marks_of_many_threads_differ() {
        let give = || (0..1000).map(|_| Uid::new(Form::V2([0; 4]), 1_000).0).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(give)).collect();
        let all: HashSet<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(all.len(), 4000);
    }

    #[test]
    fn numbers_begin_anew_behind_the_last() {
        let sequence = AtomicU32::new(0xffff_ff02);
        assert_eq!([(); 3].map(|()| next(&sequence, FIRST_V2)), [0xffff_ff02, FIRST_V2, FIRST_V2 + STEP]);
    }

    #[test]
    fn years_have_two_digits_up_to_2037() {
        let time = |seconds| String::from_utf8(cookie_time(&date::format(seconds))).unwrap();
        assert_eq!(time(2_145_916_555), "Thu, 31-Dec-37 23:55:55 GMT");
        assert_eq!(time(2_145_916_800), "Fri, 01-Jan-2038 00:00:00 GMT");
        assert_eq!(time(0), "Thu, 01-Jan-70 00:00:00 GMT");
    }
}
