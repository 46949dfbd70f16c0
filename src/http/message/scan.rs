//! Searches in the short texts of a head, eight bytes at a time. For texts of less than about 40 bytes a call of
//! `memchr`, which works with longer vectors, costs more than the whole search here.

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGHEST_BITS: u64 = 0x80 * EACH;

/// The index of the first byte that is `wanted`.
#[inline]
pub(super) fn find(text: &[u8], wanted: u8) -> Option<usize> {
    find_by(text, 0, |word| equal(word, wanted), |byte| byte == wanted)
}

/// The index of the first byte that is `a` or `b`.
#[inline]
pub(super) fn find_either(text: &[u8], a: u8, b: u8) -> Option<usize> {
    find_by(text, 0, |word| equal(word, a) | equal(word, b), |byte| byte == a || byte == b)
}

/// The index, from `from` on, of the first control character: a byte below the space, or DEL.
#[inline]
pub(super) fn find_control(text: &[u8], from: usize) -> Option<usize> {
    find_by(text, from, |word| below(word, b' ') | equal(word, 0x7f), |byte| byte < b' ' || byte == 0x7f)
}

/// The index of the first byte that is a control character or a space.
#[inline]
pub(super) fn find_blank(text: &[u8]) -> Option<usize> {
    find_by(text, 0, |word| below(word, b' ' + 1) | equal(word, 0x7f), |byte| byte <= b' ' || byte == 0x7f)
}

/// The highest bit of the first byte of `word` that is `wanted`, the byte of lowest value being the first; perhaps of
/// others behind it.
fn equal(word: u64, wanted: u8) -> u64 {
    below(word ^ (u64::from(wanted) * EACH), 1)
}

/// The same for a byte below `limit`, which is 128 at most: the subtraction borrows from such a byte first.
fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(u64::from(limit) * EACH) & !word & HIGHEST_BITS
}

/// `marks` tells of eight bytes what `is_it` tells of one.
#[inline]
fn find_by(text: &[u8], mut from: usize, marks: impl Fn(u64) -> u64, is_it: impl Fn(u8) -> bool) -> Option<usize> {
    let (words, rest) = text.get(from..)?.as_chunks();
    for word in words {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return Some(from + marks.trailing_zeros() as usize / 8);
        }
        from += word.len();
    }
    rest.iter().position(|byte| is_it(*byte)).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_found_where_a_look_at_each_byte_finds_it(
            text in proptest::collection::vec(any::<u8>(), 0..40),
            from in 0usize..45,
            (a, b) in any::<(u8, u8)>(),
        ) {
            let slow = |is_it: &dyn Fn(u8) -> bool| (from..text.len()).find(|at| is_it(text[*at]));
            prop_assert_eq!(find(&text, a), text.iter().position(|byte| *byte == a));
            prop_assert_eq!(find_control(&text, from), slow(&|byte| byte.is_ascii_control()));
            prop_assert_eq!(find_either(&text, a, b), text.iter().position(|byte| *byte == a || *byte == b));
            let is_blank = |byte: &u8| *byte == b' ' || byte.is_ascii_control();
            prop_assert_eq!(find_blank(&text), text.iter().position(is_blank));
        }
    }
}
