//! An epoll instance.
//!
//! `polling::Poller` owns the instance, and adds, modifies and deletes sources as far as it can express them. Two
//! things go around it, through the same descriptor:
//!
//! - Waiting. In polling 3.11 one `wait` costs up to five system calls on Linux (timerfd_settime, two epoll_ctl,
//!   epoll_wait
//!   and an eventfd read); here it is one epoll_wait.
//! - The flags that polling lacks: EPOLLEXCLUSIVE, and EPOLLRDHUP, without which an edge-triggered reader
//!   would have to call recv until EAGAIN to learn of a half-closed peer.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use bitflags::bitflags;
use polling::PollMode;

use super::retry;

bitflags! {
    /// The events that a source is watched for, and how they are reported.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Interest: u32 {
        /// Bytes, or a connection, can be read.
        const READ = libc::EPOLLIN as u32;
        /// Bytes can be written.
        const WRITE = libc::EPOLLOUT as u32;
        /// The peer has closed its sending half.
        const RDHUP = libc::EPOLLRDHUP as u32;
        /// Reports changes, not states.
        const EDGE = libc::EPOLLET as u32;
        /// Wakes one of all epoll instances that watch the source. Only for `add`: epoll_ctl(2) has no MOD for it.
        const EXCLUSIVE = libc::EPOLLEXCLUSIVE as u32;
        /// Reports once, then not again before `modify`.
        const ONESHOT = libc::EPOLLONESHOT as u32;
    }
}

bitflags! {
    /// The events that a source is ready for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Ready: u32 {
        /// Bytes, or a connection, can be read.
        const READ = libc::EPOLLIN as u32;
        /// Bytes can be written.
        const WRITE = libc::EPOLLOUT as u32;
        /// The peer has closed its sending half.
        const RDHUP = libc::EPOLLRDHUP as u32;
        /// Both halves are closed.
        const HUP = libc::EPOLLHUP as u32;
        /// The socket has an error.
        const ERROR = libc::EPOLLERR as u32;
    }
}

// Keys are 64 bits wide and pass through polling as `usize`.
const _: () = assert!(usize::BITS == 64);

/// How long the first wait after an `add` that has failed may last, ms. Callers try again in their next turn, which has
/// to come although the source can't wake them.
const RETRY_MS: i32 = 100;

/// The epoll instance of a process or a thread. No other may wait on it, because each waiter gets the reports. Others
/// may add and delete sources of which they have a descriptor with the same number.
#[derive(Debug)]
pub struct Poller {
    poller: polling::Poller,
    /// Whether an `add` has failed since the last wait. Threads that share the instance may each miss what another has
    /// noted, and wait once more.
    is_retry_due: AtomicBool,
}

impl Poller {
    /// An instance that watches nothing.
    pub fn new() -> io::Result<Poller> {
        Ok(Poller { poller: polling::Poller::new()?, is_retry_due: AtomicBool::new(false) })
    }

    /// Watches `fd`; its events carry `key`, which may be anything but `u64::MAX`. The kernel forgets a source when its
    /// last descriptor is closed. Errors: no memory, no more watches for this user, the source is there already. After
    /// an error the next wait is short.
    pub fn add(&self, fd: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        let fd = fd.as_fd();
        let added = match plain(key, interest) {
            // SAFETY: `fd` is open now, and epoll (unlike other backends) does not require a delete before the close.
            Some((event, mode)) => unsafe { self.poller.add_with_mode(&fd, event, mode) },
            None => self.ctl(libc::EPOLL_CTL_ADD, fd, key, interest),
        };
        added.inspect_err(|error| {
            if error.kind() != io::ErrorKind::AlreadyExists {
                self.is_retry_due.store(true, Ordering::Relaxed);
            }
        })
    }

    /// Changes the events that `fd` is watched for. An edge-triggered source that is ready is reported again.
    pub fn modify(&self, fd: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        let fd = fd.as_fd();
        match plain(key, interest) {
            Some((event, mode)) => self.poller.modify_with_mode(fd, event, mode),
            None => self.ctl(libc::EPOLL_CTL_MOD, fd, key, interest),
        }
    }

    /// Stops watching `fd`.
    pub fn delete(&self, fd: impl AsFd) -> io::Result<()> {
        self.poller.delete(fd.as_fd())
    }

    /// Waits until a source is ready or `timeout_ms` have passed (`None`: for ever, `Some(0)`: not at all), and
    /// replaces the contents of `events`. A stop and a continuation of the process end a wait early, with no events,
    /// and so does an `add` that has failed.
    pub fn wait(&self, events: &mut Events, timeout_ms: Option<u64>) -> io::Result<()> {
        let mut timeout = timeout_ms.map_or(-1, |ms| i32::try_from(ms).unwrap_or(i32::MAX));
        if self.is_retry_due.load(Ordering::Relaxed) {
            self.is_retry_due.store(false, Ordering::Relaxed);
            timeout = if (0..RETRY_MS).contains(&timeout) { timeout } else { RETRY_MS };
        }
        events.0.clear();
        let room = events.0.spare_capacity_mut();
        let (buffer, capacity) = (room.as_mut_ptr().cast(), i32::try_from(room.len()).unwrap_or(i32::MAX));
        // SAFETY: `buffer` has room for `capacity` events and is borrowed from `events` for the length of the call.
        match unsafe { libc::epoll_wait(self.poller.as_fd().as_raw_fd(), buffer, capacity, timeout) } {
            -1 => {
                let error = io::Error::last_os_error();
                if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
            }
            count => {
                // SAFETY: the kernel wrote that many events at the start of the buffer.
                unsafe { events.0.set_len(count as usize) };
                Ok(())
            }
        }
    }

    fn ctl(&self, operation: libc::c_int, fd: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest.bits(), u64: key };
        let epoll = self.poller.as_fd().as_raw_fd();
        // SAFETY: both descriptors are open for the length of their borrows; the kernel copies `event`.
        retry(|| unsafe { libc::epoll_ctl(epoll, operation, fd.as_raw_fd(), &raw mut event) })?;
        Ok(())
    }
}

/// The descriptor is readable while a source is ready.
impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}

/// The interest in polling's terms; `None`: polling can't express it.
fn plain(key: u64, interest: Interest) -> Option<(polling::Event, PollMode)> {
    if interest.intersects(Interest::RDHUP | Interest::EXCLUSIVE) {
        return None;
    }
    let mode = match (interest.contains(Interest::EDGE), interest.contains(Interest::ONESHOT)) {
        (false, false) => PollMode::Level,
        (true, false) => PollMode::Edge,
        (false, true) => PollMode::Oneshot,
        (true, true) => PollMode::EdgeOneshot,
    };
    let (read, write) = (interest.contains(Interest::READ), interest.contains(Interest::WRITE));
    Some((polling::Event::new(key as usize, read, write), mode))
}

/// The events that a wait has reported; the memory is allocated once.
#[derive(Debug)]
pub struct Events(Vec<libc::epoll_event>);

impl Events {
    /// Room for `capacity` events a wait (nginx's epoll_events is 512).
    pub fn with_capacity(capacity: usize) -> Events {
        Events(Vec::with_capacity(capacity.max(1)))
    }

    /// The number of sources that are ready.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no source is ready.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of each source that is ready, and its events.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, Ready)> + '_ {
        self.0.iter().map(|event| (event.u64, Ready::from_bits_truncate(event.events)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::EventFd;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn wait_now(poller: &Poller) -> Vec<(u64, Ready)> {
        let mut events = Events::with_capacity(8);
        poller.wait(&mut events, Some(0)).unwrap();
        events.iter().collect()
    }

    #[test]
    fn level_reports_a_state_and_edge_a_change() {
        let (poller, level, edge) = (Poller::new().unwrap(), EventFd::new().unwrap(), EventFd::new().unwrap());
        poller.add(&level, 1, Interest::READ).unwrap();
        poller.add(&edge, 2, Interest::READ | Interest::EDGE | Interest::RDHUP).unwrap();
        assert_eq!(wait_now(&poller), []);
        level.notify().unwrap();
        edge.notify().unwrap();
        let mut first = wait_now(&poller);
        first.sort_by_key(|e| e.0);
        assert_eq!(first, [(1, Ready::READ), (2, Ready::READ)]);
        assert_eq!(wait_now(&poller), [(1, Ready::READ)]);
        poller.delete(&level).unwrap();
        assert_eq!(wait_now(&poller), []);
    }

    #[test]
    fn a_half_closed_peer_is_reported_with_the_data() {
        let (poller, (here, mut there)) = (Poller::new().unwrap(), UnixStream::pair().unwrap());
        poller.add(&here, 7, Interest::READ | Interest::EDGE | Interest::RDHUP).unwrap();
        there.write_all(b"x").unwrap();
        there.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(wait_now(&poller), [(7, Ready::READ | Ready::RDHUP)]);
    }

    #[test]
    fn a_wait_is_short_after_an_add_that_has_failed() {
        let (poller, fd) = (Poller::new().unwrap(), EventFd::new().unwrap());
        // A regular file can't be watched, as nothing can when there is no memory.
        assert!(poller.add(std::fs::File::open("/proc/self/exe").unwrap(), 1, Interest::READ).is_err());
        let mut events = Events::with_capacity(1);
        poller.wait(&mut events, None).unwrap();
        assert!(events.is_empty() && !poller.is_retry_due.load(Ordering::Relaxed));
        poller.add(&fd, 2, Interest::READ).unwrap();
        assert!(poller.add(&fd, 2, Interest::READ).is_err() && !poller.is_retry_due.load(Ordering::Relaxed));
    }

    #[test]
    fn oneshot_stays_silent_until_modified() {
        let (poller, fd) = (Poller::new().unwrap(), EventFd::new().unwrap());
        poller.add(&fd, 3, Interest::READ | Interest::ONESHOT).unwrap();
        fd.notify().unwrap();
        assert_eq!((wait_now(&poller).len(), wait_now(&poller).len()), (1, 0));
        poller.modify(&fd, 3, Interest::READ | Interest::ONESHOT).unwrap();
        assert_eq!(wait_now(&poller).len(), 1);
    }

    #[test]
    fn exclusive_can_be_added_but_not_modified() {
        let (poller, fd) = (Poller::new().unwrap(), EventFd::new().unwrap());
        poller.add(&fd, 3, Interest::READ | Interest::EXCLUSIVE).unwrap();
        assert_eq!(
            poller.modify(&fd, 3, Interest::READ | Interest::EXCLUSIVE).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
    }
}
