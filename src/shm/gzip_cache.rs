//! `gzip_cache`: files that `gzip` has compressed, kept for all workers of the service.
//!
//! ```text
//!  words:  head │ slots, in rows of WAYS │ ring of data
//!                 hash, start, ...  ───►   key, bytes
//! ```
//!
//! There is no lock, so that a worker may die at any time. A writer takes the next place of the ring with one addition
//! to `head`, writes there, and then fills a slot; what the ring overwrites is forgotten, the oldest first, and an old
//! entry that is read moves to the front. A reader copies the bytes and believes them if their sum is right: whatever
//! else is found, half an entry, a slot written by two, bytes that are being overwritten, is as good as nothing.

use crate::os::SharedWords;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex, PoisonError};

/// The identity of what is kept.
pub type Key = [u64; 8];

/// A part of a gzip that is kept: bytes that are read at once.
pub const PART: usize = 128 << 10;

/// Words of a slot: hash, start, length, total, sum of the bytes, sum of the slot.
const SLOT: usize = 6;

/// Slots of a row, in each of which an entry of the row may be.
const WAYS: usize = 8;

/// The ring has a row of slots for so many words.
const WORDS_A_ROW: usize = 4096;

/// The entries of a service.
#[derive(Debug)]
pub struct GzipCache {
    words: SharedWords,
    rows: usize,
    ring: usize,
}

/// An entry's place in the ring.
struct Place {
    start: u64,
    /// Bytes.
    len: usize,
    total: u64,
    sum: u64,
}

/// The cache that the conf before this one had.
static LAST: Mutex<Option<(u64, Arc<GzipCache>)>> = Mutex::new(None);

/// The hashes of the service.
static HASHES: Mutex<Option<Arc<GzipCache>>> = Mutex::new(None);

/// Bytes for hashes: of 30,000 files, untouched until they are there.
const HASHES_SIZE: u64 = 4 << 20;

/// A hash takes a slot, and ten words of the ring with its key.
const WORDS_A_ROW_OF_HASHES: usize = WAYS * (SLOT + 10);

impl GzipCache {
    /// The cache of the service, of `size` bytes: that of the conf before, if it was as large. To be called in the
    /// master, before the fork.
    pub fn of_size(size: u64) -> io::Result<Arc<GzipCache>> {
        let new = |size| GzipCache::new("drover-gzip", size, WORDS_A_ROW);
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cache)) = last.as_ref().filter(|(known, _)| *known == size) {
            return Ok(cache.clone());
        }
        let cache = Arc::new(new(size)?);
        *last = Some((size, cache.clone()));
        Ok(cache)
    }

    /// The memory for hashes of contents (`etag content`): small entries, which a new conf finds as well. To be called
    /// in the master, before the fork.
    pub fn of_hashes() -> io::Result<Arc<GzipCache>> {
        let mut hashes = HASHES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hashes) = &*hashes {
            return Ok(hashes.clone());
        }
        let new = Arc::new(GzipCache::new("drover-hashes", HASHES_SIZE, WORDS_A_ROW_OF_HASHES)?);
        *hashes = Some(new.clone());
        Ok(new)
    }

    fn new(name: &str, size: u64, words_a_row: usize) -> io::Result<GzipCache> {
        let words = size as usize / size_of::<u64>();
        let rows = (words / words_a_row).max(1);
        let ring = words.saturating_sub(1 + rows * WAYS * SLOT).max(1);
        let words = SharedWords::create(name, 1 + rows * WAYS * SLOT + ring)?;
        Ok(GzipCache { words, rows, ring })
    }

    /// The longest gzip that is worth its room, bytes.
    pub fn longest(&self) -> u64 {
        (self.ring * size_of::<u64>() / 4) as u64
    }

    /// The length of the whole gzip of which `key` names a part.
    pub fn find(&self, key: &Key) -> Option<u64> {
        self.places(key).next().map(|(_, place)| place.total)
    }

    /// Appends the bytes of an entry; `false`: there is none.
    pub fn read(&self, key: &Key, out: &mut Vec<u8>) -> bool {
        let begin = out.len();
        for (_, place) in self.places(key) {
            let words = place.len.div_ceil(size_of::<u64>());
            out.reserve(words * size_of::<u64>());
            for at in 0..words {
                let word = self.data(place.start + (key.len() + at) as u64).load(Relaxed);
                out.extend_from_slice(&word.to_ne_bytes());
            }
            out.truncate(begin + place.len);
            if sum(&out[begin..]) != place.sum {
                out.truncate(begin);
                continue;
            }
            let age = self.head().load(Relaxed).saturating_sub(place.start);
            if age > self.ring as u64 / 4 * 3 {
                self.insert(key, place.total, &out[begin..]);
            }
            return true;
        }
        false
    }

    /// Keeps the bytes of an entry, `total` being the length of the whole gzip.
    pub fn insert(&self, key: &Key, total: u64, bytes: &[u8]) {
        let need = key.len() + bytes.len().div_ceil(size_of::<u64>());
        let Some(start) = self.take(need) else { return };
        for (at, word) in key.iter().enumerate() {
            self.data(start + at as u64).store(*word, Relaxed);
        }
        for (at, chunk) in bytes.chunks(size_of::<u64>()).enumerate() {
            let mut word = [0; size_of::<u64>()];
            word[..chunk.len()].copy_from_slice(chunk);
            self.data(start + (key.len() + at) as u64).store(u64::from_ne_bytes(word), Relaxed);
        }
        let slot = [hash(key), start, bytes.len() as u64, total, sum(bytes)];
        let at = self.slot_for(key);
        for (n, word) in slot.iter().enumerate() {
            self.words[at + n].store(*word, Relaxed);
        }
        self.words[at + slot.len()].store(sum_of_words(&slot), Release);
    }

    /// Takes `need` words of the ring, which lie one behind the other.
    fn take(&self, need: usize) -> Option<u64> {
        if need > self.ring {
            return None;
        }
        let mut head = self.head().load(Relaxed);
        loop {
            let place = head as usize % self.ring;
            let skipped = if place + need > self.ring { self.ring - place } else { 0 };
            let start = head + skipped as u64;
            match self.head().compare_exchange_weak(head, start + need as u64, AcqRel, Relaxed) {
                Ok(_) => return Some(start),
                Err(now) => head = now,
            }
        }
    }

    fn head(&self) -> &std::sync::atomic::AtomicU64 {
        &self.words[0]
    }

    fn data(&self, at: u64) -> &std::sync::atomic::AtomicU64 {
        &self.words[1 + self.rows * WAYS * SLOT + at as usize % self.ring]
    }

    /// The slots in which an entry may be, by the index of their first word.
    fn row(&self, key: &Key) -> impl Iterator<Item = usize> + use<> {
        let first = 1 + hash(key) as usize % self.rows * WAYS * SLOT;
        (0..WAYS).map(move |way| first + way * SLOT)
    }

    /// The place that a slot names, if the ring has not overwritten it.
    fn place(&self, at: usize) -> Option<(u64, Place)> {
        let check = self.words[at + SLOT - 1].load(Acquire);
        let slot: [u64; SLOT - 1] = std::array::from_fn(|n| self.words[at + n].load(Relaxed));
        let [hash, start, len, total, sum] = slot;
        let is_there = self.head().load(Relaxed).saturating_sub(start) <= self.ring as u64;
        let fits = len <= (self.ring * size_of::<u64>()) as u64;
        let is_right = check == sum_of_words(&slot) && is_there && fits;
        is_right.then_some((hash, Place { start, len: len as usize, total, sum }))
    }

    /// The places that hold this key, with their slots.
    fn places<'c>(&'c self, key: &'c Key) -> impl Iterator<Item = (usize, Place)> + 'c {
        let own = hash(key);
        self.row(key).filter_map(move |at| {
            let (hash, place) = self.place(at)?;
            let has_key = || key.iter().zip(0..).all(|(word, n)| self.data(place.start + n).load(Relaxed) == *word);
            (hash == own && has_key()).then_some((at, place))
        })
    }

    /// The slot for an entry: its own, else an empty one, else the one whose entry is overwritten first.
    fn slot_for(&self, key: &Key) -> usize {
        if let Some((at, _)) = self.places(key).next() {
            return at;
        }
        let by_age = |at: &usize| self.place(*at).map_or(0, |(_, place)| place.start + 1);
        self.row(key).min_by_key(by_age).unwrap_or(1)
    }
}

fn hash(key: &Key) -> u64 {
    sum_of_words(key)
}

fn sum(bytes: &[u8]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::with_seed(0x6472_6f76_6572).build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

fn sum_of_words(words: &[u64]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::with_seed(0x677a_6970).build_hasher();
    words.iter().for_each(|word| hasher.write_u64(*word));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Key {
        [n, 2, 3, 4, 5, 6, 7, 8]
    }

    fn bytes(n: u64, len: usize) -> Vec<u8> {
        (0..len as u64).map(|at| (n.wrapping_mul(31).wrapping_add(at * at)) as u8).collect()
    }

    fn read(cache: &GzipCache, n: u64) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        let found = cache.read(&key(n), &mut out);
        assert!(out.starts_with(b"before") && (found || out.len() == 6));
        found.then(|| out.split_off(6))
    }

    #[test]
    fn what_is_kept_is_found_until_it_is_overwritten() {
        let cache = GzipCache::new("test", 64 << 10, WORDS_A_ROW).unwrap();
        for len in [0, 1, 7, 8, 9, 5000] {
            cache.insert(&key(1), 77, &bytes(len as u64, len));
            assert_eq!((cache.find(&key(1)), read(&cache, 1)), (Some(77), Some(bytes(len as u64, len))));
        }
        assert_eq!((cache.find(&key(2)), read(&cache, 2)), (None, None));
        for n in 10..1000 {
            cache.insert(&key(n), n, &bytes(n, 3000));
            assert_eq!(read(&cache, n), Some(bytes(n, 3000)));
        }
        assert_eq!(cache.find(&key(1)), None, "the oldest goes");
        assert!((10..1000).filter(|n| read(&cache, *n).is_some()).count() >= 8);
        cache.insert(&key(3), 1, &bytes(3, 70_000));
        assert_eq!(cache.find(&key(3)), None, "more than there is room for");
    }

    #[test]
    fn an_entry_that_is_read_stays() {
        let cache = GzipCache::new("test", 1 << 20, WORDS_A_ROW).unwrap();
        cache.insert(&key(1), 1, &bytes(1, 10_000));
        for n in 10..1000 {
            cache.insert(&key(n), n, &bytes(n, 10_000));
            assert!(read(&cache, 1).is_some(), "{n}");
        }
    }

    #[test]
    fn an_entry_that_is_damaged_is_as_good_as_none() {
        let cache = GzipCache::new("test", 64 << 10, WORDS_A_ROW).unwrap();
        cache.insert(&key(1), 1, &bytes(1, 1000));
        let word = cache.data(50);
        word.store(word.load(Relaxed) ^ 1, Relaxed);
        assert_eq!(read(&cache, 1), None);
        cache.insert(&key(1), 1, &bytes(1, 1000));
        assert!(read(&cache, 1).is_some());
        let (slot, _) = cache.places(&key(1)).next().unwrap();
        for n in 0..SLOT {
            let word = &cache.words[slot + n];
            let whole = word.swap(12_345, Relaxed);
            assert_eq!((cache.find(&key(1)), read(&cache, 1)), (None, None), "a slot half written");
            word.store(whole, Relaxed);
        }
        assert!(read(&cache, 1).is_some());
    }

    /// Writers that overtake each other in a ring with room for a few entries.
    #[test]
    fn no_reader_gets_bytes_that_were_not_written_for_its_key() {
        let cache = GzipCache::new("test", 64 << 10, WORDS_A_ROW).unwrap();
        let found: u64 = std::thread::scope(|scope| {
            let run = |seed: u64| {
                let cache = &cache;
                move || {
                    let mut found = 0;
                    for round in 0..3000 {
                        let n = (round * 7 + seed) % 13;
                        cache.insert(&key(n), n, &bytes(n, 9000));
                        let n = (round * 5 + seed) % 13;
                        if let Some(seen) = read(cache, n) {
                            assert!(seen == bytes(n, 9000), "{n}");
                            found += 1;
                        }
                    }
                    found
                }
            };
            let threads: Vec<_> = (0..4).map(|seed| scope.spawn(run(seed))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(found > 100, "{found}");
    }

    #[test]
    fn a_cache_outlives_its_conf_unless_the_size_changes() {
        let first = GzipCache::of_size(128 << 10).unwrap();
        first.insert(&key(1), 1, b"kept");
        assert_eq!(read(&GzipCache::of_size(128 << 10).unwrap(), 1).as_deref(), Some(&b"kept"[..]));
        assert_eq!(read(&GzipCache::of_size(256 << 10).unwrap(), 1), None);
    }
}
