//! poll(2), for threads that wait for a connection and little else.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Interest, Ready};

/// epoll and poll use the same bits for the same events.
const _: () = assert!(
    libc::EPOLLIN as i16 == libc::POLLIN
        && libc::EPOLLOUT as i16 == libc::POLLOUT
        && libc::EPOLLRDHUP as i16 == libc::POLLRDHUP
        && libc::EPOLLERR as i16 == libc::POLLERR
        && libc::EPOLLHUP as i16 == libc::POLLHUP
);

/// Waits until one of `sources` is ready or `timeout_ms` have passed (`None`: for ever, `Some(0)`: not at all), and
/// returns what each is ready for. A source that is `None` is never ready. A stop and a continuation of the process may
/// end a wait early, with nothing ready. READ, WRITE and RDHUP are the interests that poll knows.
pub fn poll<const N: usize>(
    sources: [Option<(BorrowedFd<'_>, Interest)>; N],
    timeout_ms: Option<u64>,
) -> io::Result<[Ready; N]> {
    // poll(2): a negative descriptor is ignored.
    let mut fds = sources.map(|source| {
        let (fd, interest) = source.map_or((-1, Interest::empty()), |(fd, interest)| (fd.as_raw_fd(), interest));
        let events = (interest & (Interest::READ | Interest::WRITE | Interest::RDHUP)).bits() as libc::c_short;
        libc::pollfd { fd, events, revents: 0 }
    });
    let timeout = timeout_ms.map_or(-1, |ms| i32::try_from(ms).unwrap_or(i32::MAX));
    // SAFETY: `fds` is an array of N entries that is ours; the descriptors are open for the length of their borrows.
    if unsafe { libc::poll(fds.as_mut_ptr(), N as libc::nfds_t, timeout) } == -1 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
        return Ok([Ready::empty(); N]);
    }
    Ok(fds.map(|fd| Ready::from_bits_truncate(u32::from(fd.revents as u16))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::EventFd;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    #[test]
    fn says_which_source_is_ready_for_what() {
        let (a, b) = (EventFd::new().unwrap(), UnixStream::pair().unwrap());
        let look = |timeout| {
            poll(
                [
                    Some((a.as_fd(), Interest::READ)),
                    None,
                    Some((b.0.as_fd(), Interest::READ | Interest::WRITE)),
                    Some((b.0.as_fd(), Interest::READ)),
                ],
                timeout,
            )
            .unwrap()
        };
        assert_eq!(look(None), [Ready::empty(), Ready::empty(), Ready::WRITE, Ready::empty()]);
        a.notify().unwrap();
        assert_eq!(look(None)[0], Ready::READ);
        drop(b.1);
        assert!(look(None)[3].contains(Ready::READ | Ready::HUP));
    }

    #[test]
    fn a_wait_ends_when_its_time_is_up() {
        let (a, start) = (EventFd::new().unwrap(), Instant::now());
        assert_eq!(poll([Some((a.as_fd(), Interest::READ))], Some(30)).unwrap(), [Ready::empty()]);
        assert!(start.elapsed().as_millis() >= 30);
    }
}
