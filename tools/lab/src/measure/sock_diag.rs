//! The kernel's socket diagnostics: listening sockets only, where /proc/net/tcp would list every connection in TIME_WAIT as well,
//! and take the longer the more there are.

use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const TCP_LISTEN: u32 = 10;

/// One listening socket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Listening {
    /// As /proc/PID/fd names it.
    pub inode: u32,
    /// Connections in its accept queue.
    pub waiting: u32,
}

pub struct Diagnostics(OwnedFd);

impl Diagnostics {
    pub fn open() -> Result<Diagnostics> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag);
        Ok(Diagnostics(fd.context("netlink")?))
    }

    /// The listening sockets of `port`.
    pub fn listening(&self, port: u16) -> Result<Vec<Listening>> {
        sendto(self.0.as_raw_fd(), &request(), &NetlinkAddr::new(0, 0), MsgFlags::empty()).context("netlink")?;
        let mut buffer = vec![0; 64 * 1024];
        let mut found = Vec::new();
        loop {
            let n = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()).context("netlink")?;
            if read(&buffer[..n], port, &mut found) || n == 0 {
                return Ok(found);
            }
        }
    }
}

/// struct nlmsghdr, then struct inet_diag_req_v2 (linux/inet_diag.h).
fn request() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(72);
    bytes.extend(72u32.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([2 /* AF_INET */, 6 /* IPPROTO_TCP */, 0, 0]);
    bytes.extend((1u32 << TCP_LISTEN).to_ne_bytes());
    bytes.resize(72, 0);
    bytes
}

/// Reads struct inet_diag_msg after each header: source port at 4 (network order), rqueue at 56, which is the length of the
/// accept queue when the socket listens, inode at 68. True: that was the last message.
fn read(mut bytes: &[u8], port: u16, found: &mut Vec<Listening>) -> bool {
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), u16_at(bytes, 4)) {
        let length = length as usize;
        if kind == NLMSG_DONE || length < 16 {
            return true;
        }
        let message = bytes.get(16..length).unwrap_or_default();
        if u16_at(message, 4).map(u16::from_be) == Some(port)
            && let (Some(waiting), Some(inode)) = (u32_at(message, 56), u32_at(message, 68))
        {
            found.push(Listening { inode, waiting });
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_listening_socket_is_found_by_its_port_with_its_inode() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inode = std::fs::metadata(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap().ino();
        let found = Diagnostics::open().unwrap().listening(port).unwrap();
        assert_eq!(found, [Listening { inode: inode as u32, waiting: 0 }]);
        drop(listener);
        assert!(Diagnostics::open().unwrap().listening(port).unwrap().is_empty());
    }
}
