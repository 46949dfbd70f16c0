//! The file that bind(2) makes for a Unix socket.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Failure;

/// The identity of a file, whatever its path: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    dev: u64,
    ino: u64,
}

impl From<&Metadata> for FileId {
    fn from(meta: &Metadata) -> FileId {
        FileId { dev: meta.dev(), ino: meta.ino() }
    }
}

/// The file of a socket that this process has bound. No other file gets its inode while the socket is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketFile {
    path: PathBuf,
    id: FileId,
}

impl SocketFile {
    /// The file at `path`. Errors: there is none, or it is no socket.
    pub fn at(path: &Path) -> io::Result<SocketFile> {
        let meta = fs::symlink_metadata(path)?;
        if !meta.file_type().is_socket() {
            return Err(io::Error::other("not a socket"));
        }
        Ok(SocketFile { path: path.to_owned(), id: FileId::from(&meta) })
    }

    /// Whether `path`, in whatever spelling, leads to this file.
    pub fn is_at(&self, path: &Path) -> bool {
        SocketFile::at(path).is_ok_and(|other| other.id == self.id)
    }

    /// Removes the file, unless another file has taken its place.
    pub fn remove(&self) -> Result<(), Failure> {
        let removed = match fs::symlink_metadata(&self.path) {
            Ok(meta) if FileId::from(&meta) == self.id => fs::remove_file(&self.path),
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
        removed.map_err(|e| Failure::on_path("unlink", &self.path, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn the_file_of_another_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let first = UnixListener::bind(&path).unwrap();
        let file = SocketFile::at(&path).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("link")).unwrap();
        assert!(file.is_at(&dir.path().join("link/s")));
        fs::remove_file(&path).unwrap();
        let second = UnixListener::bind(&path).unwrap();
        file.remove().unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        SocketFile::at(&path).unwrap().remove().unwrap();
        assert!(!path.exists());
        fs::write(&path, "x").unwrap();
        file.remove().unwrap();
        assert!(path.exists());
        drop((first, second));
    }
}
