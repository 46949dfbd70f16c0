//! How many connections wait to be accepted, asked of the kernel's socket diagnostics: listening sockets only, where
//! /proc/net/tcp would list every connection in TIME_WAIT as well.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};

/// How often the queue is looked at.
const GAP: Duration = Duration::from_millis(2);

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const TCP_LISTEN: u32 = 10;

struct Diagnostics(OwnedFd);

impl Diagnostics {
    fn open() -> Result<Diagnostics> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag);
        Ok(Diagnostics(fd.context("netlink")?))
    }

    fn depth(&self, port: u16) -> Result<u32> {
        sendto(self.0.as_raw_fd(), &request(), &NetlinkAddr::new(0, 0), MsgFlags::empty()).context("netlink")?;
        let mut buffer = vec![0; 64 * 1024];
        let mut sum = 0;
        loop {
            let n = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()).context("netlink")?;
            let (part, done) = waiting(&buffer[..n], port);
            sum += part;
            if done || n == 0 {
                return Ok(sum);
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
/// accept queue when the socket listens. The second value: that was the last message.
fn waiting(mut bytes: &[u8], port: u16) -> (u32, bool) {
    let mut sum = 0;
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), u16_at(bytes, 4)) {
        let length = length as usize;
        if kind == NLMSG_DONE || length < 16 {
            return (sum, true);
        }
        let message = bytes.get(16..length).unwrap_or_default();
        if u16_at(message, 4).map(u16::from_be) == Some(port) {
            sum += u32_at(message, 56).unwrap_or(0);
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    (sum, false)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

/// Watches the queue of a port from a thread of its own.
pub struct ListenQueue {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(u64, u64, u32)>,
}

impl ListenQueue {
    /// `cpus`: where the watching may cost something, because the server is elsewhere.
    pub fn watch(port: u16, cpus: Vec<usize>) -> Result<ListenQueue> {
        let diagnostics = Diagnostics::open()?;
        diagnostics.depth(port)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            if !cpus.is_empty() {
                crate::process::pin(&cpus).ok();
            }
            let (mut looks, mut sum, mut most) = (0, 0, 0);
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(depth) = diagnostics.depth(port) {
                    (looks, sum, most) = (looks + 1, sum + u64::from(depth), most.max(depth));
                }
                std::thread::sleep(GAP);
            }
            (looks, sum, most)
        });
        Ok(ListenQueue { stop, thread })
    }

    /// Mean and greatest depth seen.
    pub fn end(self) -> Option<(f64, u32)> {
        self.stop.store(true, Ordering::Relaxed);
        let (looks, sum, most) = self.thread.join().ok()?;
        (looks > 0).then(|| (sum as f64 / looks as f64, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn connections_that_nobody_accepts_are_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let depth = |port| Diagnostics::open()?.depth(port);
        assert_eq!(depth(address.port()).unwrap(), 0);
        let clients: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert_eq!(depth(address.port()).unwrap(), 3);
        listener.accept().unwrap();
        assert_eq!(depth(address.port()).unwrap(), 2);
        drop(clients);
    }
}
