//! The address where the agent listens, and its socket.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::os::SocketFile;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// IPv4 or IPv6.
    Ip(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Place {
    /// Reads `PORT` (of 127.0.0.1), `ADDRESS:PORT`, `*:PORT` or `unix:PATH`. Error: why it is none.
    pub fn parse(text: &str) -> Result<Place, String> {
        let wrong = || {
            format!(
                "\"{text}\" is no address for the agent: a port of 127.0.0.1 (9000), an address and a port \
                 (192.0.2.11:9000, [::1]:9000, *:9000), or unix:/PATH"
            )
        };
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') { Ok(Place::Unix(path.into())) } else { Err(wrong()) };
        }
        let addr = match text.parse::<u16>() {
            Ok(port) => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            Err(_) => text.replacen('*', "0.0.0.0", 1).parse().ok(),
        };
        addr.filter(|addr| addr.port() != 0).map(Place::Ip).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Ip(addr) => write!(f, "{addr}"),
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A listening socket.
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

impl Socket {
    /// Listens. The file of a Unix socket that nobody listens on any more is replaced; all users may connect.
    pub(super) fn open(place: &Place) -> io::Result<Socket> {
        let path = match place {
            Place::Ip(addr) => return TcpListener::bind(addr).map(Socket::Tcp),
            Place::Unix(path) => path,
        };
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
                fs::remove_file(path)?;
                UnixListener::bind(path)
            }
            bound => bound,
        }?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        Ok(Socket::Unix(listener, SocketFile::at(path)?))
    }

    /// The file that a Unix socket has made, for the agent's end.
    pub(super) fn file(&self) -> Option<SocketFile> {
        match self {
            Socket::Tcp(_) => None,
            Socket::Unix(_, file) => Some(file.clone()),
        }
    }

    /// Waits for a balancer, and gives it the line that `say` returns then. HAProxy may have sent a text first
    /// (`agent-send`), which does not matter.
    pub(super) fn answer_next(&self, say: impl FnOnce() -> String) -> io::Result<()> {
        match self {
            Socket::Tcp(listener) => {
                let (mut stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                give(&mut stream, &say())?;
                stream.shutdown(Shutdown::Write)
            }
            Socket::Unix(listener, _) => {
                let (mut stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                give(&mut stream, &say())?;
                stream.shutdown(Shutdown::Write)
            }
        }
    }
}

/// Writes a line into the empty buffer of a new socket, in which it has room. Bytes that are there are read, since a
/// socket that is closed with unread bytes is reset.
fn give(stream: &mut (impl Read + Write), line: &str) -> io::Result<()> {
    // A client that has sent nothing, or has gone, is no failure.
    let _ = stream.read(&mut [0; 1024]);
    stream.write_all(line.as_bytes())
}

fn is_abandoned(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    is_socket && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// How long the agent waits after an accept that failed, for descriptors for one.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_port_or_more() {
        for (text, shown) in [
            ("9000", "127.0.0.1:9000"),
            ("*:9000", "0.0.0.0:9000"),
            ("192.0.2.11:9000", "192.0.2.11:9000"),
            ("[::1]:9000", "[::1]:9000"),
            ("unix:/run/agent.sock", "unix:/run/agent.sock"),
        ] {
            assert_eq!(Place::parse(text).map(|place| place.to_string()).as_deref(), Ok(shown), "{text}");
        }
        for text in
            ["", "0", "70000", "localhost:9000", "::1:9000", "[::1]", "unix:", "unix:agent.sock", "-c", "/run/x"]
        {
            let error = Place::parse(text).unwrap_err();
            assert!(error.starts_with(&format!("\"{text}\" is no address for the agent: ")), "{error}");
        }
    }

    #[test]
    fn a_socket_that_nobody_has_is_replaced_and_no_other_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sock");
        let place = Place::Unix(path.clone());
        let first = Socket::open(&place).unwrap();
        assert!(Socket::open(&place).is_err(), "it is in use");
        drop(first);
        let second = Socket::open(&place).unwrap();
        let asking = std::thread::spawn(move || {
            let mut stream = UnixStream::connect(path).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).map(|_| text).unwrap()
        });
        second.answer_next(|| "up 7%\n".to_owned()).unwrap();
        assert_eq!(asking.join().unwrap(), "up 7%\n");
        let file = dir.path().join("file");
        fs::write(&file, "dear").unwrap();
        assert!(Socket::open(&Place::Unix(file.clone())).is_err());
        assert_eq!(fs::read_to_string(file).unwrap(), "dear");
    }
}
