//! States of files, to see when one is replaced.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The states of several files at one time.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Stamps(Vec<Option<Stamp>>);

/// The state of a file behind all its links: any change of its content changes one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    changed: (i64, i64),
    modified: (i64, i64),
}

impl Stamps {
    /// The states of the files now; one that can't be looked at has a state as well.
    pub fn of<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Stamps {
        Stamps(paths.into_iter().map(|path| Stamp::of(path.as_ref())).collect())
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let data = fs::metadata(path).ok()?;
        Some(Stamp {
            file: (data.dev(), data.ino()),
            size: data.size(),
            changed: (data.ctime(), data.ctime_nsec()),
            modified: (data.mtime(), data.mtime_nsec()),
        })
    }
}
