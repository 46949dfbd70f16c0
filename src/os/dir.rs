//! Directories to be listed: opened by the rule for links in their path, and looked into from there, so that a rename
//! meanwhile leads nowhere else.

use nix::dir::{self, Type};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat;
use std::io;

use super::file::{FileKind, Meta};
use super::{Links, guarded, memory};

/// An open directory.
#[derive(Debug)]
pub struct Dir(dir::Dir);

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub bytes: Vec<u8>,
    /// The kind of its object; `None`: a symbolic link.
    pub kind: Option<FileKind>,
}

impl Dir {
    /// Opens the directory at `path`. Errors: those of `guarded::open_dir`.
    pub fn open(path: &[u8], links: Links) -> io::Result<Dir> {
        Ok(Dir(dir::Dir::from_fd(guarded::open_dir(path, links)?)?))
    }

    /// The names in it that do not begin with a dot, as the directory has them: a name costs no system call, except in
    /// a file system that tells no kinds (DT_UNKNOWN). Errors: those of readdir(3), and ENOMEM.
    pub fn names(&mut self) -> io::Result<Vec<Name>> {
        let mut unknown = Vec::new();
        let mut names = Vec::new();
        for entry in self.0.iter() {
            let entry = entry?;
            memory::check()?;
            let bytes = entry.file_name().to_bytes();
            if bytes.starts_with(b".") {
                continue;
            }
            memory::reserve(&mut names, 1).map_err(|_| Errno::ENOMEM)?;
            let kind = match entry.file_type() {
                None => {
                    memory::reserve(&mut unknown, 1).map_err(|_| Errno::ENOMEM)?;
                    unknown.push(names.len());
                    None
                }
                Some(Type::Symlink) => None,
                Some(Type::File) => Some(FileKind::File),
                Some(Type::Directory) => Some(FileKind::Dir),
                Some(_) => Some(FileKind::Other),
            };
            names.push(Name { bytes: bytes.to_owned(), kind });
        }
        // The last ones first, so that the places of the others stay.
        for i in unknown.into_iter().rev() {
            match self.own(&names[i].bytes) {
                Ok(meta) if meta.mode & libc::S_IFMT == libc::S_IFLNK => {}
                Ok(meta) => names[i].kind = Some(meta.kind),
                Err(error) if error.kind() == io::ErrorKind::NotFound => _ = names.remove(i),
                Err(error) => return Err(error),
            }
        }
        Ok(names)
    }

    /// Describes the object that has this name here, itself.
    pub fn own(&self, name: &[u8]) -> io::Result<Meta> {
        Ok(Meta::from_raw(&stat::fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW)?))
    }

    /// Describes the object that the name leads to, through links.
    pub fn followed(&self, name: &[u8]) -> io::Result<Meta> {
        Ok(Meta::from_raw(&stat::fstatat(&self.0, name, AtFlags::empty())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn an_open_directory_stays_the_same_when_its_name_goes_to_another() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| dir.path().join(name));
        std::fs::create_dir(&one).unwrap();
        std::fs::write(one.join("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", one.join("link")).unwrap();
        let mut open = Dir::open(one.as_os_str().as_bytes(), Links::Refuse { from: 0 }).unwrap();
        std::fs::rename(&one, &other).unwrap();
        std::os::unix::fs::symlink("/", &one).unwrap();
        let mut names = open.names().unwrap();
        names.sort_by(|a, b| a.bytes.cmp(&b.bytes));
        let name = |bytes: &[u8], kind| Name { bytes: bytes.to_owned(), kind };
        assert_eq!(names, [name(b"file", Some(FileKind::File)), name(b"link", None)]);
        assert_eq!((open.own(b"link").unwrap().kind, open.followed(b"link").unwrap().len), (FileKind::Other, 4));
        let refused = Dir::open(one.as_os_str().as_bytes(), Links::Refuse { from: 0 });
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::ENOTDIR));
    }
}
