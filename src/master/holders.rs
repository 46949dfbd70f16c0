//! Finds the processes that listen on an address, in /proc.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::os::Addr;
use crate::os::process::{self, Pid};

/// The number of processes that are named; others are counted.
const NAMED: usize = 5;

/// The processes that listen where a socket for `addr` could not be bound: `process 812 (drover: worker process) and
/// process 813 (drover: worker process)`. `None`: none is visible, since other users' processes hide their descriptors.
pub(crate) fn of(addr: &Addr) -> Option<String> {
    let inodes = match addr {
        Addr::Unix(_) => of_unix(addr, &fs::read_to_string("/proc/net/unix").ok()?),
        _ => {
            let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
            tables.iter().flat_map(|table| of_tcp(addr, table)).collect()
        }
    };
    let pids: Vec<Pid> = processes().filter(|pid| has_one(*pid, &inodes)).collect();
    let mut names: Vec<String> = pids.iter().take(NAMED).map(|pid| format!("process {pid} ({})", name(*pid))).collect();
    if pids.len() > NAMED {
        names.push(format!("{} more", pids.len() - NAMED));
    }
    let last = names.pop()?;
    Some(if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) })
}

/// The inodes of the listening sockets in a table of proc_pid_net(5) that exclude a socket for `addr`.
fn of_tcp(addr: &Addr, table: &str) -> BTreeSet<String> {
    let listening = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (local, state) = (fields.nth(1)?, fields.nth(1)?);
        let (ip, port) = local.rsplit_once(':')?;
        let is_it =
            state == "0A" && u16::from_str_radix(port, 16).ok() == addr.port() && collides(addr.ip()?, parse_ip(ip)?);
        is_it.then(|| fields.nth(5).map(str::to_owned)).flatten()
    };
    table.lines().filter_map(listening).collect()
}

/// Whether sockets with these addresses and the same port exclude each other. The IPv6 wildcard may take IPv4 as well.
fn collides(wanted: IpAddr, taken: IpAddr) -> bool {
    let is_all = |ip: IpAddr| ip.is_unspecified();
    match (wanted.is_ipv4(), taken.is_ipv4()) {
        (a, b) if a == b => wanted == taken || is_all(wanted) || is_all(taken),
        (true, false) => is_all(taken),
        _ => is_all(wanted),
    }
}

/// Parses an address in the form of proc_pid_net(5): words of four bytes in the machine's order, in hex.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let words = (0..text.len() / 8).map(|n| u32::from_str_radix(text.get(8 * n..8 * n + 8)?, 16).ok());
    let bytes: Vec<u8> = words.collect::<Option<Vec<u32>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

/// The inodes of the sockets with this path in /proc/net/unix: `Num RefCount Protocol Flags Type St Inode Path`.
fn of_unix(addr: &Addr, table: &str) -> BTreeSet<String> {
    let Some(path) = addr.path().and_then(|path| path.to_str()) else { return BTreeSet::new() };
    let inode = |line: &str| {
        let mut fields = line.splitn(8, ' ').filter(|field| !field.is_empty());
        let inode = fields.nth(6)?.to_owned();
        (fields.next()? == path).then_some(inode)
    };
    table.lines().filter_map(|line| inode(&line.split_ascii_whitespace().collect::<Vec<_>>().join(" "))).collect()
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn has_one(pid: Pid, inodes: &BTreeSet<String>) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.any(|target| {
        let inode = target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']'));
        inode.is_some_and(|inode| inodes.contains(inode))
    })
}

/// The name of a process: the title of drover's processes as ps(1) shows it, the program's name of others.
fn name(pid: Pid) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let title = String::from_utf8_lossy(line.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
    match title.strip_prefix("drover: ") {
        // A master's title ends with its command line, which may be long.
        Some(rest) => format!("drover: {}", rest.split_inclusive("process").next().unwrap_or(rest)),
        None => process::name_of(pid).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, TcpListener};
    use std::os::unix::net::UnixListener;

    fn own() -> String {
        let pid = crate::os::process::id();
        format!("process {pid} ({})", name(pid))
    }

    /// Children that other tests fork inherit the socket for a while, so that they are named behind this process.
    fn names_own(holders: Option<String>) -> bool {
        holders.is_some_and(|holders| holders.contains(&own()))
    }

    #[test]
    fn whoever_listens_is_found_by_what_excludes_the_address() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let at = |ip: &str| Addr::from(SocketAddr::new(ip.parse().unwrap(), port));
        for ip in ["127.0.0.1", "0.0.0.0", "::"] {
            assert!(names_own(of(&at(ip))), "{ip}");
        }
        for ip in ["127.0.0.2", "::1"] {
            assert_eq!(of(&at(ip)), None, "{ip}");
        }
        let taken = TcpListener::bind("[::1]:0").unwrap();
        let addr = Addr::from(taken.local_addr().unwrap());
        assert!(names_own(of(&addr)));
        drop(taken);
        assert!(!names_own(of(&addr)));
    }

    #[test]
    fn a_unix_socket_is_found_by_its_path() {
        let dir = tempfile::Builder::new().prefix("a b").tempdir().unwrap();
        let path = dir.path().join("s");
        let _taken = UnixListener::bind(&path).unwrap();
        assert!(names_own(of(&Addr::unix(&path))));
        assert_eq!(of(&Addr::unix(dir.path().join("t"))), None);
    }
}
