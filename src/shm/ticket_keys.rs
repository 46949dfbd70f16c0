//! The keys of session tickets, in memory that all processes of the service share: a client resumes its session in
//! whichever process it comes to, also after a reload.
//!
//! The keys have numbers, counted from 1; key n stands at place n % PLACES. The master alone makes keys. The last two
//! are in use, so that a place changes when its key has been out of use for two rotations.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::os::{SharedMap, shareable};

const PLACES: usize = 4;

/// Words of a key: a name of two, by which its tickets are known, and a secret of four.
const WORDS: usize = 6;

/// A key: the name that its tickets bear, and the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketKey {
    /// The name.
    pub name: [u8; 16],
    /// The secret.
    pub secret: [u8; 32],
}

shareable! {
    struct Memory {
        /// The number of the newest key.
        newest: AtomicU64,
        /// When it was made, seconds since 1970.
        made: AtomicU64,
        words: [[AtomicU64; WORDS]; PLACES],
    }
}

/// The memory of the keys.
#[derive(Debug)]
pub struct TicketKeys(SharedMap<Memory>);

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory")
    }
}

impl TicketKeys {
    /// Makes the memory, without a key. To be called before the fork.
    pub fn create() -> io::Result<TicketKeys> {
        SharedMap::create("drover-tickets").map(TicketKeys)
    }

    /// Takes the memory of the program that started this one.
    pub fn open(file: std::fs::File) -> io::Result<TicketKeys> {
        SharedMap::open(file).map(TicketKeys)
    }

    /// The number of the newest key; 0: there is none.
    pub fn newest(&self) -> u64 {
        self.0.newest.load(Acquire)
    }

    /// When the newest key was made, seconds since 1970.
    pub fn made(&self) -> u64 {
        self.0.made.load(Relaxed)
    }

    /// The key of a number: the newest, or the one before it.
    pub fn key(&self, number: u64) -> TicketKey {
        let mut key = TicketKey { name: [0; 16], secret: [0; 32] };
        let words = &self.0.words[number as usize % PLACES];
        for (bytes, word) in key.name.chunks_mut(8).chain(key.secret.chunks_mut(8)).zip(words) {
            bytes.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
        }
        key
    }

    /// Makes `key` the newest, unless another process has made one since `before`, the time of the newest.
    pub fn add(&self, key: &TicketKey, before: u64, now: u64) -> bool {
        if self.0.made.compare_exchange(before, now, Relaxed, Relaxed).is_err() {
            return false;
        }
        let number = self.newest() + 1;
        let words = &self.0.words[number as usize % PLACES];
        for (bytes, word) in key.name.chunks(8).chain(key.secret.chunks(8)).zip(words) {
            let mut whole = [0; 8];
            whole.copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(whole), Relaxed);
        }
        self.0.newest.store(number, Release);
        true
    }
}

impl AsFd for TicketKeys {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> TicketKey {
        TicketKey { name: [byte; 16], secret: [byte + 100; 32] }
    }

    #[test]
    fn the_last_two_keys_are_there_and_one_process_makes_the_next() {
        let keys = TicketKeys::create().unwrap();
        assert_eq!((keys.newest(), keys.made()), (0, 0));
        for n in 1..=9 {
            assert!(keys.add(&key(n), u64::from(n) - 1, n.into()));
            assert!(!keys.add(&key(99), u64::from(n) - 1, n.into()), "another process was first");
            assert_eq!((keys.newest(), keys.made()), (n.into(), n.into()));
            assert!(keys.key(n.into()) == key(n));
            assert!(n == 1 || keys.key(u64::from(n) - 1) == key(n - 1));
        }
        let other = TicketKeys::open(keys.as_fd().try_clone_to_owned().unwrap().into()).unwrap();
        assert!(other.key(9) == key(9));
    }
}
