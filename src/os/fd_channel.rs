//! A pair of SEQPACKET sockets over which one process passes connections to another.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, socketpair,
};

use super::addr::RawAddr;
use super::socket::own;
use super::{Addr, Interest, Ready, Socket, poll};

/// Bytes of a message in front of the peer's address: the sender's number and the index of the listening socket.
const HEAD: usize = size_of::<u64>() + size_of::<u32>();
/// Bytes of the longest message: with room for any address.
const LONGEST: usize = HEAD + size_of::<libc::sockaddr_storage>();

/// Both ends of the pair, neither of which blocks. To be made before a fork: each process with a copy may send or take.
/// Each message goes to one taker. Messages in flight outlive every process as long as another has the pair.
#[derive(Debug)]
pub struct FdChannel {
    tx: OwnedFd,
    rx: OwnedFd,
}

/// A message: a connection, or the notice that connections wait.
#[derive(Debug)]
pub struct FdMessage {
    /// The sender's number for the message.
    pub number: u64,
    /// The index of the listening socket.
    pub listener: u32,
    /// The connection and its peer; `None`: a notice.
    pub connection: Option<(Socket, Addr)>,
}

impl FdChannel {
    /// An empty pair.
    pub fn new() -> io::Result<FdChannel> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let (tx, rx) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        Ok(FdChannel { tx, rx })
    }

    /// Sends a connection; afterwards the caller may close its descriptor. Errors: `WouldBlock` when the pair is full,
    /// ETOOMANYREFS when more descriptors are in flight than the user may have, and those of sendmsg(2).
    pub fn pass(&self, number: u64, listener: u32, socket: &Socket, peer: &Addr) -> io::Result<()> {
        let mut message = [0; LONGEST];
        write_head(&mut message, number, listener);
        let len = peer.with_raw(|at, len| {
            let room = message.get_mut(HEAD..).unwrap_or_default();
            let len = (len as usize).min(room.len());
            // SAFETY: `with_raw` passes a pointer to `len` bytes at least, which are its own.
            unsafe { at.cast::<u8>().copy_to_nonoverlapping(room.as_mut_ptr(), len) };
            HEAD + len
        })?;
        self.send(message.get(..len).unwrap_or_default(), &[ControlMessage::ScmRights(&[socket.as_raw_fd()])])
    }

    /// Sends the notice that connections wait at a listening socket. Errors: those of `pass`.
    pub fn tell(&self, number: u64, listener: u32) -> io::Result<()> {
        let mut message = [0; HEAD];
        write_head(&mut message, number, listener);
        self.send(&message, &[])
    }

    fn send(&self, message: &[u8], control: &[ControlMessage<'_>]) -> io::Result<()> {
        loop {
            match sendmsg::<()>(self.tx.as_raw_fd(), &[IoSlice::new(message)], control, MsgFlags::MSG_NOSIGNAL, None) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Whether a message waits. Takes nothing and wakes no process.
    pub fn has_waiting(&self) -> bool {
        poll([Some((self.as_fd(), Interest::READ))], Some(0)).is_ok_and(|[ready]| ready.contains(Ready::READ))
    }

    /// Takes the next message. Errors: `WouldBlock` when there is none; EMFILE when this process has no descriptor left
    /// for the connection, which the kernel then closes; and those of recvmsg(2).
    pub fn take(&self) -> io::Result<FdMessage> {
        let mut message = [0; LONGEST];
        let mut control = cmsg_space!([libc::c_int; 1]);
        let (len, descriptor, is_cut) = loop {
            let mut parts = [IoSliceMut::new(&mut message)];
            match recvmsg::<()>(self.rx.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC) {
                Ok(received) => break (received.bytes, descriptor_of(&received), is_cut(&received)),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        };
        if is_cut {
            return Err(Errno::EMFILE.into());
        }
        let (number, listener) = read_head(&message);
        let peer = RawAddr::parse(message.get(HEAD..len).unwrap_or_default());
        let connection = match descriptor {
            Some(fd) => Some((Socket::from(fd), peer?)),
            None => None,
        };
        Ok(FdMessage { number, listener, connection })
    }
}

type Received<'a, 'outer, 'inner> = nix::sys::socket::RecvMsg<'a, 'outer, ()>;

fn is_cut(received: &Received<'_, '_, '_>) -> bool {
    received.flags.contains(MsgFlags::MSG_CTRUNC)
}

/// The descriptor in a message; there is room for one.
fn descriptor_of(received: &Received<'_, '_, '_>) -> Option<OwnedFd> {
    received.cmsgs().ok()?.find_map(|message| match message {
        // SAFETY: recvmsg has just made it for this process, and it is looked at once.
        ControlMessageOwned::ScmRights(fds) => fds.first().map(|fd| unsafe { own(*fd) }),
        _ => None,
    })
}

fn write_head(message: &mut [u8], number: u64, listener: u32) {
    let head = number.to_ne_bytes().into_iter().chain(listener.to_ne_bytes());
    message.iter_mut().zip(head).for_each(|(to, from)| *to = from);
}

fn read_head(message: &[u8; LONGEST]) -> (u64, u32) {
    let (mut number, mut listener) = ([0; size_of::<u64>()], [0; size_of::<u32>()]);
    let (first, rest) = message.split_at(number.len());
    number.copy_from_slice(first);
    listener.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    (u64::from_ne_bytes(number), u32::from_ne_bytes(listener))
}

/// The taking end: readable while a message waits.
impl AsFd for FdChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.rx.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::{ListenOptions, Listener};
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::os::unix::net::UnixStream;

    fn connection(addr: &str) -> Option<(TcpStream, Socket, Addr)> {
        let any = Addr::from(addr.parse::<SocketAddr>().unwrap());
        let listener = Listener::open(&any, &ListenOptions::default()).ok()?;
        let at = SocketAddr::new(any.ip().unwrap(), listener.addr().port().unwrap());
        let client = TcpStream::connect(at).unwrap();
        let (socket, peer) = listener.accept().unwrap();
        Some((client, socket, peer))
    }

    #[test]
    fn a_connection_comes_out_with_its_peer_and_is_the_same_one() {
        let channel = FdChannel::new().unwrap();
        assert_eq!(channel.take().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        for addr in ["127.0.0.1:0", "[::1]:0"] {
            let Some((mut client, socket, peer)) = connection(addr) else { continue };
            channel.pass(1 << 40, 7, &socket, &peer).unwrap();
            drop(socket);
            let message = channel.take().unwrap();
            let (taken, from) = message.connection.unwrap();
            assert_eq!((message.number, message.listener, from), (1 << 40, 7, peer));
            taken.send(b"ok", false).unwrap();
            drop(taken);
            let mut text = String::new();
            client.read_to_string(&mut text).unwrap();
            assert_eq!(text, "ok", "and it is closed: no copy is left");
        }
        let (mut near, far) = UnixStream::pair().unwrap();
        channel.pass(1, 0, &Socket::from(OwnedFd::from(far)), &Addr::Unix(None)).unwrap();
        let (taken, from) = channel.take().unwrap().connection.unwrap();
        assert_eq!(from, Addr::Unix(None));
        near.write_all(b"x").unwrap();
        assert_eq!(taken.recv(&mut [0; 8]).unwrap(), 1);
    }

    #[test]
    fn word_has_no_descriptor_and_messages_keep_their_order() {
        let channel = FdChannel::new().unwrap();
        (0..3).for_each(|n| channel.tell(n, 9).unwrap());
        for n in 0..3 {
            let message = channel.take().unwrap();
            assert_eq!((message.number, message.listener, message.connection.is_none()), (n, 9, true));
        }
    }

    #[test]
    fn a_full_pair_says_so_and_keeps_what_it_has() {
        let channel = FdChannel::new().unwrap();
        let (_client, socket, peer) = connection("127.0.0.1:0").unwrap();
        let error = (0..100_000).find_map(|n| channel.pass(n, 0, &socket, &peer).err().map(|e| (n, e)));
        let (sent, error) = error.unwrap();
        // A user without privileges may have fewer descriptors under way than the pair has room for.
        let is_full = error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ETOOMANYREFS);
        assert!(is_full && sent > 16, "{sent} {error}");
        let taken = std::iter::from_fn(|| channel.take().ok()).map(|message| message.number);
        assert!(taken.eq(0..sent));
    }
}
