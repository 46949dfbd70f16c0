//! Open files, kept from request to request and never stale: an entry is compared with the file system once in each turn
//! of the loop that needs it, with a single stat.

use crate::http::exchange::Found;
use crate::os::file::{self, Kind, Meta};
use crate::os::limits;
use lru::LruCache;
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Files that entries of this process hold open. The caches of several threads share one limit on descriptors.
static HELD: AtomicU64 = AtomicU64::new(0);

/// Most files that a process's caches may hold open, where its limit on descriptors allows more.
const MAX_HELD: u64 = 2048;

/// How many of the descriptors that a process may have are for files; the others are for connections.
pub fn descriptors_for_files(limit: u64) -> u64 {
    (limit / 8).clamp(4, MAX_HELD)
}

/// Entries a worker keeps at most.
const MAX_ENTRIES: NonZeroUsize = NonZeroUsize::new(8192).unwrap();

/// Bytes of file contents a worker keeps at most.
const MAX_BYTES: u64 = 64 << 20;

/// Files up to this size are sent from memory, in the call that sends the head; longer ones with sendfile. On Linux 6.18 memory costs
/// 0.95 of the CPU time of sendfile at 20 KiB, 1.1 to 1.2 at 32, 1.1 to 1.4 at 100, and 1.4 to 1.7 at 256.
const MAX_BODY: u64 = 24 << 10;

/// The same where sendfile is off, and what is not in memory has to be read for each response.
const MAX_BODY_READ: u64 = 256 << 10;

/// How often a cache that holds files open looks for those that nobody has asked for since the last time: a deleted file
/// must not keep its room on the disk (nginx without open_file_cache closes each with its response).
const SWEEP_MS: u64 = 1_000;

/// A file whose last change is younger than a tick of the clock that its times count in may change again within that
/// tick, so that two contents share one time: its contents are not kept. The kernel's tick is 10 ms at most; a file system
/// without fractions of a second may count in two.
const TICK_MS: u64 = 20;
const COARSE_TICK_MS: u64 = 2_000;

/// One file, as it was when it was opened.
#[derive(Debug)]
pub struct Entry {
    path: Box<[u8]>,
    meta: Meta,
    found: Found,
    file: Option<Held>,
    body: Option<Box<[u8]>>,
}

/// An open file that counts.
#[derive(Debug)]
struct Held(File);

impl Held {
    fn new(file: File) -> Held {
        HELD.fetch_add(1, Ordering::Relaxed);
        Held(file)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Entry {
    fn open(path: &CStr, max_body: u64, now_ms: u64) -> io::Result<Entry> {
        let file = File::from(file::open(path)?);
        let meta = file::fstat(&file)?;
        let found = Found::new(meta.kind, meta.len, meta.mtime_s);
        let mut entry = Entry { path: path.to_bytes().into(), meta, found, file: Some(Held::new(file)), body: None };
        entry.load(max_body, now_ms);
        Ok(entry)
    }

    /// Takes the contents into memory, when they are small and settled; the descriptor is then not needed any more.
    fn load(&mut self, max_body: u64, now_ms: u64) {
        if !self.wants_load(max_body, now_ms) {
            return;
        }
        let Some(Held(file)) = &self.file else { return };
        let mut body = vec![0; self.meta.len as usize].into_boxed_slice();
        if file.read_exact_at(&mut body, 0).is_ok() {
            self.body = Some(body);
            self.file = None;
        }
    }

    fn wants_load(&self, max_body: u64, now_ms: u64) -> bool {
        let ms = |s: i64, ns: u32| u64::try_from(s).unwrap_or(0) * 1000 + u64::from(ns / 1_000_000);
        let meta = &self.meta;
        let changed = ms(meta.mtime_s, meta.mtime_ns).max(ms(meta.ctime_s, meta.ctime_ns));
        let tick = if meta.ctime_ns == 0 { COARSE_TICK_MS } else { TICK_MS };
        self.body.is_none() && meta.is_file() && meta.len <= max_body && changed + tick <= now_ms
    }

    /// Where it was opened.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// What HTTP needs to know of it.
    pub fn found(&self) -> Found {
        self.found
    }

    /// The contents, if they are in memory.
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// The open file, if the contents are not in memory.
    pub fn file(&self) -> Option<&File> {
        self.file.as_ref().map(|held| &held.0)
    }

    fn weight(&self) -> u64 {
        self.body.as_ref().map_or(0, |body| body.len() as u64)
    }
}

#[derive(Debug)]
struct Slot {
    entry: Arc<Entry>,
    /// The turn that last compared it with the file system.
    checked: u64,
}

impl Slot {
    fn holds(&self) -> bool {
        self.entry.file.is_some()
    }
}

/// One worker's files, by path.
#[derive(Debug)]
pub struct FileCache {
    slots: LruCache<Box<[u8]>, Slot, foldhash::fast::RandomState>,
    bytes: u64,
    /// Entries that hold a file open.
    held: usize,
    /// When idle files are looked for, ms of the loop's clock; `None`: none was held when that was last asked.
    sweep_ms: Option<u64>,
    /// The turn in which they last were.
    swept: u64,
    path: Vec<u8>,
    /// Longest file that is kept in memory, bytes.
    max_body: u64,
    /// Most files that all caches of the process may hold open.
    max_held: u64,
}

impl FileCache {
    /// `with_sendfile`: all files that are not in memory are sent with it.
    pub fn new(with_sendfile: bool) -> FileCache {
        FileCache {
            slots: LruCache::with_hasher(MAX_ENTRIES, foldhash::fast::RandomState::default()),
            bytes: 0,
            held: 0,
            sweep_ms: None,
            swept: 0,
            path: Vec::new(),
            max_body: if with_sendfile { MAX_BODY } else { MAX_BODY_READ },
            max_held: limits::max_open_files().map_or(MAX_HELD, descriptors_for_files),
        }
    }

    /// The file at `path` as it is in this `turn` of the loop, or the `errno` of opening it. Only regular files are kept:
    /// a directory is asked for too rarely, and anything else must not be held open.
    pub fn get(&mut self, path: &[u8], turn: u64, now_ms: u64) -> Result<Arc<Entry>, i32> {
        if let Some(slot) = self.slots.get_mut(path)
            && slot.checked == turn
        {
            return Ok(slot.entry.clone());
        }
        self.path.clear();
        self.path.extend_from_slice(path);
        self.path.push(0);
        let c_path = c_str(&self.path)?;
        let errno = |error: io::Error| error.raw_os_error().unwrap_or(libc::EIO);
        if let Some(slot) = self.slots.peek_mut(path) {
            match file::stat(c_path) {
                Ok(meta) if meta == slot.entry.meta && !slot.entry.wants_load(self.max_body, now_ms) => {
                    slot.checked = turn;
                    return Ok(slot.entry.clone());
                }
                Ok(_) => {}
                Err(error) => {
                    self.forget(path);
                    return Err(errno(error));
                }
            }
        }
        let mut opened = Entry::open(c_path, self.max_body, now_ms);
        if matches!(&opened, Err(error) if is_out_of_files(error)) {
            self.close_files();
            opened = Entry::open(c_str(&self.path)?, self.max_body, now_ms);
        }
        self.forget(path);
        let entry = Arc::new(opened.map_err(errno)?);
        if entry.meta.kind == Kind::File && (entry.file.is_none() || self.may_hold()) {
            self.keep(path, entry.clone(), turn);
        }
        Ok(entry)
    }

    /// As [`FileCache::get`], for a file that need not be readable: an entry without contents stands for it.
    pub fn get_or_stat(&mut self, path: &[u8], turn: u64, now_ms: u64) -> Result<Arc<Entry>, i32> {
        let result = self.get(path, turn, now_ms);
        if !matches!(result, Err(libc::EACCES)) {
            return result;
        }
        // `get` has left the path there, with its NUL.
        let Ok(c_path) = CStr::from_bytes_with_nul(&self.path) else { return result };
        let Ok(meta) = file::stat(c_path) else { return result };
        let found = Found::new(meta.kind, meta.len, meta.mtime_s);
        Ok(Arc::new(Entry { path: path.into(), meta, found, file: None, body: None }))
    }

    /// Whether one more file may stay open. At the limit the older half of this cache's are closed: one at a time, each
    /// would cost a search through all entries.
    fn may_hold(&mut self) -> bool {
        if HELD.load(Ordering::Relaxed) > self.max_held {
            self.close_oldest(|held| held.div_ceil(2));
        }
        HELD.load(Ordering::Relaxed) <= self.max_held
    }

    /// Closes the files that are kept open for requests to come. Returns how many.
    pub fn close_files(&mut self) -> usize {
        self.close_oldest(|held| held)
    }

    /// Forgets the entries that hold files, from the oldest on, as many as `count` says of their number. Returns how
    /// many.
    fn close_oldest(&mut self, count: impl Fn(usize) -> usize) -> usize {
        let from_oldest = self.slots.iter().rev().filter(|(_, slot)| slot.holds());
        let oldest: Vec<_> = from_oldest.take(count(self.held)).map(|(path, _)| path.clone()).collect();
        oldest.iter().for_each(|path| self.forget(path));
        oldest.len()
    }

    /// When [`FileCache::close_idle`] has something to do, ms of the loop's clock.
    pub fn next_sweep_ms(&self) -> Option<u64> {
        self.sweep_ms
    }

    /// At the end of a turn: closes, when it is time, the files that nobody has asked for since the last time.
    pub fn close_idle(&mut self, turn: u64, now_ms: u64) {
        if self.held == 0 {
            self.sweep_ms = None;
            return;
        }
        if now_ms < *self.sweep_ms.get_or_insert(now_ms + SWEEP_MS) {
            return;
        }
        let since = std::mem::replace(&mut self.swept, turn);
        // Who is asked for becomes the newest, so that the idle ones are the oldest.
        let idle = self.slots.iter().rev().take_while(|(_, slot)| slot.checked <= since);
        let idle: Vec<_> = idle.filter(|(_, slot)| slot.holds()).map(|(path, _)| path.clone()).collect();
        idle.iter().for_each(|path| self.forget(path));
        self.sweep_ms = (self.held > 0).then_some(now_ms + SWEEP_MS);
    }

    fn keep(&mut self, path: &[u8], entry: Arc<Entry>, turn: u64) {
        let slot = Slot { entry, checked: turn };
        self.bytes += slot.entry.weight();
        self.held += usize::from(slot.holds());
        if let Some((_, pushed_out)) = self.slots.push(path.into(), slot) {
            self.leaves(&pushed_out);
        }
        while self.bytes > MAX_BYTES {
            let Some((_, oldest)) = self.slots.pop_lru() else { break };
            self.leaves(&oldest);
        }
    }

    fn forget(&mut self, path: &[u8]) {
        if let Some(slot) = self.slots.pop(path) {
            self.leaves(&slot);
        }
    }

    fn leaves(&mut self, slot: &Slot) {
        self.bytes -= slot.entry.weight();
        self.held -= usize::from(slot.holds());
    }
}

/// A path with its NUL, if that is the only one.
fn c_str(path: &[u8]) -> Result<&CStr, i32> {
    CStr::from_bytes_with_nul(path).map_err(|_| libc::ENOENT)
}

fn is_out_of_files(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    const FAR_FUTURE: u64 = 1 << 50;

    fn write(path: &Path, text: &str, age_s: u64) {
        fs::write(path, text).unwrap();
        let mtime = SystemTime::now() - Duration::from_secs(age_s);
        File::options().write(true).open(path).unwrap().set_modified(mtime).unwrap();
    }

    #[test]
    fn a_replaced_file_is_seen_in_the_next_turn_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let name = path.as_os_str().as_bytes();
        write(&path, "one", 100);
        let mut cache = FileCache::new(true);
        assert_eq!(cache.get(name, 1, FAR_FUTURE).unwrap().body().unwrap(), b"one");
        let other = dir.path().join("b");
        write(&other, "two", 100);
        fs::rename(&other, &path).unwrap();
        assert_eq!(cache.get(name, 1, FAR_FUTURE).unwrap().body().unwrap(), b"one");
        assert_eq!(cache.get(name, 2, FAR_FUTURE).unwrap().body().unwrap(), b"two");
        fs::remove_file(&path).unwrap();
        assert_eq!(cache.get(name, 3, FAR_FUTURE).unwrap_err(), libc::ENOENT);
        assert_eq!(cache.bytes, 0);
    }

    #[test]
    fn a_fresh_file_is_not_kept_in_memory_until_it_has_settled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write(&path, "one", 0);
        let name = path.as_os_str().as_bytes();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        let mut cache = FileCache::new(true);
        assert!(cache.get(name, 1, now).unwrap().body().is_none());
        assert!(cache.get(name, 2, now + 10_000).unwrap().body().is_some());
    }

    #[test]
    fn files_that_are_kept_open_are_closed_the_oldest_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = FileCache::new(true);
        let names: Vec<Vec<u8>> = (0..6)
            .map(|i| {
                let path = dir.path().join(i.to_string());
                fs::write(&path, vec![0; if i < 4 { MAX_BODY as usize + 1 } else { 10 }]).unwrap();
                let name = path.as_os_str().as_bytes().to_vec();
                cache.get(&name, 1, FAR_FUTURE).unwrap();
                name
            })
            .collect();
        cache.get(&names[0], 1, FAR_FUTURE).unwrap();
        cache.close_oldest(|held| held / 2);
        let kept = |cache: &FileCache| names.iter().map(|name| cache.slots.contains(&name[..])).collect::<Vec<_>>();
        assert_eq!(kept(&cache), [true, false, false, true, true, true]);
        cache.close_files();
        assert_eq!(kept(&cache), [false, false, false, false, true, true], "what is in memory stays");
        assert_eq!(cache.bytes, 20);
    }

    #[test]
    fn a_file_that_nobody_asks_for_is_closed_within_two_sweeps() {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = FileCache::new(true);
        let [asked, idle] = ["asked", "idle"].map(|name| {
            let path = dir.path().join(name);
            fs::write(&path, vec![0; MAX_BODY as usize + 1]).unwrap();
            path.as_os_str().as_bytes().to_vec()
        });
        for name in [&asked, &idle] {
            cache.get(name, 1, FAR_FUTURE).unwrap();
        }
        cache.close_idle(1, 0);
        assert_eq!(cache.next_sweep_ms(), Some(SWEEP_MS));
        cache.close_idle(2, SWEEP_MS);
        assert_eq!(cache.held, 2, "they were asked for since the cache was made");
        cache.get(&asked, 3, FAR_FUTURE).unwrap();
        cache.close_idle(3, 2 * SWEEP_MS - 1);
        assert_eq!(cache.held, 2);
        cache.close_idle(4, 2 * SWEEP_MS);
        assert_eq!((cache.slots.contains(&asked[..]), cache.slots.contains(&idle[..])), (true, false));
        cache.close_idle(5, 3 * SWEEP_MS);
        assert_eq!((cache.held, cache.next_sweep_ms()), (0, None), "nothing is left to wake for");
    }

    #[test]
    fn the_bytes_kept_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let text = "x".repeat(MAX_BODY_READ as usize);
        let mut cache = FileCache::new(false);
        for i in 0..300 {
            let path = dir.path().join(i.to_string());
            fs::write(&path, &text).unwrap();
            cache.get(path.as_os_str().as_bytes(), 1, FAR_FUTURE).unwrap();
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(cache.bytes, MAX_BYTES);
        assert_eq!(cache.slots.len(), 256);
    }
}
