//! The gzip of a file on its way into `gzip_cache` and out of it, in parts: the first is written last, and says that
//! all are there.

use super::file_cache::OpenedFile;
use crate::http::message::gzip::Recipe;
use crate::shm::{GzipCache, Key, PART};
use std::sync::Arc;

/// Gives a gzip to be kept while it is made. A process that ends before it is through leaves no first part.
#[derive(Debug)]
pub(crate) struct Keeper {
    cache: Arc<GzipCache>,
    key: Key,
    first: Vec<u8>,
    part: Vec<u8>,
    /// Parts that are full.
    full: u64,
    total: u64,
}

/// Reads a gzip that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    cache: Arc<GzipCache>,
    key: Key,
    total: u64,
    next: u64,
}

/// The key of the gzip that `recipe` makes of a file; `None`: the file may change yet without a sign of it.
pub(crate) fn key(entry: &OpenedFile, recipe: Recipe, now_ms: u64) -> Option<Key> {
    identity(entry, now_ms, u64::from(recipe.level) | u64::from(recipe.window_bits) << 8)
}

/// The key of what is made of a file, `how` saying what that is; `None`: the file may change yet without a sign of it.
pub(super) fn identity(entry: &OpenedFile, now_ms: u64, how: u64) -> Option<Key> {
    let meta = entry.settled(now_ms)?;
    let times = |s: i64, ns: u32| [s as u64, ns.into()];
    let ([mtime_s, mtime_ns], [ctime_s, ctime_ns]) =
        (times(meta.mtime_s, meta.mtime_ns), times(meta.ctime_s, meta.ctime_ns));
    Some([meta.dev, meta.ino, meta.len, mtime_s, mtime_ns, ctime_s, ctime_ns, how])
}

/// The key of part `n`.
fn of_part(key: &Key, n: u64) -> Key {
    let mut key = *key;
    key[7] |= n << 32;
    key
}

impl Keeper {
    pub(crate) fn new(cache: Arc<GzipCache>, key: Key) -> Keeper {
        Keeper { cache, key, first: Vec::new(), part: Vec::new(), full: 0, total: 0 }
    }

    /// Takes the next bytes. `false`: the gzip has become too long to be kept.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> bool {
        self.total += bytes.len() as u64;
        if self.total > self.cache.longest() {
            return false;
        }
        self.part.extend_from_slice(bytes);
        while self.part.len() >= PART {
            let rest = self.part.split_off(PART);
            self.put_part();
            self.part = rest;
        }
        true
    }

    fn put_part(&mut self) {
        match self.full {
            0 => self.first = std::mem::take(&mut self.part),
            n => self.cache.insert(&of_part(&self.key, n), 0, &self.part),
        }
        self.full += 1;
    }

    /// The gzip is whole: it is there for all from now on, unless the file has changed meanwhile.
    pub(crate) fn finish(mut self, entry: &OpenedFile) {
        if !self.part.is_empty() || self.full == 0 {
            self.put_part();
        }
        if entry.is_unchanged() {
            self.cache.insert(&self.key, self.total, &self.first);
        }
    }
}

impl Kept {
    /// A gzip that is `total` bytes long.
    pub(crate) fn new(cache: Arc<GzipCache>, key: Key, total: u64) -> Kept {
        Kept { cache, key, total, next: 0 }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Appends the next part. `false`: it is not there any more.
    pub(crate) fn read(&mut self, out: &mut Vec<u8>) -> bool {
        let begin = out.len();
        let expected = self.total.saturating_sub(self.next * PART as u64).min(PART as u64);
        let is_there = self.cache.read(&of_part(&self.key, self.next), out);
        self.next += 1;
        if is_there && (out.len() - begin) as u64 == expected {
            return true;
        }
        out.truncate(begin);
        false
    }
}
