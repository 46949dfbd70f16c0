//! Hashes of the contents of files, for `etag content`: each state of a file is hashed once, for all workers. A long
//! file is for a thread of its own where an event loop would have to stand still.
//!
//! The hash is half of a SHA-256, which the program has for passwords already: no crate is added, it is the same on
//! every machine, and nobody can make two contents with one tag.

use super::file_cache::{Hash, OpenedFile};
use super::keeper::identity;
use crate::log;
use crate::os::{ErrnoText, cached};
use crate::shm::{GzipCache, Key};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Files up to this size are hashed by whoever opens them: that takes 0.16 ms with the SHA instructions of a CPU
/// (1.6 GB/s), and under 1 ms without, which is less than a slice of gzip takes.
const AT_ONCE: u64 = 256 << 10;

/// Bytes that are read and hashed at once.
const PIECE: usize = 128 << 10;

/// The last word of a key, which no gzip has.
const CONTENTS: u64 = 1 << 63;

/// The helper of the process, once a long file was asked for: one for all of its threads.
static HELPER: Mutex<Option<Helper>> = Mutex::new(None);

/// The hashes that an engine knows.
#[derive(Debug)]
pub(crate) struct Hashes {
    shared: Arc<GzipCache>,
    has_helper: bool,
}

/// A thread that hashes files, one after the other.
#[derive(Debug)]
struct Helper {
    jobs: Sender<Job>,
    /// The files that it has got, and not hashed yet.
    waiting: Arc<Mutex<HashSet<Key>>>,
}

#[derive(Debug)]
struct Job {
    key: Key,
    entry: Arc<OpenedFile>,
    shared: Arc<GzipCache>,
}

impl Hashes {
    /// The hashes that the workers have in common.
    pub(crate) fn new(shared: Arc<GzipCache>) -> Hashes {
        Hashes { shared, has_helper: false }
    }

    /// Leaves long files to a thread.
    pub(crate) fn use_helper(&mut self) {
        self.has_helper = true;
    }

    /// The hash of the file's contents. `None`: they may change yet without a sign of it, they can't be read, or the
    /// helper has begun with them, as it does with all that is not in memory where a thread `waits` for disks.
    pub(crate) fn of(&self, entry: &Arc<OpenedFile>, now_ms: u64, waits: bool) -> Option<Hash> {
        if let Some(hash) = entry.hash().get() {
            return Some(*hash);
        }
        let key = identity(entry, now_ms, CONTENTS)?;
        let hash = match find(&self.shared, &key) {
            Some(hash) => hash,
            None if self.has_helper && (entry.found().len > AT_ONCE || waits && !is_at_hand(entry)) => {
                submit(Job { key, entry: entry.clone(), shared: self.shared.clone() });
                return None;
            }
            None => hash_and_keep(entry, &key, &self.shared)?,
        };
        Some(*entry.hash().get_or_init(|| hash))
    }
}

/// Whether the contents are in memory.
fn is_at_hand(entry: &OpenedFile) -> bool {
    let len = entry.found().len;
    let is_cached = |file| len == 0 || cached::cached_from(file, 0, len).is_ok_and(|cached| cached == len);
    entry.file().is_none_or(is_cached)
}

/// The hash that some worker has kept.
fn find(shared: &GzipCache, key: &Key) -> Option<Hash> {
    let mut bytes = Vec::with_capacity(size_of::<Hash>());
    shared.read(key, &mut bytes).then_some(())?;
    bytes.try_into().ok()
}

fn hash_and_keep(entry: &OpenedFile, key: &Key, shared: &GzipCache) -> Option<Hash> {
    let hash = hash(entry).ok().filter(|_| entry.is_unchanged())?;
    shared.insert(key, 0, &hash);
    Some(hash)
}

fn hash(entry: &OpenedFile) -> io::Result<Hash> {
    let mut hasher = Sha256::new();
    if let Some(body) = entry.body() {
        hasher.update(body);
    } else {
        let Some(file) = entry.file() else { return Err(io::ErrorKind::NotFound.into()) };
        let mut left = entry.found().len;
        let mut piece = vec![0; PIECE.min(left as usize)];
        let mut at = 0;
        while left > 0 {
            let piece = &mut piece[..left.min(PIECE as u64) as usize];
            file.read_exact_at(piece, at)?;
            hasher.update(&*piece);
            (at, left) = (at + piece.len() as u64, left - piece.len() as u64);
        }
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(&hasher.finalize()[..size_of::<Hash>()]);
    Ok(hash)
}

/// Gives the file to the helper, unless it has it.
fn submit(job: Job) {
    let mut helper = HELPER.lock().unwrap_or_else(PoisonError::into_inner);
    if helper.is_none() {
        match Helper::start() {
            Ok(started) => *helper = Some(started),
            Err(error) => log::alert!("the helper that hashes files can't be started ({})", ErrnoText(&error)),
        }
    }
    let Some(Helper { jobs, waiting }) = &*helper else { return };
    let is_new = waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(job.key);
    if is_new {
        // The helper does not end before the process.
        let _ = jobs.send(job);
    }
}

impl Helper {
    fn start() -> io::Result<Helper> {
        let (jobs, to_do) = channel();
        let waiting = Arc::new(Mutex::new(HashSet::new()));
        let own = waiting.clone();
        thread::Builder::new().name("hashes".to_owned()).spawn(move || work(&to_do, &own))?;
        Ok(Helper { jobs, waiting })
    }
}

fn work(jobs: &Receiver<Job>, waiting: &Mutex<HashSet<Key>>) {
    for Job { key, entry, shared } in jobs {
        if let Some(hash) = hash_and_keep(&entry, &key, &shared) {
            entry.hash().get_or_init(|| hash);
        }
        waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::file_cache::FileCache;
    use std::os::unix::ffi::OsStrExt;

    const FAR_FUTURE: u64 = 1 << 50;

    #[test]
    fn a_file_is_hashed_once_and_a_long_one_by_the_helper() {
        let dir = tempfile::tempdir().unwrap();
        let shared = GzipCache::of_hashes().unwrap();
        let (mut hashes, mut files) = (Hashes::new(shared.clone()), FileCache::new(true));
        let mut open = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            files.get(path.as_os_str().as_bytes(), 1, FAR_FUTURE).unwrap()
        };
        let short = open("short", b"abc");
        assert_eq!(hashes.of(&short, 0, false), None, "it may change yet");
        let hash = hashes.of(&short, FAR_FUTURE, false).unwrap();
        // FIPS 180-2, B.1.
        assert_eq!(hash[..4], [0xba, 0x78, 0x16, 0xbf]);
        let key = identity(&short, FAR_FUTURE, CONTENTS).unwrap();
        assert_eq!(find(&shared, &key), Some(hash));
        shared.insert(&key, 0, &[7; 16]);
        assert_eq!(
            Hashes::new(shared).of(&open("short", b"abc"), FAR_FUTURE, false),
            Some(hash),
            "another state of the file"
        );
        hashes.use_helper();
        let bytes = vec![b'x'; AT_ONCE as usize + 1];
        let long = open("long", &bytes);
        assert_eq!(hashes.of(&long, FAR_FUTURE, false), None);
        let known = (0..).find_map(|_| {
            thread::yield_now();
            hashes.of(&long, FAR_FUTURE, false)
        });
        let whole: Hash = Sha256::digest(&bytes)[..16].try_into().unwrap();
        assert_eq!(known, Some(whole));
    }
}
