//! An accepted connection.

use std::io::{self, IoSlice};
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::addr::RawAddr;
use super::{Addr, retry};

/// The treatment, at close, of data that the peer has not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linger {
    /// The kernel goes on sending it.
    Background,
    /// The kernel throws the data away and sends the peer a RST.
    Reset,
}

/// A connected stream socket. Closed when dropped. Every call is retried on EINTR; none raises SIGPIPE.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// Reads bytes that have arrived. Fewer bytes than the buffer holds mean that no more wait; 0 means that the peer
    /// has closed. Errors: `WouldBlock`, and those of recv(2).
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the kernel writes at most `buffer.len()` bytes to a buffer that is borrowed for the call.
        let n = retry(|| unsafe { libc::recv(self.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) as i64 })?;
        Ok(n as usize)
    }

    /// Reads like `recv`, but into memory that need not be initialised: the vector grows within its capacity.
    pub fn recv_into(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let room = buffer.spare_capacity_mut();
        let (at, len) = (room.as_mut_ptr(), room.len());
        // SAFETY: the kernel writes at most `len` bytes to the spare capacity, which is borrowed for the call.
        let n = retry(|| unsafe { libc::recv(self.as_raw_fd(), at.cast(), len, 0) as i64 })? as usize;
        // SAFETY: `n <= len` bytes after the old length have just been written.
        unsafe { buffer.set_len(buffer.len() + n) };
        Ok(n)
    }

    /// Reads without taking: the next `recv` returns the same bytes again.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: as in `recv`.
        let n = retry(|| unsafe {
            libc::recv(self.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_PEEK) as i64
        })?;
        Ok(n as usize)
    }

    /// Sends what fits into the kernel's buffer; `more` holds a part-filled packet back for what follows (MSG_MORE).
    pub fn send(&self, data: &[u8], more: bool) -> io::Result<usize> {
        // SAFETY: the kernel reads `data.len()` bytes from a borrowed buffer.
        let n = retry(|| unsafe {
            libc::send(self.as_raw_fd(), data.as_ptr().cast(), data.len(), send_flags(more)) as i64
        })?;
        Ok(n as usize)
    }

    /// Sends like `send`, from several buffers in one call. Buffers after the first IOV_MAX (1024) are not looked at.
    pub fn send_vectored(&self, parts: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        // SAFETY: all-zero is a valid msghdr: no name, no control data.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = parts.as_ptr().cast_mut().cast();
        // The field is a size_t in glibc, and an int in musl.
        message.msg_iovlen = parts.len().min(libc::UIO_MAXIOV as usize) as _;
        // SAFETY: IoSlice has the layout of iovec (std guarantees it); sendmsg only reads what they point to, and
        // they are borrowed for the call.
        let n = retry(|| unsafe { libc::sendmsg(self.as_raw_fd(), &raw const message, send_flags(more)) as i64 })?;
        Ok(n as usize)
    }

    /// Sends up to `len` bytes of `file` from `*offset`, and moves the offset. 0 means that the file has ended early.
    pub fn sendfile(&self, file: impl AsFd, offset: &mut u64, len: usize) -> io::Result<usize> {
        let file = file.as_fd();
        let mut at = libc::off_t::try_from(*offset).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        // SAFETY: both descriptors are open for the length of their borrows; `at` is ours.
        let n =
            retry(|| unsafe { libc::sendfile(self.as_raw_fd(), file.as_raw_fd(), &raw mut at, len) as i64 })? as usize;
        *offset += n as u64;
        Ok(n)
    }

    /// Whether bytes wait to be read.
    pub fn has_input(&self) -> bool {
        self.peek(&mut [0]).is_ok_and(|n| n > 0)
    }

    /// The number of bytes that the peer's kernel has not acknowledged, a FIN counted as one; of a Unix socket, those
    /// that the peer has not read.
    pub fn unacknowledged(&self) -> io::Result<u32> {
        let mut count: libc::c_int = 0;
        // SAFETY: SIOCOUTQ, which has the number of TIOCOUTQ (tcp(7)), writes one int, which is ours.
        retry(|| unsafe { libc::ioctl(self.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) })?;
        Ok(count.unsigned_abs())
    }

    /// Closes the sending half: the peer reads an end.
    pub fn shutdown_write(&self) -> io::Result<()> {
        // SAFETY: no memory is involved.
        retry(|| unsafe { libc::shutdown(self.as_raw_fd(), libc::SHUT_WR) })?;
        Ok(())
    }

    /// Sends small packets at once (`on`) or gathers them (Nagle's algorithm).
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        set_option(self, libc::IPPROTO_TCP, libc::TCP_NODELAY, libc::c_int::from(on))
    }

    /// Takes bytes, and calls the socket writable, only while fewer than `bytes` wait that are not sent yet.
    pub fn set_notsent_lowat(&self, bytes: u32) -> io::Result<()> {
        set_option(self, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, bytes)
    }

    /// Holds part-filled packets back until switched off (nginx's tcp_nopush; TCP_CORK on Linux).
    pub fn set_cork(&self, on: bool) -> io::Result<()> {
        set_option(self, libc::IPPROTO_TCP, libc::TCP_CORK, libc::c_int::from(on))
    }

    /// Sets the treatment of unsent data at close.
    pub fn set_linger(&self, linger: Linger) -> io::Result<()> {
        let value = libc::linger { l_onoff: libc::c_int::from(linger == Linger::Reset), l_linger: 0 };
        set_option(self, libc::SOL_SOCKET, libc::SO_LINGER, value)
    }

    /// Makes close send a RST and free the socket at once (nginx's reset_timedout_connection).
    pub fn set_linger_reset(&self) -> io::Result<()> {
        self.set_linger(Linger::Reset)
    }

    /// Switches between non-blocking calls (as accepted) and blocking ones.
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        let mut value = libc::c_int::from(on);
        // SAFETY: FIONBIO reads one int, which is ours.
        retry(|| unsafe { libc::ioctl(self.as_raw_fd(), libc::FIONBIO, &raw mut value) })?;
        Ok(())
    }

    /// The kernel's view of the connection. Errors: EOPNOTSUPP for a Unix socket.
    pub fn tcp_info(&self) -> io::Result<libc::tcp_info> {
        tcp_info(self)
    }

    /// The address that the peer has connected to.
    pub fn local_addr(&self) -> io::Result<Addr> {
        local_addr(self)
    }

    /// The address of the peer.
    pub fn peer_addr(&self) -> io::Result<Addr> {
        let mut raw = RawAddr::new();
        let (at, len) = raw.as_mut_ptrs();
        // SAFETY: both pointers are into `raw`, which outlives the call.
        retry(|| unsafe { libc::getpeername(self.as_raw_fd(), at, len) })?;
        // SAFETY: getpeername succeeded.
        unsafe { raw.read() }
    }
}

fn send_flags(more: bool) -> libc::c_int {
    if more { libc::MSG_NOSIGNAL | libc::MSG_MORE } else { libc::MSG_NOSIGNAL }
}

/// Sets one socket option whose value is a C struct or integer.
pub(super) fn set_option<T: Copy>(fd: &impl AsFd, level: libc::c_int, name: libc::c_int, value: T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    let fd = fd.as_fd();
    // SAFETY: the kernel reads `len` bytes from `value`, which is ours.
    retry(|| unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), len) })?;
    Ok(())
}

/// Reads one integer socket option.
pub(super) fn int_option(fd: &impl AsFd, level: libc::c_int, name: libc::c_int) -> io::Result<libc::c_int> {
    let (mut value, mut len): (libc::c_int, _) = (0, size_of::<libc::c_int>() as libc::socklen_t);
    let fd = fd.as_fd();
    // SAFETY: the kernel writes at most `len` bytes to `value`.
    retry(|| unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len) })?;
    Ok(value)
}

/// Reads one socket option of 64 bits.
pub(super) fn u64_option(fd: &impl AsFd, level: libc::c_int, name: libc::c_int) -> io::Result<u64> {
    let (mut value, mut len): (u64, _) = (0, size_of::<u64>() as libc::socklen_t);
    let fd = fd.as_fd();
    // SAFETY: the kernel writes at most `len` bytes to `value`.
    retry(|| unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len) })?;
    Ok(value)
}

/// The kernel's view of a TCP socket.
pub(super) fn tcp_info(fd: &impl AsFd) -> io::Result<libc::tcp_info> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
    let fd = fd.as_fd();
    // SAFETY: the kernel writes at most `len` bytes to `info`.
    retry(|| unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr().cast(), &raw mut len)
    })?;
    // SAFETY: tcp_info is plain integers; what an older kernel did not write is zero.
    Ok(unsafe { info.assume_init() })
}

/// The address that a socket is bound to.
pub(super) fn local_addr(fd: &impl AsFd) -> io::Result<Addr> {
    let mut raw = RawAddr::new();
    let (at, len) = raw.as_mut_ptrs();
    // SAFETY: both pointers are into `raw`, which outlives the call.
    retry(|| unsafe { libc::getsockname(fd.as_fd().as_raw_fd(), at, len) })?;
    // SAFETY: getsockname succeeded.
    unsafe { raw.read() }
}

impl From<OwnedFd> for Socket {
    fn from(fd: OwnedFd) -> Socket {
        Socket(fd)
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> OwnedFd {
        socket.0
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Takes a descriptor that a system call has just made.
///
/// # Safety
/// `fd` must be open and owned by nobody else.
pub(super) unsafe fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the caller's promise.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::{ListenOptions, Listener};
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::net::{SocketAddr, TcpStream};

    fn pair() -> (TcpStream, Socket) {
        let any = Addr::from("127.0.0.1:0".parse::<SocketAddr>().unwrap());
        let listener = Listener::open(&any, &ListenOptions::default()).unwrap();
        let client = TcpStream::connect(("127.0.0.1", listener.addr().port().unwrap())).unwrap();
        let (socket, peer) = listener.accept().unwrap();
        assert_eq!(peer.port().unwrap(), client.local_addr().unwrap().port());
        assert_eq!(socket.peer_addr().unwrap(), peer);
        (client, socket)
    }

    #[test]
    fn bytes_go_both_ways() {
        let (mut client, socket) = pair();
        socket.set_nonblocking(false).unwrap();
        client.write_all(b"request").unwrap();
        let mut buffer = Vec::with_capacity(16);
        assert_eq!((socket.recv_into(&mut buffer).unwrap(), &buffer[..]), (7, &b"request"[..]));
        assert_eq!(socket.send(b"he", true).unwrap(), 2);
        assert_eq!(socket.send_vectored(&[IoSlice::new(b"ad "), IoSlice::new(b"body ")], true).unwrap(), 8);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a file").unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let mut offset = 2;
        assert_eq!((socket.sendfile(&file, &mut offset, 100).unwrap(), offset), (4, 6));
        socket.shutdown_write().unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "head body file");
        drop(client);
        assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn an_accepted_socket_does_not_block_and_has_nodelay() {
        let (_client, socket) = pair();
        assert_eq!(socket.recv(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(int_option(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY).unwrap(), 1);
        assert_eq!(socket.tcp_info().unwrap().tcpi_state, 1);
    }

    #[test]
    fn what_the_peer_has_no_room_for_is_unacknowledged() {
        let (mut client, socket) = pair();
        assert_eq!((socket.unacknowledged().unwrap(), socket.has_input()), (0, false));
        let chunk = [0; 64 << 10];
        let mut sent = 0;
        while let Ok(n) = socket.send(&chunk, false) {
            sent += n;
        }
        assert!((1..=sent).contains(&(socket.unacknowledged().unwrap() as usize)));
        client.read_exact(&mut vec![0; sent]).unwrap();
        client.write_all(b"next").unwrap();
        while !socket.has_input() {
            std::thread::yield_now();
        }
        assert_eq!(socket.unacknowledged().unwrap(), 0, "the client's kernel has everything");
    }

    #[test]
    fn a_reset_on_close_reaches_the_peer() {
        let (mut client, socket) = pair();
        socket.set_linger_reset().unwrap();
        drop(socket);
        assert_eq!(client.read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn sending_to_a_closed_peer_is_an_error_and_no_signal() {
        let (client, socket) = pair();
        socket.set_nonblocking(false).unwrap();
        client.set_nonblocking(false).unwrap();
        drop(client);
        let error = loop {
            if let Err(error) = socket.send(b"x", false) {
                break error;
            }
        };
        assert!(matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset), "{error}");
    }
}
