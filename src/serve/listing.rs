//! Reads a directory, for `autoindex`.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::http::exchange::{FileKind, Listed};

/// The files of a directory, those whose names begin with a dot left out (ngx_http_autoindex_handler). Errors: the
/// `errno` of the call that failed.
pub(crate) fn of(path: &[u8]) -> Result<Vec<Listed>, i32> {
    list(Path::new(OsStr::from_bytes(path))).map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))
}

fn list(dir: &Path) -> io::Result<Vec<Listed>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().into_vec();
        if name.starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let meta = match fs::metadata(&path) {
            // A link that leads nowhere or in a circle is listed as itself.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ELOOP)) => {
                fs::symlink_metadata(&path)
            }
            meta => meta,
        };
        match meta {
            Ok(meta) => entries.push(listed(name, &meta)),
            // The file has gone since its name was read, or a link leads to where the worker may not look.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EACCES)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

fn listed(name: Vec<u8>, meta: &Metadata) -> Listed {
    let kind = match meta.file_type() {
        kind if kind.is_dir() => FileKind::Dir,
        kind if kind.is_file() => FileKind::File,
        _ => FileKind::Other,
    };
    Listed { name, kind, len: meta.len(), mtime: meta.mtime() }
}
