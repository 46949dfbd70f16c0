//! Reads a directory, for `autoindex` and `random_index`.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, FileType, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::http::exchange::{FileKind, Listed};

/// The files of a directory, those whose names begin with a dot left out (ngx_http_autoindex_handler). Errors: the
/// `errno` of the call that failed.
pub(crate) fn of(path: &[u8]) -> Result<Vec<Listed>, i32> {
    list(path, true)
}

/// The same by names and kinds alone: the directory itself says these, but for links, so that a name costs no system
/// call (ngx_http_random_index_handler).
pub(crate) fn names(path: &[u8]) -> Result<Vec<Listed>, i32> {
    list(path, false)
}

fn list(path: &[u8], is_whole: bool) -> Result<Vec<Listed>, i32> {
    let list = || {
        let mut entries = Vec::new();
        for entry in fs::read_dir(Path::new(OsStr::from_bytes(path)))? {
            entries.extend(look(&entry?, is_whole)?);
        }
        Ok(entries)
    };
    list().map_err(|error: io::Error| error.raw_os_error().unwrap_or(libc::EIO))
}

/// An entry, unless it is one to leave out.
fn look(entry: &DirEntry, is_whole: bool) -> io::Result<Option<Listed>> {
    let name = entry.file_name().into_vec();
    if name.starts_with(b".") {
        return Ok(None);
    }
    // A file system that tells no kinds (DT_UNKNOWN) makes this a system call.
    let found = entry.file_type().and_then(|own| match own {
        own if own.is_symlink() => followed(entry).map(|meta| listed(name, &meta)),
        _ if is_whole => entry.metadata().map(|meta| listed(name, &meta)),
        own => Ok(Listed { name, kind: kind(own), len: 0, mtime: 0 }),
    });
    match found {
        Ok(listed) => Ok(Some(listed)),
        // The file has gone since its name was read, or a link leads to where the worker may not look.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EACCES)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The facts about what a link leads to.
fn followed(entry: &DirEntry) -> io::Result<Metadata> {
    match fs::metadata(entry.path()) {
        // A link that leads nowhere or in a circle is listed as itself.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ELOOP)) => entry.metadata(),
        meta => meta,
    }
}

fn listed(name: Vec<u8>, meta: &Metadata) -> Listed {
    Listed { name, kind: kind(meta.file_type()), len: meta.len(), mtime: meta.mtime() }
}

fn kind(found: FileType) -> FileKind {
    match found {
        found if found.is_dir() => FileKind::Dir,
        found if found.is_file() => FileKind::File,
        _ => FileKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn names_have_the_kinds_of_the_list_also_through_links() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "text").unwrap();
        fs::write(path(".hidden"), "text").unwrap();
        fs::create_dir(path("dir")).unwrap();
        for (link, target) in [("to_file", "file"), ("to_dir", "dir"), ("to_nothing", "none"), ("circle", "circle")] {
            symlink(target, path(link)).unwrap();
        }
        let sorted = |found: Result<Vec<Listed>, i32>| {
            let mut found = found.unwrap();
            found.sort_by(|a, b| a.name.cmp(&b.name));
            found
        };
        let bytes = dir.path().as_os_str().as_bytes();
        let (whole, names) = (sorted(of(bytes)), sorted(names(bytes)));
        let kinds = |found: &[Listed]| found.iter().map(|it| (it.name.clone(), it.kind)).collect::<Vec<_>>();
        let expected = [
            ("circle", FileKind::Other),
            ("dir", FileKind::Dir),
            ("file", FileKind::File),
            ("to_dir", FileKind::Dir),
            ("to_file", FileKind::File),
            ("to_nothing", FileKind::Other),
        ];
        assert_eq!(kinds(&whole), expected.map(|(name, kind)| (name.as_bytes().to_vec(), kind)));
        assert_eq!(kinds(&names), kinds(&whole));
        let file = |found: &[Listed]| found.iter().find(|it| it.name == b"file").map(|it| (it.len, it.mtime > 0));
        assert_eq!((file(&whole), file(&names)), (Some((4, true)), Some((0, false))), "no file was looked at");
        assert_eq!(of(&[bytes, b"/none"].concat()), Err(libc::ENOENT));
    }
}
