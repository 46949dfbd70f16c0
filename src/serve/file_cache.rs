//! Open files, kept from request to request and never stale: an entry is compared with the file system once in each
//! turn of the loop that needs it, with a single stat. Contents that change without a sign of it are read again after a
//! second.

mod held;
mod now;

pub(crate) use now::{LATER, Look};

use held::Held;

use super::wide_zstd;
use crate::http::exchange::{Facts, Found};
use crate::os::file::{self, FileKind, Meta};
use crate::os::{Links, guarded, limits, memory};
use lru::LruCache;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Most files that a process's caches may hold open, where its limit on descriptors allows more.
const MAX_HELD: u64 = 2048;

/// The share of a process's descriptors that is for files, `limit` being all of them; the others are for connections.
pub fn descriptors_for_files(limit: u64) -> u64 {
    (limit / 8).clamp(4, MAX_HELD)
}

/// Entries a worker keeps at most.
const MAX_ENTRIES: NonZeroUsize = NonZeroUsize::new(8192).unwrap();

/// Bytes of file contents a worker keeps at most.
const MAX_BYTES: u64 = 64 << 20;

/// Files up to this size are sent from memory, in the call that sends the head; longer ones with sendfile. On Linux
/// 6.18 memory costs 0.95 of the CPU time of sendfile at 20 KiB, 1.1 to 1.2 at 32, 1.1 to 1.4 at 100, and 1.4 to 1.7 at
/// 256.
const MAX_BODY: u64 = 24 << 10;

/// `MAX_BODY` where sendfile is off: a file that is not in memory has to be read for each response.
const MAX_BODY_READ: u64 = 256 << 10;

/// How often a cache that holds files open closes those that no request has named since the last time, ms: a deleted
/// file must not keep its room on the disk (nginx without open_file_cache closes each file with its response).
const SWEEP_MS: u64 = 1_000;

/// A file whose last change is younger than a tick of the clock that its times count in may change again within that
/// tick, so that two contents share one time: its contents are not kept. The kernel's tick is 10 ms at most; a file
/// system without fractions of a second may count in two.
const TICK_MS: u64 = 20;
const COARSE_TICK_MS: u64 = 2_000;

/// A name that has been looked up so short a time ago is in the kernel's memory still, ms, and so are bytes of a file:
/// the kernel forgets those first that nobody asks for. That saves two of three system calls, and one for each 32 KiB.
pub(crate) const HOT_MS: u64 = 1_000;

/// How long contents in memory are sent without another look at the file, ms. A store through a shared mapping changes
/// no time of a file on tmpfs, and elsewhere only that of the first store to a page before it is written back. To read
/// a file anew costs four system calls.
const TRUST_MS: u64 = 1_000;

/// A hash of a file's contents.
pub(crate) type Hash = [u8; 16];

/// A file as it was when it was opened.
#[derive(Debug)]
pub(crate) struct OpenedFile {
    path: CString,
    meta: Meta,
    found: Found,
    file: Option<Held>,
    body: Option<Box<[u8]>>,
    /// When the contents were read into memory, ms since 1970.
    read_ms: u64,
    /// The hash of the contents, once somebody has asked for it.
    hash: OnceLock<Hash>,
    /// Whether its file system asks no server; `None`: nobody has found out.
    is_local: Option<bool>,
    /// When the kernel was last seen to have all of it in memory, ms of the monotonic clock.
    in_memory_ms: AtomicU64,
}

impl Drop for OpenedFile {
    fn drop(&mut self) {
        if self.is_local == Some(false)
            && let Some(held) = self.file.take()
        {
            held::close(held);
        }
    }
}

impl OpenedFile {
    fn open(path: &CStr, max_body: u64, now_ms: u64) -> io::Result<OpenedFile> {
        let file = File::from(file::open(path)?);
        let meta = file::fstat(&file)?;
        Ok(OpenedFile::new(path.to_owned(), file, meta, max_body, now_ms))
    }

    fn new(path: CString, file: File, meta: Meta, max_body: u64, now_ms: u64) -> OpenedFile {
        let mut entry = OpenedFile::empty(path, file, meta);
        entry.load(max_body, now_ms);
        entry
    }

    /// The same, with nothing of the contents in memory.
    fn empty(path: CString, file: File, meta: Meta) -> OpenedFile {
        let mut facts = Facts::new(meta.kind, meta.len, meta.mtime_s, meta.mode);
        facts.is_too_wide = meta.is_file() && wide_zstd::is_too_wide(&path, &file);
        // Nobody reads from a directory.
        let file = (!meta.is_dir()).then(|| Held::new(file));
        let found = facts.into();
        let mut entry = OpenedFile::bare(path, meta, found);
        entry.file = file;
        entry
    }

    /// An entry that holds nothing.
    fn bare(path: CString, meta: Meta, found: Found) -> OpenedFile {
        let (hash, in_memory_ms) = (OnceLock::new(), AtomicU64::new(0));
        OpenedFile { path, meta, found, file: None, body: None, read_ms: 0, hash, is_local: None, in_memory_ms }
    }

    /// An entry without contents, of what is at the path.
    fn unread(path: &CStr, links: Links) -> io::Result<OpenedFile> {
        let meta = match links {
            Links::Follow => file::stat(path)?,
            _ => guarded::stat(path.to_bytes(), links)?,
        };
        let found = Facts::new(meta.kind, meta.len, meta.mtime_s, meta.mode).into();
        Ok(OpenedFile::bare(path.to_owned(), meta, found))
    }

    /// Whether the kernel has had all of the file in memory a short time ago.
    pub(crate) fn is_in_memory(&self, now_ms: u64) -> bool {
        now_ms < self.in_memory_ms.load(Ordering::Relaxed) + HOT_MS
    }

    /// Notes that the kernel has all of the file in memory.
    pub(crate) fn set_in_memory(&self, now_ms: u64) {
        self.in_memory_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Whether this is a directory.
    pub(crate) fn is_dir(&self) -> bool {
        self.meta.is_dir()
    }

    /// Takes the contents into memory, when they are small and settled; the descriptor is then not needed any more.
    fn load(&mut self, max_body: u64, now_ms: u64) {
        if !self.wants_load(max_body, now_ms) {
            return;
        }
        let Some(Held(file)) = &self.file else { return };
        // Without memory for it the file is sent as a larger one is.
        let Ok(mut body) = memory::zeroed(self.meta.len as usize).map(Vec::into_boxed_slice) else { return };
        if file.read_exact_at(&mut body, 0).is_ok() {
            (self.body, self.read_ms) = (Some(body), now_ms);
            self.file = None;
        }
    }

    /// Whether the contents are to be read into memory, for the first time or again.
    fn wants_load(&self, max_body: u64, now_ms: u64) -> bool {
        match self.body {
            // The clock may have been set back.
            Some(_) => now_ms.abs_diff(self.read_ms) >= TRUST_MS,
            None => self.meta.len <= max_body && self.settled(now_ms).is_some(),
        }
    }

    /// The marks of the file's state, of a regular file whose contents can't change without a change of them.
    pub(crate) fn settled(&self, now_ms: u64) -> Option<&Meta> {
        let ms = |s: i64, ns: u32| u64::try_from(s).unwrap_or(0) * 1000 + u64::from(ns / 1_000_000);
        let meta = &self.meta;
        let changed = ms(meta.mtime_s, meta.mtime_ns).max(ms(meta.ctime_s, meta.ctime_ns));
        let tick = if meta.ctime_ns == 0 { COARSE_TICK_MS } else { TICK_MS };
        (meta.is_file() && changed + tick <= now_ms).then_some(meta)
    }

    /// Whether the file is still what it was when it was opened, as far as it is read anew for each response.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.file.as_ref().is_none_or(|Held(file)| file::fstat(file).is_ok_and(|meta| meta == self.meta))
    }

    /// The path that was opened.
    pub(crate) fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    /// Type, length and time of the file, as HTTP asks for them.
    pub(crate) fn found(&self) -> &Found {
        &self.found
    }

    /// The place for the hash of the contents.
    pub(super) fn hash(&self) -> &OnceLock<Hash> {
        &self.hash
    }

    /// The contents, if they are in memory.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// All of the contents. Errors: the `errno` of reading.
    pub(crate) fn contents(&self) -> Result<Vec<u8>, i32> {
        if self.is_dir() {
            return Err(libc::EISDIR);
        }
        let Some(file) = self.file() else { return Ok(self.body.as_deref().unwrap_or_default().to_vec()) };
        let mut bytes = memory::zeroed(self.meta.len as usize).map_err(|_| libc::ENOMEM)?;
        let read = file.read_at(&mut bytes, 0).map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// The open file, if the contents are not in memory.
    pub(crate) fn file(&self) -> Option<&File> {
        self.file.as_ref().map(|held| &held.0)
    }

    fn weight(&self) -> u64 {
        self.body.as_ref().map_or(0, |body| body.len() as u64)
    }
}

#[derive(Debug)]
struct Cached {
    entry: Arc<OpenedFile>,
    /// The turn that last compared the entry with the file system.
    checked: u64,
    /// When `get_now` last did, ms since 1970.
    looked_ms: u64,
}

impl Cached {
    fn holds(&self) -> bool {
        self.entry.file.is_some()
    }
}

/// The files of a worker, or of one of its threads, by path.
#[derive(Debug)]
pub(crate) struct FileCache {
    entries: LruCache<Box<[u8]>, Cached, foldhash::fast::RandomState>,
    bytes: u64,
    /// Entries that hold a file open.
    held: usize,
    /// When idle files are closed next, ms of the loop's clock; `None`: no file was held at the end of the last turn.
    sweep_ms: Option<u64>,
    /// The turn in which idle files were closed last.
    swept: u64,
    /// The memory of a path that is not known yet.
    path: Vec<u8>,
    /// Longest file that is kept in memory, bytes.
    max_body: u64,
    /// Most files that all caches of the process may hold open.
    max_held: u64,
    /// Devices, and whether the kernel alone knows what they hold.
    devices: Vec<(u64, bool)>,
    /// Since they were taken last.
    lookups: Lookups,
}

/// Look-ups by their result, for the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lookups {
    /// The entry that was kept is right.
    pub hits: u64,
    /// The file was opened, or could not be.
    pub misses: u64,
}

impl FileCache {
    /// An empty cache. `with_sendfile`: all files that are not in memory are sent by sendfile.
    pub(crate) fn new(with_sendfile: bool) -> FileCache {
        FileCache {
            entries: LruCache::with_hasher(MAX_ENTRIES, foldhash::fast::RandomState::default()),
            bytes: 0,
            held: 0,
            sweep_ms: None,
            swept: 0,
            path: Vec::new(),
            max_body: if with_sendfile { MAX_BODY } else { MAX_BODY_READ },
            max_held: limits::max_open_files().map_or(MAX_HELD, descriptors_for_files),
            devices: Vec::new(),
            lookups: Lookups::default(),
        }
    }

    /// The file at `path` as it is in this `turn` of the loop, or the `errno` of opening it. Only regular files are
    /// kept: a directory is asked for too rarely, and anything else must not be held open.
    pub(crate) fn get(&mut self, path: &[u8], turn: u64, now_ms: u64) -> Result<Arc<OpenedFile>, i32> {
        let errno = |error: io::Error| error.raw_os_error().unwrap_or(libc::EIO);
        if let Some(cached) = self.entries.get_mut(path) {
            if cached.checked == turn {
                self.lookups.hits += 1;
                return Ok(cached.entry.clone());
            }
            match file::stat(&cached.entry.path) {
                Ok(meta) if meta == cached.entry.meta && !cached.entry.wants_load(self.max_body, now_ms) => {
                    cached.checked = turn;
                    self.lookups.hits += 1;
                    return Ok(cached.entry.clone());
                }
                Ok(_) => {}
                Err(error) => {
                    self.lookups.misses += 1;
                    self.forget(path);
                    return Err(errno(error));
                }
            }
        }
        self.lookups.misses += 1;
        let mut opened = OpenedFile::open(c_str(&mut self.path, path)?, self.max_body, now_ms);
        if matches!(&opened, Err(error) if is_out_of_files(error)) {
            self.close_files();
            opened = OpenedFile::open(c_str(&mut self.path, path)?, self.max_body, now_ms);
        }
        self.forget(path);
        let entry = Arc::new(opened.map_err(errno)?);
        if entry.meta.kind == FileKind::File && (entry.file.is_none() || self.ensure_room()) {
            self.keep(path, entry.clone(), turn);
        }
        Ok(entry)
    }

    /// The same for a file that need not be readable: where opening fails with EACCES, an entry without contents is
    /// made from its metadata.
    pub(crate) fn get_or_stat(&mut self, path: &[u8], turn: u64, now_ms: u64) -> Result<Arc<OpenedFile>, i32> {
        let result = self.get(path, turn, now_ms);
        if !matches!(result, Err(libc::EACCES)) {
            return result;
        }
        OpenedFile::unread(c_str(&mut self.path, path)?, Links::Follow).map_or(result, |entry| Ok(Arc::new(entry)))
    }

    /// The same with a rule for the links in the path, which is opened anew for that: what is kept of the file under
    /// this path serves only if it is the one that was opened.
    pub(crate) fn get_by(&mut self, path: &[u8], links: Links, turn: u64, now_ms: u64) -> Result<Arc<OpenedFile>, i32> {
        if links == Links::Follow {
            return self.get(path, turn, now_ms);
        }
        // A miss, until it is known to be none.
        self.lookups.misses += 1;
        let errno = |error: io::Error| error.raw_os_error().unwrap_or(libc::EIO);
        let file = File::from(guarded::open(path, links).map_err(errno)?);
        let meta = file::fstat(&file).map_err(errno)?;
        if let Some(cached) = self.entries.get(path)
            && cached.entry.meta == meta
            && !cached.entry.wants_load(self.max_body, now_ms)
        {
            self.lookups.misses -= 1;
            self.lookups.hits += 1;
            return Ok(cached.entry.clone());
        }
        self.forget(path);
        let c_path = c_str(&mut self.path, path)?.to_owned();
        let entry = Arc::new(OpenedFile::new(c_path, file, meta, self.max_body, now_ms));
        if entry.meta.kind == FileKind::File && (entry.file.is_none() || self.ensure_room()) {
            self.keep(path, entry.clone(), turn);
        }
        Ok(entry)
    }

    /// Counts a file that was found without a look-up here.
    pub(super) fn count_hit(&mut self) {
        self.lookups.hits += 1;
    }

    /// The look-ups since the last call.
    pub(crate) fn take_lookups(&mut self) -> Lookups {
        std::mem::take(&mut self.lookups)
    }

    /// Finds out whether one more file may stay open. At the limit the older half of this cache's files are closed:
    /// closing them one at a time would cost a search through all entries each.
    pub(crate) fn ensure_room(&mut self) -> bool {
        if held::count() > self.max_held {
            self.close_oldest(|held| held.div_ceil(2));
        }
        held::count() <= self.max_held
    }

    /// Closes the files that are kept open for requests to come. Returns their number.
    pub(crate) fn close_files(&mut self) -> usize {
        self.close_oldest(|held| held)
    }

    /// Forgets all files, also those whose contents are in memory.
    pub(crate) fn forget_all(&mut self) {
        while let Some((_, cached)) = self.entries.pop_lru() {
            self.uncount(&cached);
        }
    }

    /// Forgets the entries that hold files, from the oldest on. `count`: how many, given the number there is. Returns
    /// how many were forgotten.
    fn close_oldest(&mut self, count: impl Fn(usize) -> usize) -> usize {
        let from_oldest = self.entries.iter().rev().filter(|(_, cached)| cached.holds());
        let oldest: Vec<_> = from_oldest.take(count(self.held)).map(|(path, _)| path.clone()).collect();
        oldest.iter().for_each(|path| self.forget(path));
        oldest.len()
    }

    /// When [`FileCache::close_idle`] has something to do, ms of the loop's clock.
    pub(crate) fn next_sweep_ms(&self) -> Option<u64> {
        self.sweep_ms
    }

    /// Closes, when it is time, the files that no request has named since the last time. To be called at the end of a
    /// turn.
    pub(crate) fn close_idle(&mut self, turn: u64, now_ms: u64) {
        if self.held == 0 {
            self.sweep_ms = None;
            return;
        }
        if now_ms < *self.sweep_ms.get_or_insert(now_ms + SWEEP_MS) {
            return;
        }
        let since = std::mem::replace(&mut self.swept, turn);
        // A file that a request names becomes the newest, so that the idle files are the oldest.
        let idle = self.entries.iter().rev().take_while(|(_, cached)| cached.checked <= since);
        let idle: Vec<_> = idle.filter(|(_, cached)| cached.holds()).map(|(path, _)| path.clone()).collect();
        idle.iter().for_each(|path| self.forget(path));
        self.sweep_ms = (self.held > 0).then_some(now_ms + SWEEP_MS);
    }

    fn keep(&mut self, path: &[u8], entry: Arc<OpenedFile>, turn: u64) {
        let cached = Cached { entry, checked: turn, looked_ms: 0 };
        self.bytes += cached.entry.weight();
        self.held += usize::from(cached.holds());
        if let Some((_, pushed_out)) = self.entries.push(path.into(), cached) {
            self.uncount(&pushed_out);
        }
        while self.bytes > MAX_BYTES {
            let Some((_, oldest)) = self.entries.pop_lru() else { break };
            self.uncount(&oldest);
        }
    }

    fn forget(&mut self, path: &[u8]) {
        if let Some(cached) = self.entries.pop(path) {
            self.uncount(&cached);
        }
    }

    fn uncount(&mut self, cached: &Cached) {
        self.bytes -= cached.entry.weight();
        self.held -= usize::from(cached.holds());
    }
}

/// The path as a C string, in this buffer. Errors: it holds a NUL, so that no such file exists.
fn c_str<'b>(buffer: &'b mut Vec<u8>, path: &[u8]) -> Result<&'b CStr, i32> {
    buffer.clear();
    buffer.extend_from_slice(path);
    buffer.push(0);
    CStr::from_bytes_with_nul(buffer).map_err(|_| libc::ENOENT)
}

fn is_out_of_files(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

#[cfg(test)]
mod tests;
