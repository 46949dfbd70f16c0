//! The kernel's socket diagnostics: TCP sockets in the states that matter, where /proc/net/tcp would list every
//! connection in TIME_WAIT as well, tens of thousands after a load, and take the longer the more there are. The lab
//! compiles this file, too.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_DUMP: u16 = 0x301;

/// The states of a TCP socket that are asked for, by their numbers in the kernel (net/tcp_states.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Established = 1,
    Listen = 10,
}

/// A TCP socket, IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpSocket {
    pub port: u16,
    /// The other end's port; 0 for a socket that listens.
    pub peer: u16,
    /// The number by which /proc/PID/fd names the socket; 0 while no process has it.
    pub inode: u32,
    /// Bytes not read yet; of a socket that listens, connections in its accept queue.
    pub waiting: u32,
}

/// A netlink socket to ask with.
pub struct Diagnostics(OwnedFd);

impl Diagnostics {
    pub fn open() -> io::Result<Diagnostics> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
        Ok(Diagnostics(fd))
    }

    /// All TCP sockets of the network namespace that are in `state`.
    fn tcp_sockets(&self, state: State) -> io::Result<Vec<TcpSocket>> {
        let mut found = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        for family in [2 /* AF_INET */, 10 /* AF_INET6 */] {
            sendto(self.0.as_raw_fd(), &request(family, state), &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
            loop {
                let n = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
                if n == 0 || read(&buffer[..n], &mut found)? {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// The listening sockets of `port`.
    pub fn listening(&self, port: u16) -> io::Result<Vec<TcpSocket>> {
        Ok(self.tcp_sockets(State::Listen)?.into_iter().filter(|socket| socket.port == port).collect())
    }

    /// The established connections whose near end, the server's, has `port`.
    pub fn established(&self, port: u16) -> io::Result<Vec<TcpSocket>> {
        Ok(self.tcp_sockets(State::Established)?.into_iter().filter(|socket| socket.port == port).collect())
    }
}

/// struct nlmsghdr, then struct inet_diag_req_v2 (linux/inet_diag.h).
fn request(family: u8, state: State) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(72);
    bytes.extend(72u32.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([family, 6 /* IPPROTO_TCP */, 0, 0]);
    bytes.extend((1u32 << state as u8).to_ne_bytes());
    bytes.resize(72, 0);
    bytes
}

/// Reads struct inet_diag_msg after each header: ports at 4 and 6 (network order), rqueue at 56, inode at 68. True:
/// that was the last message.
fn read(mut bytes: &[u8], found: &mut Vec<TcpSocket>) -> io::Result<bool> {
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), u16_at(bytes, 4)) {
        let length = length as usize;
        let message = bytes.get(16..length).unwrap_or_default();
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => return Err(io::Error::other("the kernel refuses to list its TCP sockets")),
            _ => {}
        }
        let ports = (u16_at(message, 4), u16_at(message, 6));
        if let ((Some(port), Some(peer)), Some(waiting), Some(inode)) =
            (ports, u32_at(message, 56), u32_at(message, 68))
        {
            found.push(TcpSocket { port: u16::from_be(port), peer: u16::from_be(peer), inode, waiting });
        }
        bytes = bytes.get(length.next_multiple_of(4).max(16)..).unwrap_or_default();
    }
    Ok(false)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}
