//! Processes as the kernel shows them: children, sockets, epoll sets, CPU time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use super::sock_diag::{Diagnostics, TcpSocket};
use super::tools;

/// Sends a signal to a process; panics when there is none of this id.
#[track_caller]
pub fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap_or_else(|error| panic!("{signal} to process {pid}: {error}"));
}

/// Children of `pid`, ascending.
pub fn children(pid: i32) -> Vec<i32> {
    let mut found: Vec<i32> = child_ids(pid).into_iter().filter(|p| is_alive(*p)).collect();
    found.sort_unstable();
    found
}

/// With those that are dead and not reaped. The lists of all threads, because any of them may have forked.
fn child_ids(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|p| p.parse().ok()).collect::<Vec<_>>()).collect()
}

/// `pid` and everything below it.
pub fn tree(pid: i32) -> Vec<i32> {
    let mut all = vec![pid];
    let mut next = 0;
    while next < all.len() {
        all.extend(children(all[next]));
        next += 1;
    }
    all
}

/// Threads of a process.
pub fn threads(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).map_or(0, |tasks| tasks.count())
}

/// Dead and unreaped children of `pid` and of those below it.
pub fn zombies(pid: i32) -> Vec<i32> {
    let children = tree(pid).into_iter().flat_map(child_ids);
    children.filter(|p| stat(*p).is_some_and(|s| s.state == 'Z')).collect()
}

/// Whether a process of this group exists that is not a zombie.
pub fn group_lives(group: i32) -> bool {
    pids().any(|p| stat(p).is_some_and(|s| s.group == group && s.state != 'Z'))
}

/// A process as the kernel lists it.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    pub pid: i32,
    pub parent: i32,
    pub is_zombie: bool,
}

/// The processes of a group, the dead and unreaped ones as well.
pub fn group(group: i32) -> Vec<Listed> {
    let listed = |pid: i32| {
        let stat = stat(pid).filter(|stat| stat.group == group)?;
        Some(Listed { pid, parent: stat.parent, is_zombie: matches!(stat.state, 'Z' | 'X') })
    };
    pids().filter_map(listed).collect()
}

/// Whether all threads of a process are stopped by a signal.
pub fn is_stopped(pid: i32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    stats.map(|stat| stat.contains(") T ")).reduce(|all, this| all && this).unwrap_or(false)
}

/// How often the threads of a process have gone to sleep.
pub fn sleeps(pid: i32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let status = tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
    let count = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:").map(str::to_owned));
        line.and_then(|n| n.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    status.map(count).sum()
}

/// Whether all threads of a process wait for something to happen: whatever they were at is done.
pub fn is_asleep(pid: i32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    stats.map(|stat| stat.contains(") S ")).reduce(|all, this| all && this).unwrap_or(false)
}

pub fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|s| s.state != 'Z')
}

/// User and system time of the whole tree below `pid`, in clock ticks, with that of children already waited for.
pub fn cpu_ticks(pid: i32) -> u64 {
    tree(pid).into_iter().filter_map(stat).map(|s| s.ticks).sum()
}

/// Inodes of the sockets a process has open.
pub fn socket_inodes(pid: i32) -> BTreeSet<u64> {
    descriptors(pid).into_iter().filter_map(|(_, target)| inode_in(&target)).collect()
}

/// The open files of a process, as /proc/PID/fd names them: paths, `socket:[N]`, and others.
pub fn open_files(pid: i32) -> BTreeSet<String> {
    descriptors(pid).into_iter().map(|(_, target)| target).collect()
}

/// The targets of a process's descriptors, one for each descriptor.
pub fn open_targets(pid: i32) -> Vec<String> {
    descriptors(pid).into_iter().map(|(_, target)| target).collect()
}

/// How many descriptors a process has open.
pub fn descriptor_count(pid: i32) -> usize {
    descriptors(pid).len()
}

/// Lets a worker have `count` descriptors at most. Root's power over a worker's limits may be missing in a container,
/// but the worker's own account has it.
pub fn limit_descriptors(pid: i32, count: usize) {
    let limit = format!("--nofile={count}");
    let mut command = Command::new(tools::find("setpriv"));
    if geteuid().is_root() {
        command.args(["--reuid=www-data", "--regid=www-data", "--clear-groups"]);
    }
    command.arg(tools::find("prlimit")).args(["--pid", &pid.to_string(), &limit]);
    assert!(command.status().expect("run setpriv").success());
}

/// The same for a process of this process's own account.
pub fn limit_own_descriptors(pid: i32, count: usize) {
    tools::run("prlimit", &["--pid", &pid.to_string(), &format!("--nofile={count}")]);
}

/// Raises the limit of the tests' own process: a crowd takes more descriptors than the usual 1,024.
pub fn make_room_for_descriptors() {
    const ROOM: u64 = 5000;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
    if soft < ROOM {
        setrlimit(Resource::RLIMIT_NOFILE, ROOM, hard.max(ROOM)).expect("room for the descriptors of a crowd");
    }
}

/// Sets a soft limit, as prlimit(1) writes it, of a worker; the limit can be raised again.
pub fn soft_limit(pid: i32, name: &str, value: &str) {
    let mut command = Command::new(tools::find("setpriv"));
    if geteuid().is_root() {
        command.args(["--reuid=www-data", "--regid=www-data", "--clear-groups"]);
    }
    command.arg(tools::find("prlimit")).args(["--pid", &pid.to_string(), &format!("--{name}={value}:")]);
    // The worker may have died meanwhile.
    let _ = command.stderr(std::process::Stdio::null()).status().expect("run setpriv");
}

/// The ports of the clients whose connections to the server's `port` a process holds.
pub fn clients_of(pid: i32, port: u16) -> BTreeSet<u16> {
    let held = socket_inodes(pid);
    established(port).into_iter().filter(|socket| held.contains(&socket.inode.into())).map(|s| s.peer).collect()
}

/// Bytes that the server's established connections on `port` have received and not read.
pub fn unread_bytes(port: u16) -> u64 {
    established(port).iter().map(|socket| u64::from(socket.waiting)).sum()
}

/// Connections that wait at the sockets of a TCP port to be accepted; `None`: the kernel doesn't say.
pub fn backlog(port: u16) -> Option<u32> {
    let listening = Diagnostics::open().ok()?.listening(port).ok()?;
    Some(listening.iter().map(|socket| socket.waiting).sum())
}

/// Inodes of the sockets that listen on a TCP port, IPv4 and IPv6.
pub fn listening_inodes(port: u16) -> BTreeSet<u64> {
    let listening = diagnostics().listening(port).expect("the sockets that listen");
    listening.iter().map(|socket| u64::from(socket.inode)).collect()
}

/// Inodes of the established connections on the server's `port`, those of the clients aside.
pub fn connected_inodes(port: u16) -> BTreeSet<u64> {
    established(port).iter().map(|socket| u64::from(socket.inode)).collect()
}

fn diagnostics() -> Diagnostics {
    Diagnostics::open().expect("a netlink socket")
}

fn established(port: u16) -> Vec<TcpSocket> {
    diagnostics().established(port).expect("the established connections")
}

/// For each of `pids`: how many established connections on the server's `port` it holds.
pub fn connections(pids: &[i32], port: u16) -> BTreeMap<i32, usize> {
    let served = connected_inodes(port);
    pids.iter().map(|pid| (*pid, socket_inodes(*pid).intersection(&served).count())).collect()
}

/// Which of `pids` holds the connection between the server's `port` and the client's.
pub fn holder(pids: &[i32], port: u16, client: u16) -> Option<i32> {
    let served = established(port).into_iter().find(|socket| socket.peer == client)?;
    pids.iter().copied().find(|pid| socket_inodes(*pid).contains(&served.inode.into()))
}

/// An entry of an epoll set, from /proc/PID/fdinfo.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    pub inode: u64,
    pub events: u32,
}

impl Watch {
    pub fn is_exclusive(&self) -> bool {
        self.events & (1 << 28) != 0
    }

    pub fn is_edge_triggered(&self) -> bool {
        self.events & (1 << 31) != 0
    }
}

/// Everything a process has in its epoll sets.
pub fn watches(pid: i32) -> Vec<Watch> {
    let epolls = descriptors(pid).into_iter().filter(|(_, target)| target.contains("[eventpoll]"));
    epolls.flat_map(|(fd, _)| watches_of(pid, &fd)).collect()
}

/// Which of `pids` have a listening socket of `port` in their epoll set.
pub fn who_watches_port(pids: &[i32], port: u16) -> Vec<i32> {
    let listening = listening_inodes(port);
    let watches_it = |pid: &i32| watches(*pid).iter().any(|w| listening.contains(&w.inode));
    pids.iter().copied().filter(watches_it).collect()
}

/// How a process sleeps, and for what: for the message of a test that has failed.
pub fn what_it_waits_for(pid: i32) -> String {
    let state = stat(pid).map_or('-', |stat| stat.state);
    let wchan = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    let watched: BTreeSet<u64> = watches(pid).into_iter().map(|watch| watch.inode).collect();
    let unwatched: Vec<u64> = socket_inodes(pid).difference(&watched).copied().take(20).collect();
    format!("process {pid} is {state} in {wchan}, watches {}, and not the sockets {unwatched:?}", watched.len())
}

fn watches_of(pid: i32, fd: &str) -> Vec<Watch> {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap_or_default();
    info.lines().filter(|line| line.starts_with("tfd:")).filter_map(watch).collect()
}

/// `tfd:        7 events: 10002001 data: 100000007  pos:0 ino:2d3f sdev:9`, numbers after the first in hex.
fn watch(line: &str) -> Option<Watch> {
    let events = line.split("events:").nth(1)?.split_whitespace().next()?;
    let inode = line.split("ino:").nth(1)?.split_whitespace().next()?;
    Some(Watch { inode: u64::from_str_radix(inode, 16).ok()?, events: u32::from_str_radix(events, 16).ok()? })
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").expect("read /proc").flatten();
    entries.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
}

struct Stat {
    state: char,
    parent: i32,
    group: i32,
    ticks: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also blanks and parentheses.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = fields[11..15].iter().filter_map(|f| f.parse::<u64>().ok()).sum();
    Some(Stat {
        state: fields[0].chars().next()?,
        parent: fields[1].parse().ok()?,
        group: fields[2].parse().ok()?,
        ticks,
    })
}

fn descriptors(pid: i32) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let target = |entry: fs::DirEntry| {
        let link = fs::read_link(entry.path()).ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), link.to_string_lossy().into_owned()))
    };
    entries.flatten().filter_map(target).collect()
}

fn inode_in(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
