//! A short text in shared memory: one writer, any number of readers, nobody waits.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering, fence};

use crate::os::shareable;

shareable! {
    /// At most `N` bytes, behind a sequence lock: readers see an old or the new text, never half of each. `version` is
    /// odd while the text is written, and a reader that saw it change tries again.
    #[derive(Debug)]
    pub struct Text[N] {
        version: AtomicU32,
        len: AtomicU32,
        bytes: [AtomicU8; N],
    }
}

impl<const N: usize> Text<N> {
    /// Replaces the text; a text longer than `N` bytes is cut between two characters. For the one writer.
    pub fn set(&self, text: &str) {
        let len = (0..=N.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (to, from) in self.bytes.iter().zip(text.as_bytes().iter().take(len)) {
            to.store(*from, Ordering::Relaxed);
        }
        self.len.store(len as u32, Ordering::Relaxed);
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// The text. When the writer has died half-way, the bytes that are there, after at most 0.2 s.
    pub fn get(&self) -> String {
        let mut bytes = Vec::with_capacity(N);
        for attempt in 0..4000 {
            let version = self.version.load(Ordering::Acquire);
            let len = self.len.load(Ordering::Relaxed) as usize;
            bytes.clear();
            bytes.extend(self.bytes.iter().take(len).map(|b| b.load(Ordering::Relaxed)));
            fence(Ordering::Acquire);
            if version.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == version {
                break;
            }
            if attempt < 100 {
                std::hint::spin_loop();
            } else {
                // The writer has lost the CPU, or is dead.
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::SharedMap;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let text = SharedMap::<Text<5>>::create("drover-test").unwrap();
        assert_eq!(text.get(), "");
        text.set("abc");
        assert_eq!(text.get(), "abc");
        text.set("abcdé");
        assert_eq!(text.get(), "abcd");
    }

    #[test]
    fn a_reader_never_sees_two_texts_mixed() {
        let text = SharedMap::<Text<64>>::create("drover-test").unwrap();
        let (a, b) = ("a".repeat(64), "b".repeat(50));
        text.set(&a);
        std::thread::scope(|scope| {
            scope.spawn(|| (0..20_000).for_each(|n| text.set(if n % 2 == 0 { &b } else { &a })));
            for _ in 0..20_000 {
                let seen = text.get();
                assert!(seen == a || seen == b, "{seen}");
            }
        });
    }
}
