//! A socket that sends datagrams and reads nothing.

use super::{Addr, retry};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A socket for datagrams to one receiver. It is not connected: a receiver that is gone costs no more than one that is
/// there, and one that comes back is found.
#[derive(Debug)]
pub struct Datagrams {
    fd: OwnedFd,
    to: Addr,
}

impl Datagrams {
    /// A socket of the receiver's family: UDP, or a Unix socket.
    pub fn new(to: &Addr) -> io::Result<Datagrams> {
        let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: the call takes integers alone.
        let fd = retry(|| unsafe { libc::socket(to.family(), kind, 0) })?;
        // SAFETY: the kernel has just given the descriptor, which has no other owner.
        Ok(Datagrams { fd: unsafe { OwnedFd::from_raw_fd(fd) }, to: to.clone() })
    }

    /// Sends one datagram, or fails: it never waits.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let fd = self.fd.as_raw_fd();
        self.to.with_raw(|addr, len| {
            // SAFETY: both buffers live as long as the call, and their lengths are right.
            retry(|| unsafe { libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), flags, addr, len) } as i64)
        })??;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn a_receiver_may_go_and_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let datagrams = Datagrams::new(&Addr::unix(&path)).unwrap();
        assert_eq!(datagrams.send(b"nobody").unwrap_err().kind(), io::ErrorKind::NotFound);
        for word in [&b"one"[..], b"two"] {
            let receiver = UnixDatagram::bind(&path).unwrap();
            datagrams.send(word).unwrap();
            let mut got = [0; 9];
            assert_eq!(receiver.recv(&mut got).unwrap(), word.len());
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_receiver_that_does_not_read_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let _receiver = UnixDatagram::bind(&path).unwrap();
        let datagrams = Datagrams::new(&Addr::unix(&path)).unwrap();
        let error = (0..100_000).find_map(|_| datagrams.send(&[0; 512]).err()).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let datagrams = Datagrams::new(&udp.local_addr().unwrap().into()).unwrap();
        drop(udp);
        (0..10).for_each(|_| datagrams.send(b"nobody").unwrap());
    }
}
