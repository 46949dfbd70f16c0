//! Log files whose names are made anew for each line, and how long they stay open, as in nginx's
//! `ngx_open_file_cache.c` for logs.

use super::file::append;
use crate::os::Failure;
use lru::LruCache;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How many files stay open, and how long: the value of `open_log_file_cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeepOpen {
    /// Files at most; 0: a file is closed behind its line.
    pub max: usize,
    /// How long a file may go without a line, seconds.
    pub inactive_s: u64,
    /// Lines within that time from which on a file stays open.
    pub min_uses: u64,
    /// How long the file is taken for the one of its name without a look, seconds.
    pub valid_s: u64,
}

/// The reason why a line was not written.
#[derive(Debug)]
pub enum Unwritten {
    /// The file can't be opened.
    Unopened(Failure),
    /// The file takes nothing: a full disk, most likely.
    Refused(io::Error),
}

/// The files of one `access_log` whose path has variables.
#[derive(Debug)]
pub struct NamedFiles {
    known: LruCache<Vec<u8>, Named>,
}

#[derive(Debug)]
struct Named {
    file: Option<File>,
    uses: u64,
    used_s: u64,
    checked_s: u64,
}

impl Default for NamedFiles {
    fn default() -> NamedFiles {
        NamedFiles { known: LruCache::unbounded() }
    }
}

impl NamedFiles {
    /// Appends a line, with its line end, to the file at `path`. `now_s`: seconds of any clock.
    pub fn write(&mut self, path: &[u8], line: &[u8], keep: &KeepOpen, now_s: u64) -> Result<(), Unwritten> {
        self.close_old(keep, now_s);
        if keep.max == 0 {
            return write(&open(path)?, line);
        }
        let named =
            self.known.get_or_insert_mut_ref(path, || Named { file: None, uses: 0, used_s: now_s, checked_s: now_s });
        if now_s.saturating_sub(named.checked_s) >= keep.valid_s {
            named.checked_s = now_s;
            named.file.take_if(|file| !is_at(file, path));
        }
        (named.uses, named.used_s) = (named.uses + 1, now_s);
        let stays = named.uses >= keep.min_uses;
        let result = match &named.file {
            Some(file) => write(file, line),
            None => open(path).and_then(|file| {
                let result = write(&file, line);
                named.file = Some(file).filter(|_| stays);
                result
            }),
        };
        while self.known.len() > keep.max {
            self.known.pop_lru();
        }
        result
    }

    fn close_old(&mut self, keep: &KeepOpen, now_s: u64) {
        let is_old = |named: &Named| now_s.saturating_sub(named.used_s) > keep.inactive_s;
        while self.known.peek_lru().is_some_and(|(_, named)| is_old(named)) {
            self.known.pop_lru();
        }
    }
}

fn open(path: &[u8]) -> Result<File, Unwritten> {
    let path = Path::new(OsStr::from_bytes(path));
    append(path).map_err(|error| Unwritten::Unopened(Failure::on_path("open", path, error)))
}

/// A line goes out in one call: a file that takes less is full.
fn write(mut file: &File, line: &[u8]) -> Result<(), Unwritten> {
    match file.write(line) {
        Ok(n) if n == line.len() => Ok(()),
        Ok(_) => Err(Unwritten::Refused(io::Error::from_raw_os_error(libc::ENOSPC))),
        Err(error) => Err(Unwritten::Refused(error)),
    }
}

/// Whether the file is the one at the path still.
fn is_at(file: &File, path: &[u8]) -> bool {
    let there = std::fs::metadata(Path::new(OsStr::from_bytes(path)));
    let (Ok(own), Ok(there)) = (file.metadata(), there) else { return false };
    (own.dev(), own.ino()) == (there.dev(), there.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const KEEP: KeepOpen = KeepOpen { max: 2, inactive_s: 10, min_uses: 1, valid_s: 60 };

    #[test]
    fn files_stay_open_as_long_as_they_may() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).into_os_string().into_encoded_bytes();
        let mut files = NamedFiles::default();
        let mut put = |name: &str, keep: &KeepOpen, now_s| {
            files.write(&path(name), b"x\n", keep, now_s).unwrap();
            files.known.iter().filter(|(_, named)| named.file.is_some()).count()
        };
        assert_eq!(put("a", &KeepOpen::default(), 0), 0);
        assert_eq!([put("a", &KEEP, 0), put("b", &KEEP, 1), put("c", &KEEP, 2)], [1, 2, 2]);
        assert_eq!(put("c", &KEEP, 12), 1, "b is old, a was one too many");
        let twice = KeepOpen { min_uses: 2, ..KEEP };
        assert_eq!([put("d", &twice, 12), put("d", &twice, 12)], [1, 2]);
        fs::rename(dir.path().join("d"), dir.path().join("d.1")).unwrap();
        put("d", &KeepOpen { inactive_s: 99, ..KEEP }, 71);
        assert!(!dir.path().join("d").exists(), "it is not looked for yet");
        put("d", &KeepOpen { inactive_s: 99, ..KEEP }, 72);
        assert_eq!(fs::read_to_string(dir.path().join("d")).unwrap(), "x\n");
        assert_eq!(fs::read_to_string(dir.path().join("d.1")).unwrap(), "x\nx\nx\n");
    }

    #[test]
    fn failures_are_told_apart() {
        let mut files = NamedFiles::default();
        let Err(Unwritten::Unopened(failure)) = files.write(b"/nowhere/x", b"x\n", &KEEP, 0) else { panic!("opened") };
        assert_eq!(failure.to_string(), "open() \"/nowhere/x\" failed (2: No such file or directory)");
        assert!(matches!(files.write(b"/a\0b", b"x\n", &KEEP, 0), Err(Unwritten::Unopened(_))));
        assert!(matches!(files.write(b"/dev/full", b"x\n", &KEEP, 0), Err(Unwritten::Refused(_))));
    }
}
