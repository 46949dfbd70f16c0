//! Reads a directory, for `autoindex` and `random_index`.

use std::io;

use crate::http::exchange::Listed;
use crate::os::file::Meta;
use crate::os::{Dir, Links, Name, guarded, memory};
use nix::errno::Errno;

/// A directory to be read.
#[derive(Debug)]
pub(crate) struct Listing {
    pub path: Vec<u8>,
    /// The links in the path that are followed.
    pub links: Links,
    /// With lengths and times. Otherwise names and kinds alone: the directory itself says these, but for links, so that
    /// a name costs no system call (ngx_http_random_index_handler).
    pub is_whole: bool,
}

impl Listing {
    /// The files of the directory, those whose names begin with a dot left out (ngx_http_autoindex_handler). Errors:
    /// the `errno` of the call that failed.
    pub(crate) fn run(&self) -> Result<Vec<Listed>, i32> {
        let list = || {
            let mut dir = Dir::open(&self.path, self.links)?;
            let names = dir.names()?;
            let mut entries = Vec::new();
            memory::reserve(&mut entries, names.len()).map_err(|_| Errno::ENOMEM)?;
            for name in names {
                entries.extend(self.look(&dir, name)?);
            }
            Ok(entries)
        };
        list().map_err(|error: io::Error| error.raw_os_error().unwrap_or(libc::EIO))
    }

    /// An entry, unless it is one to leave out.
    fn look(&self, dir: &Dir, name: Name) -> io::Result<Option<Listed>> {
        let Name { bytes, kind } = name;
        let found = match kind {
            None => self.followed(dir, &bytes),
            Some(_) if self.is_whole => dir.own(&bytes),
            Some(kind) => return Ok(Some(Listed { name: bytes, kind, len: 0, mtime: 0 })),
        };
        match found {
            Ok(Meta { kind, len, mtime_s: mtime, .. }) => Ok(Some(Listed { name: bytes, kind, len, mtime })),
            // The file has gone since its name was read, or a link leads to where the worker may not look.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EACCES)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The facts about what a link leads to. Under the rules that nginx has as well they are told of any link.
    fn followed(&self, dir: &Dir, name: &[u8]) -> io::Result<Meta> {
        let found = match self.links {
            Links::Beneath { .. } => guarded::stat(&[&self.path, &b"/"[..], name].concat(), self.links),
            _ => dir.followed(name),
        };
        match found {
            // A link that leads nowhere, in a circle or out is listed as itself.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ELOOP)) => dir.own(name),
            found => found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::exchange::FileKind;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
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
        let list = |path: &[u8], links, is_whole| Listing { path: path.to_owned(), links, is_whole }.run();
        let bytes = dir.path().as_os_str().as_bytes();
        let [whole, names] = [true, false].map(|is_whole| sorted(list(bytes, Links::Follow, is_whole)));
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
        assert_eq!(list(&[bytes, b"/none"].concat(), Links::Follow, true), Err(libc::ENOENT));
        let beneath = |part: &[u8]| sorted(list(&[bytes, part].concat(), Links::Beneath { from: bytes.len() }, true));
        assert_eq!(beneath(b""), whole);
        symlink("../file", path("dir/inside")).unwrap();
        symlink("../../file", path("dir/outside")).unwrap();
        let found = beneath(b"/dir").into_iter().map(|it| (it.name, it.kind, it.len)).collect::<Vec<_>>();
        let expected = [("inside", FileKind::File, 4), ("outside", FileKind::Other, 10)];
        assert_eq!(found, expected.map(|(name, kind, len)| (name.as_bytes().to_vec(), kind, len)));
    }
}
