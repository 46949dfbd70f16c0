//! Socket addresses, shown as nginx shows them.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// The addresses of a host, as the system's resolver says; none when it knows none. May take as long as name servers
/// need.
pub fn resolve(host: &str) -> Vec<IpAddr> {
    use std::net::ToSocketAddrs;
    let mut found: Vec<IpAddr> =
        (host, 0).to_socket_addrs().into_iter().flatten().map(|addr: SocketAddr| addr.ip()).collect();
    found.dedup();
    found
}

/// The address of one end of a socket. Cloning an IP address copies it; a Unix socket's path is shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Addr {
    /// IPv4.
    V4(SocketAddrV4),
    /// IPv6.
    V6(SocketAddrV6),
    /// A Unix socket; `None` for the unnamed end that a client usually has.
    Unix(Option<Arc<Path>>),
}

impl Addr {
    /// The address of a Unix socket in the file system.
    pub fn unix(path: impl AsRef<Path>) -> Addr {
        Addr::Unix(Some(Arc::from(path.as_ref())))
    }

    /// The IP address; `None` for a Unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Addr::V4(a) => Some(IpAddr::V4(*a.ip())),
            Addr::V6(a) => Some(IpAddr::V6(*a.ip())),
            Addr::Unix(_) => None,
        }
    }

    /// The port; `None` for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        match self {
            Addr::V4(a) => Some(a.port()),
            Addr::V6(a) => Some(a.port()),
            Addr::Unix(_) => None,
        }
    }

    /// The path of a named Unix socket.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Addr::Unix(path) => path.as_deref(),
            _ => None,
        }
    }

    /// Whether this is an IP address that stands for all addresses of the machine.
    pub fn is_wildcard(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }

    /// The address with `::ffff:a.b.c.d`, as which an IPv6 socket shows IPv4 clients, turned into the IPv4 address.
    pub fn unmapped(&self) -> Addr {
        match self {
            Addr::V6(addr) => match addr.ip().to_ipv4_mapped() {
                Some(ip) => Addr::V4(SocketAddrV4::new(ip, addr.port())),
                None => self.clone(),
            },
            other => other.clone(),
        }
    }

    /// The wildcard address of the same family and port; `None` for a Unix socket.
    pub fn wildcard(&self) -> Option<Addr> {
        match self {
            Addr::V4(addr) => Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, addr.port())).into()),
            Addr::V6(addr) => Some(SocketAddr::from((Ipv6Addr::UNSPECIFIED, addr.port())).into()),
            Addr::Unix(_) => None,
        }
    }

    /// Calls `f` with the kernel's form of the address.
    pub(super) fn with_raw<T>(&self, f: impl FnOnce(*const libc::sockaddr, libc::socklen_t) -> T) -> io::Result<T> {
        match self {
            Addr::V4(a) => {
                let raw = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: a.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(a.ip().octets()) },
                    sin_zero: [0; 8],
                };
                Ok(f((&raw const raw).cast(), mem::size_of_val(&raw) as libc::socklen_t))
            }
            Addr::V6(a) => {
                let raw = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: a.port().to_be(),
                    sin6_flowinfo: a.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: a.ip().octets() },
                    sin6_scope_id: a.scope_id(),
                };
                Ok(f((&raw const raw).cast(), mem::size_of_val(&raw) as libc::socklen_t))
            }
            Addr::Unix(path) => {
                let bytes = path.as_deref().map_or(&[][..], |p| p.as_os_str().as_bytes());
                let mut raw = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
                if bytes.len() >= raw.sun_path.len() || bytes.contains(&0) {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path of the Unix socket is too long"));
                }
                for (to, from) in raw.sun_path.iter_mut().zip(bytes) {
                    *to = *from as libc::c_char;
                }
                Ok(f((&raw const raw).cast(), mem::size_of_val(&raw) as libc::socklen_t))
            }
        }
    }

    /// The address family for socket(2).
    pub(super) fn family(&self) -> libc::c_int {
        match self {
            Addr::V4(_) => libc::AF_INET,
            Addr::V6(_) => libc::AF_INET6,
            Addr::Unix(_) => libc::AF_UNIX,
        }
    }
}

impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Addr {
        match addr {
            SocketAddr::V4(a) => Addr::V4(a),
            SocketAddr::V6(a) => Addr::V6(a),
        }
    }
}

/// The form of nginx's ngx_sock_ntop with the port: `1.2.3.4:80`, `[::1]:80`, `unix:/path`.
impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Addr::V4(a) => write!(f, "{a}"),
            Addr::V6(a) => write!(f, "[{}]:{}", a.ip(), a.port()),
            Addr::Unix(None) => f.write_str("unix:"),
            Addr::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Room for any address that the kernel may write.
pub(super) struct RawAddr {
    storage: MaybeUninit<libc::sockaddr_storage>,
    len: libc::socklen_t,
}

impl RawAddr {
    pub(super) fn new() -> RawAddr {
        RawAddr { storage: MaybeUninit::uninit(), len: mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t }
    }

    /// Parses an address that `with_raw` of another process wrote.
    pub(super) fn parse(bytes: &[u8]) -> io::Result<Addr> {
        let mut raw = RawAddr { storage: MaybeUninit::zeroed(), len: 0 };
        let len = bytes.len().min(mem::size_of::<libc::sockaddr_storage>());
        // SAFETY: both are at least `len` bytes long, and don't overlap, since the storage is ours.
        unsafe { raw.storage.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), len) };
        raw.len = len as libc::socklen_t;
        // SAFETY: `len` bytes have just been written, and the rest is zero.
        unsafe { raw.read() }
    }

    /// The two pointers that accept4, getsockname and getpeername take.
    pub(super) fn as_mut_ptrs(&mut self) -> (*mut libc::sockaddr, *mut libc::socklen_t) {
        (self.storage.as_mut_ptr().cast(), &raw mut self.len)
    }

    /// Reads the address that a system call has written.
    ///
    /// # Safety
    /// The call that got `as_mut_ptrs` must have succeeded: it wrote `len` and that many bytes.
    pub(super) unsafe fn read(&self) -> io::Result<Addr> {
        let len = self.len as usize;
        if len < mem::size_of::<libc::sa_family_t>() {
            return Ok(Addr::Unix(None));
        }
        let base = self.storage.as_ptr();
        // SAFETY: the kernel wrote at least the family, by the caller's promise and the length checked above.
        let family = libc::c_int::from(unsafe { (*base).ss_family });
        match family {
            libc::AF_INET if len >= mem::size_of::<libc::sockaddr_in>() => {
                // SAFETY: family and length say that a whole sockaddr_in was written; storage is aligned for it.
                let raw = unsafe { &*base.cast::<libc::sockaddr_in>() };
                let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
                Ok(Addr::V4(SocketAddrV4::new(ip, u16::from_be(raw.sin_port))))
            }
            libc::AF_INET6 if len >= mem::size_of::<libc::sockaddr_in6>() => {
                // SAFETY: as above, for sockaddr_in6.
                let raw = unsafe { &*base.cast::<libc::sockaddr_in6>() };
                let (ip, port) = (Ipv6Addr::from(raw.sin6_addr.s6_addr), u16::from_be(raw.sin6_port));
                Ok(Addr::V6(SocketAddrV6::new(ip, port, raw.sin6_flowinfo, raw.sin6_scope_id)))
            }
            libc::AF_UNIX => {
                let start = mem::offset_of!(libc::sockaddr_un, sun_path);
                let size = len.min(mem::size_of::<libc::sockaddr_un>()).saturating_sub(start);
                // SAFETY: the kernel wrote `len` bytes, of which `size` lie in the path.
                let path = unsafe { std::slice::from_raw_parts(base.cast::<u8>().add(start), size) };
                let path = path.split(|&b| b == 0).next().unwrap_or_default();
                Ok(if path.is_empty() { Addr::Unix(None) } else { Addr::unix(OsStr::from_bytes(path)) })
            }
            _ => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_as_nginx_shows_them() {
        let v4 = Addr::from("127.0.0.1:80".parse::<SocketAddr>().unwrap());
        let v6 = Addr::from("[2001:db8::1]:443".parse::<SocketAddr>().unwrap());
        assert_eq!(v4.to_string(), "127.0.0.1:80");
        assert_eq!(v6.to_string(), "[2001:db8::1]:443");
        assert_eq!(Addr::unix("/run/drover.sock").to_string(), "unix:/run/drover.sock");
        assert_eq!(Addr::Unix(None).to_string(), "unix:");
        assert_eq!((v4.port(), v6.ip().unwrap().is_ipv6()), (Some(80), true));
    }

    #[test]
    fn a_path_longer_than_sun_path_is_an_error() {
        assert!(Addr::unix("x".repeat(107)).with_raw(|_, _| ()).is_ok());
        assert!(Addr::unix("x".repeat(108)).with_raw(|_, _| ()).is_err());
    }
}
