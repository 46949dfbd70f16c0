//! Look-ups that wait for no disk, and those that threads make in their place.

use super::{Cached, FileCache, HOT_MS, OpenedFile, c_str, is_out_of_files};
use crate::os::cached;
use crate::os::file::{self, FileKind, Meta};
use crate::os::{Links, guarded};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// No `errno` of the kernel's: the answer is not in memory.
pub(crate) const LATER: i32 = -1;

/// Devices that are known at most; in the place of one more all are found out anew.
const MOST_DEVICES: usize = 64;

/// Bytes at the start of a Zstandard file that tell its window: a magic number and a head, skippable frames aside.
const ZSTD_HEAD: u64 = 64;

/// A look-up of a file.
#[derive(Debug)]
pub(crate) struct Look {
    pub path: Vec<u8>,
    pub links: Links,
    /// The file need not be readable.
    pub is_stat: bool,
    /// The file that was there at the last look.
    pub known: Option<Arc<OpenedFile>>,
    /// Longest file that is kept in memory.
    pub max_body: u64,
    pub unix_ms: u64,
}

fn errno(error: io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

impl Look {
    /// Finds out what is at the path, and waits for that: a thread's work.
    pub(crate) fn run(&self) -> Result<Arc<OpenedFile>, i32> {
        let path = CString::new(&*self.path).map_err(|_| libc::ENOENT)?;
        let is_usable =
            |known: &&Arc<OpenedFile>| known.is_local.is_some() && !known.wants_load(self.max_body, self.unix_ms);
        let known = self.known.as_ref().filter(is_usable);
        if self.links == Links::Follow
            && let Some(known) = known
            && file::stat(&path).map_err(errno)? == known.meta
        {
            return Ok(known.clone());
        }
        let opened = guarded::open(&self.path, self.links).and_then(|file| {
            let file = File::from(file);
            let (meta, is_local) = (file::fstat(&file)?, cached::is_local(&file));
            let mut entry = OpenedFile::new(path.clone(), file, meta, self.max_body, self.unix_ms);
            entry.is_local = Some(is_local);
            Ok(Arc::new(entry))
        });
        match opened {
            Err(error) if self.is_stat && error.raw_os_error() == Some(libc::EACCES) => {
                OpenedFile::unread(&path, self.links).map(Arc::new).map_err(errno)
            }
            opened => opened.map_err(errno),
        }
    }
}

impl OpenedFile {
    /// Opens a local file whose name is in memory. Errors: an `errno`, or `LATER`.
    fn open_now(path: &CStr, max_body: u64, unix_ms: u64) -> io::Result<Option<OpenedFile>> {
        let file = File::from(file::open(path)?);
        let meta = file::fstat(&file)?;
        let is_zstd = meta.is_file() && path.to_bytes().ends_with(b".zst");
        let head = meta.len.min(ZSTD_HEAD);
        if is_zstd && head > 0 && cached::cached_from(&file, 0, head)? < head {
            return Ok(None);
        }
        let mut entry = OpenedFile::empty(path.to_owned(), file, meta);
        entry.is_local = Some(true);
        if entry.wants_load(max_body, unix_ms) { entry.load_now(unix_ms) } else { Ok(Some(entry)) }
    }

    /// Takes the contents into memory; `None`: the kernel has not got all of them.
    fn load_now(mut self, unix_ms: u64) -> io::Result<Option<OpenedFile>> {
        let Some(file) = self.file() else { return Ok(Some(self)) };
        let mut body = vec![0; self.meta.len as usize].into_boxed_slice();
        let mut at = 0;
        while at < body.len() {
            match cached::read(file, &mut body[at..], at as u64)? {
                cached::Cached::Unknown => return Ok(None),
                // A file that has just become shorter is read as it is sent.
                cached::Cached::Known(0) => return Ok(Some(self)),
                cached::Cached::Known(read) => at += read,
            }
        }
        (self.body, self.file, self.read_ms) = (Some(body), None, unix_ms);
        Ok(Some(self))
    }
}

impl FileCache {
    /// [`FileCache::get`], or [`FileCache::get_or_stat`] for `is_stat`, without a wait for a disk. Errors: `LATER` as
    /// well, where there would be one.
    pub(crate) fn get_now(
        &mut self,
        path: &[u8],
        is_stat: bool,
        turn: u64,
        unix_ms: u64,
    ) -> Result<Arc<OpenedFile>, i32> {
        if let Some(cached) = self.entries.get(path)
            && cached.checked == turn
        {
            self.lookups.hits += 1;
            return Ok(cached.entry.clone());
        }
        let c_path = c_str(&mut self.path, path)?.to_owned();
        let mut looked = self.look_now(path, &c_path, unix_ms);
        if matches!(looked, Err(libc::EMFILE | libc::ENFILE)) {
            // A thread asks stat(2), which needs no descriptor.
            looked = if self.close_files() > 0 { self.look_now(path, &c_path, unix_ms) } else { Err(LATER) };
        }
        match looked {
            Ok(meta) => {
                let max_body = self.max_body;
                let is_same =
                    |cached: &&mut Cached| cached.entry.meta == meta && !cached.entry.wants_load(max_body, unix_ms);
                if let Some(cached) = self.entries.get_mut(path).filter(is_same) {
                    (cached.checked, cached.looked_ms) = (turn, unix_ms);
                    self.lookups.hits += 1;
                    return Ok(cached.entry.clone());
                }
            }
            Err(LATER) => return Err(LATER),
            Err(errno) => {
                self.lookups.misses += 1;
                self.forget(path);
                return Err(errno);
            }
        }
        let mut opened = OpenedFile::open_now(&c_path, self.max_body, unix_ms);
        if matches!(&opened, Err(error) if is_out_of_files(error)) && self.close_files() > 0 {
            opened = OpenedFile::open_now(&c_path, self.max_body, unix_ms);
        }
        self.lookups.misses += u64::from(!matches!(opened, Ok(None)));
        match opened {
            Ok(Some(entry)) => {
                let entry = Arc::new(entry);
                self.put(path, &entry, turn, unix_ms);
                Ok(entry)
            }
            Ok(None) => Err(LATER),
            Err(error) if is_stat && error.raw_os_error() == Some(libc::EACCES) => {
                OpenedFile::unread(&c_path, Links::Follow).map(Arc::new).map_err(errno)
            }
            Err(error) => {
                self.forget(path);
                Err(errno(error))
            }
        }
    }

    /// Describes the object at a path, as far as the kernel has it in memory. Errors: an `errno`, or `LATER`.
    fn look_now(&self, path: &[u8], c_path: &CStr, unix_ms: u64) -> Result<Meta, i32> {
        let known = self.entries.peek(path);
        let is_hot = |cached: &Cached| unix_ms < cached.looked_ms + HOT_MS && self.is_local(cached.entry.meta.dev);
        let meta = if known.is_some_and(is_hot) {
            file::stat(c_path).map_err(errno)?
        } else {
            let cached::Cached::Known(found) = cached::find(c_path).map_err(errno)? else { return Err(LATER) };
            if !self.is_local(cached::device(&found).map_err(errno)?) {
                return Err(LATER);
            }
            cached::describe(&found).map_err(errno)?
        };
        if self.is_local(meta.dev) { Ok(meta) } else { Err(LATER) }
    }

    fn is_local(&self, device: u64) -> bool {
        self.devices.iter().any(|(known, is_local)| *known == device && *is_local)
    }

    /// The look-up of a path for a thread.
    pub(crate) fn look(&self, path: &[u8], links: Links, is_stat: bool, unix_ms: u64) -> Look {
        let known = self.entries.peek(path).map(|cached| cached.entry.clone());
        Look { path: path.to_owned(), links, is_stat, known, max_body: self.max_body, unix_ms }
    }

    /// Takes what a thread has found at a path: it may have changed since, so that the next request looks anew.
    pub(crate) fn note(&mut self, path: &[u8], found: &Result<Arc<OpenedFile>, i32>, turn: u64, unix_ms: u64) {
        let entry = match found {
            Ok(entry) => entry,
            // The caller looks it up anew, and that is counted.
            Err(libc::EMFILE | libc::ENFILE) => return self.forget(path),
            Err(_) => {
                self.lookups.misses += 1;
                return self.forget(path);
            }
        };
        if let Some(is_local) = entry.is_local {
            self.devices.retain(|(device, _)| *device != entry.meta.dev);
            if self.devices.len() >= MOST_DEVICES {
                self.devices.clear();
            }
            self.devices.push((entry.meta.dev, is_local));
        }
        match self.entries.peek_mut(path) {
            Some(cached) if Arc::ptr_eq(&cached.entry, entry) => {
                cached.looked_ms = unix_ms;
                self.lookups.hits += 1;
            }
            _ => {
                self.lookups.misses += 1;
                self.put(path, entry, turn.wrapping_sub(1), unix_ms);
            }
        }
    }

    /// Keeps a regular file, if one more may be.
    fn put(&mut self, path: &[u8], entry: &Arc<OpenedFile>, turn: u64, looked_ms: u64) {
        self.forget(path);
        if entry.meta.kind == FileKind::File && (entry.file.is_none() || self.ensure_room()) {
            self.keep(path, entry.clone(), turn);
            self.entries.peek_mut(path).into_iter().for_each(|cached| cached.looked_ms = looked_ms);
        }
    }
}
