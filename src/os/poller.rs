//! An epoll instance.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use bitflags::bitflags;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

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

/// The epoll instance of a process or a thread, which is one descriptor. No other may wait on it, because each waiter
/// gets the reports. Others may add and delete sources of which they have a descriptor with the same number.
#[derive(Debug)]
pub struct Poller(Epoll);

impl Poller {
    /// An instance that watches nothing.
    pub fn new() -> io::Result<Poller> {
        Ok(Poller(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Watches `fd`; its events carry `key`. The kernel forgets a source when its last descriptor is closed.
    pub fn add(&self, fd: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        Ok(self.0.add(fd, event(key, interest))?)
    }

    /// Changes the events that `fd` is watched for. An edge-triggered source that is ready is reported again.
    pub fn modify(&self, fd: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        Ok(self.0.modify(fd, &mut event(key, interest))?)
    }

    /// Stops watching `fd`.
    pub fn delete(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(self.0.delete(fd)?)
    }

    /// Waits until a source is ready or `timeout_ms` have passed (`None`: for ever, `Some(0)`: not at all), and
    /// replaces the contents of `events`. A stop and a continuation of the process end a wait early, with no events.
    pub fn wait(&self, events: &mut Events, timeout_ms: Option<u64>) -> io::Result<()> {
        let at_most = |ms| EpollTimeout::try_from(ms).unwrap_or(EpollTimeout::MAX);
        events.ready = 0;
        match self.0.wait(&mut events.room, timeout_ms.map_or(EpollTimeout::NONE, at_most)) {
            Ok(count) => events.ready = count,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }
}

/// The descriptor is readable while a source is ready.
impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

fn event(key: u64, interest: Interest) -> EpollEvent {
    EpollEvent::new(EpollFlags::from_bits_retain(interest.bits() as libc::c_int), key)
}

/// The events that a wait has reported; the memory is allocated once.
#[derive(Debug)]
pub struct Events {
    room: Vec<EpollEvent>,
    /// How many of them the last wait has filled.
    ready: usize,
}

impl Events {
    /// Room for `capacity` events a wait (nginx's epoll_events is 512).
    pub fn with_capacity(capacity: usize) -> Events {
        Events { room: vec![EpollEvent::empty(); capacity.max(1)], ready: 0 }
    }

    /// The number of sources that are ready.
    pub fn len(&self) -> usize {
        self.ready
    }

    /// Whether no source is ready.
    pub fn is_empty(&self) -> bool {
        self.ready == 0
    }

    /// The key of each source that is ready, and its events.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, Ready)> + '_ {
        let ready = |events: EpollFlags| Ready::from_bits_truncate(events.bits() as u32);
        self.room.iter().take(self.ready).map(move |event| (event.data(), ready(event.events())))
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
