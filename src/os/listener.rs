//! Listening sockets.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::addr::RawAddr;
use super::socket::{int_option, local_addr, own, set_option, tcp_info};
use super::{Addr, Failure, Socket, SocketFile, Steer, retry};

/// TCP keepalive probes on accepted connections (`listen ... so_keepalive=`); `None` leaves the kernel's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Whether probes are sent.
    pub on: bool,
    /// Seconds of silence before the first probe.
    pub idle_s: Option<u32>,
    /// Seconds between probes.
    pub interval_s: Option<u32>,
    /// Probes without an answer before the connection is given up.
    pub count: Option<u32>,
}

/// How a socket listens: the parameters of nginx's `listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn.
    pub backlog: i32,
    /// Whether several sockets may listen on the address; the kernel spreads the connections over them.
    pub reuseport: bool,
    /// Whether an IPv6 socket takes IPv6 connections only.
    pub ipv6only: bool,
    /// Whether a connection can be accepted only when its first data has arrived (TCP_DEFER_ACCEPT).
    pub deferred: bool,
    /// Whether connections send small packets at once (TCP_NODELAY), which they inherit from the socket.
    pub nodelay: bool,
    /// Keepalive probes; `None`: the kernel's setting.
    pub keepalive: Option<Keepalive>,
    /// Room for TCP Fast Open requests; `None`: off.
    pub fastopen: Option<u32>,
    /// SO_RCVBUF, bytes.
    pub rcvbuf: Option<u32>,
    /// SO_SNDBUF, bytes.
    pub sndbuf: Option<u32>,
    /// Whether clients may use several paths at once (RFC 8684); others connect with TCP all the same.
    pub multipath: bool,
}

impl Default for ListenOptions {
    /// nginx's defaults: NGX_LISTEN_BACKLOG is 511 on Linux, ipv6only is on.
    fn default() -> ListenOptions {
        ListenOptions {
            backlog: 511,
            reuseport: false,
            ipv6only: true,
            deferred: false,
            nodelay: true,
            keepalive: None,
            fastopen: None,
            rcvbuf: None,
            sndbuf: None,
            multipath: false,
        }
    }
}

/// asm-generic/socket.h, since Linux 5.0.
const SO_BINDTOIFINDEX: libc::c_int = 62;

/// A non-blocking listening socket, made by the master and shared by its children.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    addr: Addr,
    /// The file of a Unix socket.
    file: Option<SocketFile>,
}

impl Listener {
    /// Binds `addr` and listens (ngx_open_listening_sockets). All users may connect to a Unix socket, as in nginx. An
    /// error leaves no file behind.
    pub fn open(addr: &Addr, options: &ListenOptions) -> Result<Listener, Failure> {
        let listener = Listener::bind(addr, options)?;
        let listened = listener.set_backlog(options.backlog).map_err(named("listen() to", addr));
        listener.keep_if(listened)
    }

    /// Binds `addr`: clients are refused until `set_backlog`. Sets TCP_NODELAY, which accepted sockets inherit: a
    /// system call for each listening socket instead of each connection.
    pub fn bind(addr: &Addr, options: &ListenOptions) -> Result<Listener, Failure> {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let protocol = if options.multipath { libc::IPPROTO_MPTCP } else { 0 };
        // SAFETY: no memory is involved.
        let fd = retry(|| unsafe { libc::socket(addr.family(), kind, protocol) });
        let fd = fd.map_err(named("socket() for", addr))?;
        // SAFETY: socket has just made it.
        let fd = unsafe { own(fd) };
        before_bind(&fd, addr, options).map_err(named("setsockopt() for", addr))?;
        // SAFETY: `with_raw` passes a pointer to an address of that length, valid for the call.
        addr.with_raw(|at, len| retry(|| unsafe { libc::bind(fd.as_raw_fd(), at, len) }))
            .and_then(|bound| bound)
            .map_err(named("bind() to", addr))?;
        let file = addr.path().map(SocketFile::at).transpose().map_err(named("lstat() for", addr));
        // Without its identity a file can't be removed later.
        let file = file.inspect_err(|_| _ = addr.path().map(std::fs::remove_file))?;
        let mut listener = Listener { fd, addr: addr.clone(), file };
        let ready = listener.prepare(addr, options);
        listener.keep_if(ready)
    }

    /// The steps between bind(2) and listen(2).
    fn prepare(&mut self, addr: &Addr, options: &ListenOptions) -> Result<(), Failure> {
        self.open_to_all().map_err(named("chmod() for", addr))?;
        self.configure(options).map_err(named("setsockopt() for", addr))?;
        // The kernel chooses a port where the conf says 0.
        self.addr = local_addr(&self.fd).map_err(named("getsockname() of", addr))?;
        Ok(())
    }

    fn open_to_all(&self) -> io::Result<()> {
        let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        self.addr.path().map_or(Ok(()), |path| std::fs::set_permissions(path, everyone))
    }

    fn keep_if<E>(self, result: Result<(), E>) -> Result<Listener, E> {
        if result.is_err()
            && let Some(file) = &self.file
        {
            // The caller gets the first error.
            let _ = file.remove();
        }
        result.map(|()| self)
    }

    /// Takes a socket that another program has bound: systemd, or the old binary that this one replaces.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Listener> {
        if int_option(&fd, libc::SOL_SOCKET, libc::SO_TYPE)? != libc::SOCK_STREAM {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a stream socket"));
        }
        if int_option(&fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN)? == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket is not listening"));
        }
        let addr = local_addr(&fd)?;
        let file = addr.path().and_then(|path| SocketFile::at(path).ok());
        let listener = Listener { addr, file, fd };
        listener.set_nonblocking(true)?;
        nix::fcntl::fcntl(&listener.fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
        Ok(listener)
    }

    /// Sets the options that may change while a socket listens, after a reload or an inheritance
    /// (ngx_configure_listening_sockets).
    pub fn configure(&self, options: &ListenOptions) -> io::Result<()> {
        for (name, value) in [(libc::SO_RCVBUF, options.rcvbuf), (libc::SO_SNDBUF, options.sndbuf)] {
            if let Some(bytes) = value {
                set_option(self, libc::SOL_SOCKET, name, c_int(bytes))?;
            }
        }
        if matches!(self.addr, Addr::Unix(_)) {
            return Ok(());
        }
        if options.reuseport {
            // A socket that listens already gets the option as well, so that others may bind beside it
            // (ngx_open_listening_sockets).
            set_option(self, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1 as libc::c_int)?;
        }
        set_option(self, libc::IPPROTO_TCP, libc::TCP_NODELAY, libc::c_int::from(options.nodelay))?;
        set_option(self, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, libc::c_int::from(options.deferred))?;
        if let Some(keepalive) = options.keepalive {
            set_option(self, libc::SOL_SOCKET, libc::SO_KEEPALIVE, libc::c_int::from(keepalive.on))?;
            let probes = [
                (libc::TCP_KEEPIDLE, keepalive.idle_s),
                (libc::TCP_KEEPINTVL, keepalive.interval_s),
                (libc::TCP_KEEPCNT, keepalive.count),
            ];
            for (name, value) in probes {
                if let Some(value) = value {
                    set_option(self, libc::IPPROTO_TCP, name, c_int(value))?;
                }
            }
        }
        if let Some(queue) = options.fastopen {
            set_option(self, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, c_int(queue))?;
        }
        Ok(())
    }

    /// Whether the socket takes the IPv4 clients of its port as well: an IPv6 wildcard without IPV6_V6ONLY.
    pub fn is_dual_stack(&self) -> bool {
        let is_v6 = matches!(self.addr, Addr::V6(_)) && self.addr.is_wildcard();
        is_v6 && int_option(self, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY).is_ok_and(|only| only == 0)
    }

    /// Whether clients may use several paths at once.
    pub fn is_multipath(&self) -> bool {
        int_option(self, libc::SOL_SOCKET, libc::SO_PROTOCOL).is_ok_and(|protocol| protocol == libc::IPPROTO_MPTCP)
    }

    /// Changes the length of the queue (listen(2) may be called again).
    pub fn set_backlog(&self, backlog: i32) -> io::Result<()> {
        // SAFETY: no memory is involved.
        retry(|| unsafe { libc::listen(self.as_raw_fd(), backlog) })?;
        Ok(())
    }

    /// The number of connections that wait to be accepted: tcpi_unacked of a listening socket. Error: not a TCP socket.
    pub fn queue_length(&self) -> io::Result<u32> {
        Ok(tcp_info(self)?.tcpi_unacked)
    }

    /// Accepts the next connection with one accept4; its socket is non-blocking and closed on exec. Errors:
    /// `WouldBlock` when none waits, ECONNABORTED, EMFILE, ENFILE and others of accept(2).
    pub fn accept(&self) -> io::Result<(Socket, Addr)> {
        let mut raw = RawAddr::new();
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let (at, len) = raw.as_mut_ptrs();
        // SAFETY: both pointers are into `raw`, which outlives the call; a failed accept4 leaves `len` as it was.
        let fd = retry(|| unsafe { libc::accept4(self.as_raw_fd(), at, len, flags) })?;
        // SAFETY: accept4 has just made it.
        let socket = Socket::from(unsafe { own(fd) });
        // SAFETY: accept4 succeeded.
        Ok((socket, unsafe { raw.read() }?))
    }

    /// Tells the kernel which of the sockets that share this one's address (SO_REUSEPORT) gets a new connection. The
    /// sockets are numbered in the order in which they began to listen.
    pub fn steer(&self, steer: &Steer) -> io::Result<()> {
        let Some(mut program) = steer.program() else {
            let detached = set_option(self, libc::SOL_SOCKET, libc::SO_DETACH_REUSEPORT_BPF, 0 as libc::c_int);
            // ENOENT: no program was attached.
            return detached.or_else(|e| if e.raw_os_error() == Some(libc::ENOENT) { Ok(()) } else { Err(e) });
        };
        // The kernel copies the program during the call.
        let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
        set_option(self, libc::SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_CBPF, filter)
    }

    /// Sets whether other sockets of this user with the same option may bind the port, even with an address that this
    /// one excludes (SO_REUSEPORT).
    pub fn share_port(&self, on: bool) -> io::Result<()> {
        set_option(self, libc::SOL_SOCKET, libc::SO_REUSEPORT, libc::c_int::from(on))
    }

    /// Keeps new connections from this socket: the kernel looks for another socket that matches, or refuses.
    /// Connections that wait can still be accepted. Without CAP_NET_RAW this can't be undone.
    pub fn retire(&self) -> io::Result<()> {
        // The kernel does not check that the interface exists, and compares its number with that of each SYN.
        const NO_INTERFACE: libc::c_int = libc::c_int::MAX;
        set_option(self, libc::SOL_SOCKET, SO_BINDTOIFINDEX, NO_INTERFACE)
    }

    /// Ends the listening: the kernel moves connections that wait, and handshakes under way, to other sockets of the
    /// address if a program says to which (`LeastLoaded`), and resets them otherwise. Those who wait for the socket in
    /// epoll see it hung up until it listens again (`set_backlog`).
    pub fn stop(&self) -> io::Result<()> {
        // SAFETY: no memory is involved.
        retry(|| unsafe { libc::shutdown(self.as_raw_fd(), libc::SHUT_RD) })?;
        Ok(())
    }

    /// Whether the socket listens.
    pub fn is_listening(&self) -> bool {
        int_option(self, libc::SOL_SOCKET, libc::SO_ACCEPTCONN).is_ok_and(|on| on != 0)
    }

    /// Switches between accepts that return `WouldBlock` (as opened) and accepts that wait. The flag belongs to the
    /// socket: the switch affects all processes that share it.
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        let mut value = libc::c_int::from(on);
        // SAFETY: FIONBIO reads one int, which is ours.
        retry(|| unsafe { libc::ioctl(self.as_raw_fd(), libc::FIONBIO, &raw mut value) })?;
        Ok(())
    }

    /// The address that the socket is bound to; for port 0, with the port that the kernel chose.
    pub fn addr(&self) -> &Addr {
        &self.addr
    }

    /// The file of a Unix socket; `None`: another family, or the file is gone.
    pub fn file(&self) -> Option<&SocketFile> {
        self.file.as_ref()
    }

    /// Another descriptor of the same socket.
    pub fn try_clone(&self) -> io::Result<Listener> {
        Ok(Listener { fd: self.fd.try_clone()?, addr: self.addr.clone(), file: self.file.clone() })
    }
}

fn before_bind(fd: &OwnedFd, addr: &Addr, options: &ListenOptions) -> io::Result<()> {
    if matches!(addr, Addr::Unix(_)) {
        return Ok(());
    }
    set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1 as libc::c_int)?;
    if options.reuseport {
        set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1 as libc::c_int)?;
    }
    if matches!(addr, Addr::V6(_)) {
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, libc::c_int::from(options.ipv6only))?;
    }
    Ok(())
}

fn named<'a>(call: &'a str, addr: &'a Addr) -> impl FnOnce(io::Error) -> Failure + 'a {
    move |error| Failure::new(format!("{call} {addr}"), error)
}

fn c_int(value: u32) -> libc::c_int {
    libc::c_int::try_from(value).unwrap_or(libc::c_int::MAX)
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Connects so often, and returns when all of the connections wait in the sockets' queues: on a busy machine connect(2)
/// returns before the kernel has taken in the client's ACK.
#[cfg(test)]
pub(crate) fn connect_all(addr: std::net::SocketAddr, count: u32, listeners: &[Listener]) -> Vec<std::net::TcpStream> {
    let queued = || listeners.iter().map(|listener| listener.queue_length().unwrap()).sum::<u32>();
    let wanted = queued() + count;
    let clients = (0..count).map(|_| std::net::TcpStream::connect(addr).unwrap()).collect();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(40);
    while queued() < wanted {
        assert!(std::time::Instant::now() < deadline, "{} of {wanted} connections wait", queued());
        std::thread::yield_now();
    }
    clients
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use std::os::unix::net::UnixStream;

    fn any() -> Addr {
        Addr::from("127.0.0.1:0".parse::<SocketAddr>().unwrap())
    }

    #[test]
    fn an_empty_queue_would_block() {
        let listener = Listener::open(&any(), &ListenOptions::default()).unwrap();
        assert_ne!(listener.addr().port(), Some(0));
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn an_address_in_use_says_so_and_reuseport_shares_it() {
        let shared = ListenOptions { reuseport: true, ..ListenOptions::default() };
        let first = Listener::open(&any(), &shared).unwrap();
        assert!(Listener::open(first.addr(), &shared).is_ok());
        let error = Listener::open(first.addr(), &ListenOptions::default()).unwrap_err();
        assert_eq!(error.error.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(error.to_string(), format!("bind() to {} failed (98: Address already in use)", first.addr()));
    }

    #[test]
    fn a_unix_socket_is_open_to_all_and_its_peers_are_unnamed() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = Listener::open(&Addr::unix(&path), &ListenOptions::default()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        let _client = UnixStream::connect(&path).unwrap();
        let (socket, peer) = listener.accept().unwrap();
        assert_eq!((peer, socket.local_addr().unwrap()), (Addr::Unix(None), Addr::unix(&path)));
    }

    #[test]
    fn an_inherited_descriptor_must_be_a_listening_stream_socket() {
        let listener = Listener::open(&any(), &ListenOptions::default()).unwrap();
        let inherited = Listener::from_fd(listener.fd.try_clone().unwrap()).unwrap();
        assert_eq!(inherited.addr(), listener.addr());
        assert!(Listener::from_fd(UnixStream::pair().unwrap().0.into()).is_err());
        assert!(Listener::from_fd(tempfile::tempfile().unwrap().into()).is_err());
    }

    #[test]
    fn a_retired_socket_keeps_its_queue_and_leaves_new_clients_to_others() {
        use std::net::TcpStream;
        let old = Listener::open(&any(), &ListenOptions::default()).unwrap();
        let port = old.addr().port().unwrap();
        let everywhere = Addr::from(SocketAddr::from(([0, 0, 0, 0], port)));
        let shared = ListenOptions { reuseport: true, ..ListenOptions::default() };
        assert_eq!(Listener::bind(&everywhere, &shared).unwrap_err().error.kind(), io::ErrorKind::AddrInUse);
        old.share_port(true).unwrap();
        let new = Listener::bind(&everywhere, &shared).unwrap();
        new.set_backlog(5).unwrap();
        let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (_first, before) = (connect(), new.queue_length().unwrap());
        old.retire().unwrap();
        let (_second, after) = (connect(), new.queue_length().unwrap());
        assert_eq!((before, after, old.queue_length().unwrap()), (0, 1, 1));
        old.accept().unwrap();
        drop(new);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }

    #[test]
    fn a_multipath_socket_takes_clients_of_tcp_as_well() {
        let options = ListenOptions { multipath: true, ..ListenOptions::default() };
        let is_there = std::fs::read_to_string("/proc/sys/net/mptcp/enabled").is_ok_and(|text| text.trim() == "1");
        assert!(!Listener::open(&any(), &ListenOptions::default()).unwrap().is_multipath());
        match Listener::open(&any(), &options) {
            Ok(listener) => {
                assert!(listener.is_multipath());
                let _client = std::net::TcpStream::connect(("127.0.0.1", listener.addr().port().unwrap())).unwrap();
                assert_eq!(listener.queue_length().unwrap(), 1);
                assert!(listener.accept().is_ok());
            }
            Err(failure) => assert!(!is_there, "{failure}"),
        }
    }

    #[test]
    fn options_reach_the_socket() {
        let options = ListenOptions {
            keepalive: Some(Keepalive { on: true, idle_s: Some(77), ..Keepalive::default() }),
            deferred: true,
            ..ListenOptions::default()
        };
        let listener = Listener::open(&any(), &options).unwrap();
        assert_eq!(int_option(&listener, libc::SOL_SOCKET, libc::SO_KEEPALIVE).unwrap(), 1);
        assert_eq!(int_option(&listener, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE).unwrap(), 77);
        assert!(int_option(&listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT).unwrap() > 0);
    }
}
