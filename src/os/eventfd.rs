//! A counter in the kernel by which a process or a thread wakes another.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd as Inner};

/// A non-blocking eventfd. It survives a fork: both ends are the same counter.
#[derive(Debug)]
pub struct EventFd(Inner);

impl EventFd {
    /// A counter at zero.
    pub fn new() -> io::Result<EventFd> {
        Ok(EventFd(Inner::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?))
    }

    /// Makes the descriptor readable. A counter at its limit, which can't be raised, is readable already.
    pub fn notify(&self) -> io::Result<()> {
        match self.0.write(1) {
            Ok(_) | Err(Errno::EAGAIN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Sets the counter to zero and returns how often `notify` was called since the last `drain`.
    pub fn drain(&self) -> io::Result<u64> {
        match self.0.read() {
            Ok(count) => Ok(count),
            Err(Errno::EAGAIN) => Ok(0),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_add_up_until_drained() {
        let fd = EventFd::new().unwrap();
        assert_eq!(fd.drain().unwrap(), 0);
        fd.notify().unwrap();
        fd.notify().unwrap();
        assert_eq!((fd.drain().unwrap(), fd.drain().unwrap()), (2, 0));
    }
}
