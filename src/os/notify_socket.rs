//! The socket at which a service manager hears of its services (sd_notify(3)).

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, sendto, setsockopt, socket, sockopt::SendTimeout,
};
use nix::sys::time::TimeVal;

/// How long a message may wait for room in the manager's queue.
const PATIENCE: TimeVal = TimeVal::new(1, 0);

/// A socket for messages to the service manager. The kernel tells the manager the id of the process that sends.
#[derive(Debug)]
pub struct NotifySocket {
    fd: OwnedFd,
    to: UnixAddr,
}

impl NotifySocket {
    /// A socket to the `address` that `NOTIFY_SOCKET` has: a path, or `@` and an abstract name. Error: it is neither.
    pub fn new(address: &OsStr) -> io::Result<NotifySocket> {
        let to = match address.as_bytes() {
            [b'@', name @ ..] => UnixAddr::new_abstract(name)?,
            [b'/', ..] => UnixAddr::new(address)?,
            _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "neither a path nor an abstract name")),
        };
        let fd = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&fd, SendTimeout, &PATIENCE)?;
        Ok(NotifySocket { fd, to })
    }

    /// Sends one message of lines `NAME=value`.
    pub fn send(&self, message: &str) -> io::Result<()> {
        loop {
            match sendto(self.fd.as_raw_fd(), message.as_bytes(), &self.to, MsgFlags::MSG_NOSIGNAL) {
                Err(nix::errno::Errno::EINTR) => {}
                sent => return Ok(sent.map(drop)?),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    fn heard(receiver: &UnixDatagram) -> String {
        let mut bytes = [0; 100];
        let n = receiver.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..n]).into_owned()
    }

    #[test]
    fn a_path_and_an_abstract_name_are_addresses_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let receiver = UnixDatagram::bind(&path).unwrap();
        NotifySocket::new(path.as_os_str()).unwrap().send("READY=1").unwrap();
        assert_eq!(heard(&receiver), "READY=1");
        let name = format!("drover-test-{}", std::process::id());
        let receiver = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        NotifySocket::new(OsStr::new(&format!("@{name}"))).unwrap().send("STOPPING=1").unwrap();
        assert_eq!(heard(&receiver), "STOPPING=1");
        for other in ["", "notify", "vsock:2:1234"] {
            assert!(NotifySocket::new(OsStr::new(other)).is_err(), "{other}");
        }
        assert!(NotifySocket::new(OsStr::new(&format!("/{}", "x".repeat(200)))).is_err());
    }

    #[test]
    fn a_manager_that_does_not_read_is_waited_for_in_vain() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let _receiver = UnixDatagram::bind(&path).unwrap();
        let socket = NotifySocket::new(path.as_os_str()).unwrap();
        assert!((0..100_000).any(|_| socket.send("WATCHDOG=1").is_err()));
    }
}
