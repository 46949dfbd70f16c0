//! A Unix socket whose process crashed leaves its file: how such a file is found and replaced.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::socket::own;
use super::{Addr, Failure, ListenOptions, Listener, retry};

/// How often, and how long each time, a start waits for another process that replaces a file in the directory.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(10);

/// Listens at `addr` in place of a Unix socket that a crash has left; `None`: there is none, or a process still has it.
///
/// Two starts may find the same file at once. The directory is locked (flock) from the check to the new socket, so that
/// neither removes the socket that the other has just made.
pub fn replace_abandoned(addr: &Addr, options: &ListenOptions) -> Result<Option<Listener>, Failure> {
    let Some(path) = addr.path().filter(|path| is_abandoned(path)) else { return Ok(None) };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = File::open(parent).map_err(|e| Failure::on_path("open", parent, e))?;
    if !lock(&directory).map_err(|e| Failure::on_path("flock", parent, e))? || !is_abandoned(path) {
        return Ok(None);
    }
    fs::remove_file(path).map_err(|e| Failure::on_path("unlink", path, e))?;
    Listener::open(addr, options).map(Some)
}

fn lock(directory: &File) -> io::Result<bool> {
    for _ in 0..ATTEMPTS {
        match directory.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// Whether `path` is the file of a socket that no process has open.
///
/// connect(2) looks for the socket first and at its type afterwards: with a datagram socket it answers ECONNREFUSED
/// when nothing is bound to the file, and EPROTOTYPE for a stream socket, even one that does not listen yet. A
/// listening process does not notice.
fn is_abandoned(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    is_socket && matches!(connect_datagram(path), Err(error) if error.kind() == ErrorKind::ConnectionRefused)
}

fn connect_datagram(path: &Path) -> io::Result<()> {
    // SAFETY: no memory is involved.
    let fd = retry(|| unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: socket has just made it.
    let fd = unsafe { own(fd) };
    // SAFETY: `with_raw` passes a pointer to an address of that length, valid for the call.
    Addr::unix(path).with_raw(|at, len| retry(|| unsafe { libc::connect(fd.as_raw_fd(), at, len) }))??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    use std::time::Instant;

    fn replace(path: &Path) -> Option<Listener> {
        replace_abandoned(&Addr::unix(path), &ListenOptions::default()).unwrap()
    }

    /// Closes a socket, and waits until the children that other tests fork have closed their copies of it, too.
    fn abandon(listener: UnixListener, path: &Path) {
        drop(listener);
        let end = Instant::now() + Duration::from_secs(10);
        while !is_abandoned(path) {
            assert!(Instant::now() < end, "somebody still has {}", path.display());
            sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn what_nobody_has_is_replaced_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listening = UnixListener::bind(&path).unwrap();
        listening.set_nonblocking(true).unwrap();
        assert!(replace(&path).is_none());
        assert_eq!(listening.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "the look is no connection");
        abandon(listening, &path);
        let ours = replace(&path).expect("nobody has it");
        assert!(UnixStream::connect(&path).is_ok() && replace(&path).is_none());
        drop(ours);
        for (name, make) in [("file", 0), ("datagram", 1), ("bound", 2), ("link", 3)] {
            let other = dir.path().join(name);
            let mut kept: Vec<Box<dyn std::any::Any>> = Vec::new();
            match make {
                0 => fs::write(&other, "x").unwrap(),
                1 => kept.push(Box::new(UnixDatagram::bind(&other).unwrap())),
                2 => {
                    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, socket};
                    let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None).unwrap();
                    bind(fd.as_raw_fd(), &UnixAddr::new(&other).unwrap()).unwrap();
                    kept.push(Box::new(fd));
                }
                _ => std::os::unix::fs::symlink(&path, &other).unwrap(),
            }
            assert!(replace(&other).is_none(), "{name}");
            assert!(fs::symlink_metadata(&other).is_ok(), "{name}");
        }
    }

    #[test]
    fn of_many_that_replace_one_file_at_once_one_succeeds() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("s");
            abandon(UnixListener::bind(&path).unwrap(), &path);
            let start = std::sync::Barrier::new(8);
            let replace_now = || {
                start.wait();
                replace(&path)
            };
            let listeners: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(replace_now)).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(listeners.len(), 1);
            let _client = UnixStream::connect(&path).unwrap();
            assert!(listeners[0].accept().is_ok(), "the one that is there is the one that was made");
        }
    }
}
