//! The accept queue of a port: how many connections wait to be accepted, by the kernel's socket diagnostics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

use super::sock_diag::Diagnostics;

/// The pause between two samples.
const GAP: Duration = Duration::from_millis(2);

/// The depth of the accept queues of all listening sockets of `port`, summed up.
fn depth(diagnostics: &Diagnostics, port: u16) -> Result<u32> {
    Ok(diagnostics.listening(port)?.iter().map(|socket| socket.waiting).sum())
}

/// A thread that samples the accept queue of a port.
pub(crate) struct AcceptQueue {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(u64, u64, u32)>,
}

impl AcceptQueue {
    /// Begins to sample, on `cpus`: sampling should not cost the server its CPUs.
    pub(crate) fn watch(port: u16, cpus: Vec<usize>) -> Result<AcceptQueue> {
        let diagnostics = Diagnostics::open()?;
        depth(&diagnostics, port)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            if !cpus.is_empty() {
                crate::process::pin(&cpus).ok();
            }
            let (mut looks, mut sum, mut most) = (0, 0, 0);
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(depth) = depth(&diagnostics, port) {
                    (looks, sum, most) = (looks + 1, sum + u64::from(depth), most.max(depth));
                }
                std::thread::sleep(GAP);
            }
            (looks, sum, most)
        });
        Ok(AcceptQueue { stop, thread })
    }

    /// Ends the sampling. Returns the mean and the greatest depth; `None` without a sample.
    pub(crate) fn end(self) -> Option<(f64, u32)> {
        self.stop.store(true, Ordering::Relaxed);
        let (looks, sum, most) = self.thread.join().ok()?;
        (looks > 0).then(|| (sum as f64 / looks as f64, most))
    }
}

#[cfg(test)]
mod tests {
    use super::super::sock_diag::TcpSocket;
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn sockets_are_found_by_their_port_with_their_inodes() {
        let diagnostics = Diagnostics::open().unwrap();
        let inode = |socket: &dyn AsRawFd| {
            std::fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap().ino() as u32
        };
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let address = listener.local_addr().unwrap();
            let port = address.port();
            let listening = |waiting| TcpSocket { port, peer: 0, inode: inode(&listener), waiting };
            assert_eq!(diagnostics.listening(port).unwrap(), [listening(0)]);
            let client = TcpStream::connect(address).unwrap();
            assert_eq!(diagnostics.listening(port).unwrap(), [listening(1)]);
            let server = listener.accept().unwrap().0;
            let peer = client.local_addr().unwrap().port();
            let accepted = TcpSocket { port, peer, inode: inode(&server), waiting: 0 };
            assert_eq!(diagnostics.established(port).unwrap(), [accepted]);
            drop(listener);
            assert_eq!(diagnostics.listening(port).unwrap(), []);
        }
    }

    #[test]
    fn connections_that_nobody_accepts_are_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let depth = |port| depth(&Diagnostics::open()?, port);
        assert_eq!(depth(address.port()).unwrap(), 0);
        let clients: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert_eq!(depth(address.port()).unwrap(), 3);
        listener.accept().unwrap();
        assert_eq!(depth(address.port()).unwrap(), 2);
        drop(clients);
    }
}
