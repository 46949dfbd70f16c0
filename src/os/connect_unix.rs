//! A connection to a Unix socket, made within a time.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt::SendTimeout,
};
use nix::sys::time::{TimeVal, TimeValLike};

/// Connects to the socket at this path. Where its queue is full the kernel waits for room, as long as a send may
/// (unix(7)); std's call knows no limit. Error `WouldBlock`: there was no room in that time.
pub fn connect_unix(path: &Path, timeout: Duration) -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // 0 would be no limit.
    let usec = i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX).max(1);
    setsockopt(&fd, SendTimeout, &TimeVal::microseconds(usec))?;
    let to = UnixAddr::new(path)?;
    loop {
        match connect(fd.as_raw_fd(), &to) {
            Err(Errno::EINTR) => {}
            connected => return Ok(connected.map(|()| fd)?),
        }
    }
}
