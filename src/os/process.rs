//! Processes: fork, reaping, daemonising, the next binary, CPUs.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, SysconfVar, dup2_stdin, dup2_stdout, setsid, sysconf};

use super::socket::int_option;
use super::{Failure, Interest, poll, signals};

/// A process id, as the kernel's `pid_t`.
pub type Pid = i32;

/// Who returns from [`fork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The caller, with its child's id.
    Parent(Pid),
    /// The new process.
    Child,
}

/// fork(2). To be called by processes with one thread: in a child of several threads, locks that the other threads held
/// stay locked for good.
pub fn fork() -> io::Result<Fork> {
    // SAFETY: the child gets its own copy of every mapping and descriptor, so nothing is owned twice within one address
    // space. glibc makes the allocator usable in the child; other locks are free because the callers have one thread.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Fork::Parent(child.as_raw())),
        ForkResult::Child => Ok(Fork::Child),
    }
}

/// Ends this process without running destructors or exit handlers of the parent's, which a forked child must not run.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) takes an integer and never returns.
    unsafe { libc::_exit(code) }
}

/// Does `attempt` in a child, with which everything that it has changed ends, and returns what came of it. As for
/// [`fork`], the caller has one thread.
pub fn attempt_in_child(attempt: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let report = || match attempt() {
        Ok(()) => String::new(),
        Err(failure) => format!("{} {}", failure.error.raw_os_error().unwrap_or(0), failure.what),
    };
    match in_child(report, None)?.split_once(' ') {
        None => Ok(()),
        Some((error, what)) => {
            Err(Failure::new(what, io::Error::from_raw_os_error(error.parse().unwrap_or(libc::EIO))))
        }
    }
}

/// Does `work` in a child, with which everything that it has changed ends, and returns the text that comes of it. As
/// for [`fork`], the caller has one thread. A child that takes longer than `patience` is killed and not waited for: a
/// dead file system may keep it.
pub fn in_child(work: impl FnOnce() -> String, patience: Option<Duration>) -> Result<String, Failure> {
    let (mut result, mut report) = io::pipe().map_err(|e| Failure::new("pipe()", e))?;
    let pid = match fork().map_err(|e| Failure::new("fork()", e))? {
        Fork::Child => {
            let done = catch_unwind(AssertUnwindSafe(|| report.write_all(format!("{}\n", work()).as_bytes())));
            exit_now(i32::from(!matches!(done, Ok(Ok(())))))
        }
        Fork::Parent(pid) => nix::unistd::Pid::from_raw(pid),
    };
    drop(report);
    let read = read_within(&mut result, patience);
    if read.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::TimedOut) {
        // Fails only for a child that has just ended.
        let _ = kill(pid, Signal::SIGKILL);
    } else {
        while waitpid(pid, None) == Err(Errno::EINTR) {}
    }
    let text = read.map_err(|e| Failure::new("read() from a child", e))?;
    let died = || Failure::new("an attempt in a child", io::Error::other("the child died"));
    text.strip_suffix('\n').map(str::to_owned).ok_or_else(died)
}

/// All that comes until the end.
fn read_within(from: &mut io::PipeReader, patience: Option<Duration>) -> io::Result<String> {
    let end = patience.map(|patience| Instant::now() + patience);
    let (mut text, mut piece) = (Vec::new(), [0; 512]);
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()).as_millis() as u64);
        let [ready] = poll([Some((from.as_fd(), Interest::READ))], left)?;
        if ready.is_empty() && left == Some(0) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if ready.is_empty() {
            continue;
        }
        match from.read(&mut piece)? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            n => text.extend_from_slice(piece.get(..n).unwrap_or_default()),
        }
    }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// exit(3) with this code.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
}

/// Takes the status of one child that has ended, if there is one: never blocks. Call it until it returns `None`, since one
/// SIGCHLD may stand for many children.
pub fn reap() -> Option<(Pid, Exit)> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => return Some((pid.as_raw(), Exit::Code(code))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => return Some((pid.as_raw(), Exit::Signal(signal as i32))),
            Ok(WaitStatus::StillAlive) => return None,
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(_) => return None,
        }
    }
}

/// The children of the calling thread, dead ones that are not reaped among them; none where /proc does not tell.
pub fn children() -> Vec<Pid> {
    let list = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// True while a process of this id exists (a zombie counts, as for kill(2)), whoever owns it.
pub fn is_alive(pid: Pid) -> bool {
    pid > 0 && !matches!(nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None), Err(Errno::ESRCH))
}

/// When a process started, at most two seconds too early; `None` when there is none with this id, when it has ended and
/// only waits for its parent (a zombie), or where /proc doesn't tell.
pub fn started(pid: Pid) -> Option<SystemTime> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // proc_pid_stat(5): field 22, in clock ticks since the boot. The third follows the last ")".
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let ticks: u64 = fields.nth(22 - 4)?.parse().ok()?;
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|n| u64::try_from(n).ok())?;
    let all = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = all.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(UNIX_EPOCH + Duration::from_secs(boot + ticks.checked_div(per_second)?))
}

/// The name of the program that a process runs, as ps(1) shows it.
pub fn name_of(pid: Pid) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

/// This process's id.
pub fn id() -> Pid {
    nix::unistd::getpid().as_raw()
}

/// The parent's id.
pub fn parent_id() -> Pid {
    nix::unistd::getppid().as_raw()
}

/// True while a process of this id runs: a dead one that nobody reaps does not.
pub fn is_running(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    // The name in parentheses may hold anything.
    is_alive(pid) && !stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// The calling thread's id; equal to [`id`] in a process's first thread.
pub fn thread_id() -> Pid {
    nix::unistd::gettid().as_raw()
}

/// The process that a daemon was started as: it waits, so that a shell shows its prompt and a script goes on only when
/// the daemon serves.
#[derive(Debug)]
pub struct Caller(File);

impl Caller {
    /// Lets the process exit with 0, after it has shown `text` on its standard error. When the daemon ends without this
    /// call, the process exits with 1.
    pub fn release(mut self, text: &str) -> io::Result<()> {
        // A byte in front says that there is a text, however short.
        self.0.write_all(format!("\0{text}").as_bytes())
    }
}

/// Waits for what the daemon has to say, shows it, and returns the exit code.
fn wait_for_release(daemon: impl Into<File>) -> i32 {
    let mut said = Vec::new();
    // An error ends the wait as the daemon's death does.
    let _ = daemon.into().read_to_end(&mut said);
    let Some((_, text)) = said.split_first() else { return 1 };
    // A closed standard error is nobody's problem.
    let _ = io::stderr().write_all(text);
    0
}

/// Leaves the terminal as ngx_daemon() does: the child leads a session of its own, has no umask and reads and writes
/// /dev/null. Standard error stays: `error_log stderr` may need it. The caller's process never returns from here: see
/// [`Caller`]. The child gets the signals that wait for that process: whoever has sent them knows no other.
pub fn daemonise() -> io::Result<Caller> {
    let (daemon, caller) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    if let Fork::Parent(child) = fork()? {
        drop(caller);
        let code = wait_for_release(daemon);
        exit_now(code | i32::from(signals::pass_on(child).is_err()));
    }
    setsid()?;
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok(Caller(caller.into()))
}

/// Makes standard error go where `to` goes.
pub fn redirect_stderr(to: impl AsFd) -> io::Result<()> {
    Ok(nix::unistd::dup2_stderr(to)?)
}

/// Makes standard error go to /dev/null where it is a terminal.
pub fn leave_terminal() -> io::Result<()> {
    if !io::stderr().is_terminal() {
        return Ok(());
    }
    redirect_stderr(File::options().write(true).open("/dev/null")?)
}

/// True when this process can be reached from a terminal's keyboard and window.
pub fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Makes `fd` stand for what `new` refers to, in one step: a write by any thread goes to the old or to the new file, never
/// to neither. Takes a shared reference because the number, which is what `fd` owns, does not change.
pub fn replace_fd(fd: &OwnedFd, new: OwnedFd) -> io::Result<()> {
    loop {
        // SAFETY: both numbers are owned by the two arguments; dup3 closes what `fd` referred to and `fd` owns the duplicate.
        match Errno::result(unsafe { libc::dup3(new.as_raw_fd(), fd.as_raw_fd(), libc::O_CLOEXEC) }) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR | Errno::EBUSY) => continue,
            Err(e) => return Err(e.into()),
        }
    }
}

/// This process's standard output or error, with close-on-exec: opened once more where that is possible, so that it can be
/// non-blocking for us alone; else a duplicate, because a socket can't be opened, nor a pipe of another user.
pub fn duplicate_std(number: StdStream) -> io::Result<OwnedFd> {
    let (fd, path) = match number {
        StdStream::Output => (io::stdout().as_fd().try_clone_to_owned()?, c"/proc/self/fd/1"),
        StdStream::Error => (io::stderr().as_fd().try_clone_to_owned()?, c"/proc/self/fd/2"),
    };
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    Ok(nix::fcntl::open(path, flags, Mode::empty()).unwrap_or(fd))
}

/// Standard output or standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdStream {
    /// Descriptor 1.
    Output,
    /// Descriptor 2.
    Error,
}

/// Whether another program has left a listening stream socket open for this one under this number.
pub fn is_listening_socket(number: i32) -> bool {
    if number < 3 {
        return false;
    }
    // SAFETY: borrowed for these two calls only, which fail with EBADF when the number isn't open.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    let is = |option, value: fn(libc::c_int) -> bool| int_option(&fd, libc::SOL_SOCKET, option).is_ok_and(value);
    is(libc::SO_TYPE, |kind| kind == libc::SOCK_STREAM) && is(libc::SO_ACCEPTCONN, |on| on != 0)
}

/// Takes ownership of a descriptor that another program left open for this one (systemd's LISTEN_FDS, an old binary's list). An
/// error when it isn't open. Sets close-on-exec. Each number may be taken once: a number that this program opened itself
/// is refused by the caller, who knows the numbers only from the environment at its start.
pub fn take_inherited_fd(number: i32) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    use std::sync::Mutex;
    static TAKEN: Mutex<Vec<i32>> = Mutex::new(Vec::new());

    let mut taken = TAKEN.lock().unwrap_or_else(|e| e.into_inner());
    if number < 3 || taken.contains(&number) {
        return Err(io::Error::from(Errno::EBADF));
    }
    // SAFETY: borrowed for these two calls only, which fail with EBADF when the number isn't open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(borrowed, FcntlArg::F_GETFD)?;
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    taken.push(number);
    // SAFETY: it is open, came from the environment's list, and is handed out once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Starts another program as a child that inherits `keep` under the same numbers, with signals unblocked and at their
/// defaults (std's Command sees to that), and `env` added to this process's environment. For the binary upgrade.
pub fn spawn_inheriting(
    program: &Path,
    args: &[OsString],
    env: &[(&str, OsString)],
    keep: &[BorrowedFd<'_>],
) -> io::Result<Pid> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if let Some((name, rest)) = args.split_first() {
        command.arg0(name).args(rest);
    }
    command.envs(env.iter().map(|(k, v)| (OsStr::new(k), v)));
    let numbers: Vec<i32> = keep.iter().map(|fd| fd.as_raw_fd()).collect();
    // In the child alone, so that nothing else that this process starts meanwhile gets them.
    let keep_open = move || {
        numbers.iter().try_for_each(|&number| {
            // SAFETY: the child has copies of all descriptors, and its parent keeps these borrowed until the exec.
            let fd = unsafe { BorrowedFd::borrow_raw(number) };
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).map(drop).map_err(io::Error::from)
        })
    };
    // SAFETY: fcntl(2) is async-signal-safe, and nothing is allocated between the fork and the exec.
    unsafe { command.pre_exec(keep_open) };
    // The handle neither kills nor waits when dropped: the child is reaped with the others.
    Ok(command.spawn()?.id() as Pid)
}

/// The program this process runs, to be started again. Linux appends " (deleted)" when the file was replaced: the new one
/// at that path is what an upgrade wants.
pub fn executable() -> io::Result<PathBuf> {
    let path = fs::read_link("/proc/self/exe")?;
    Ok(match path.to_str().and_then(|s| s.strip_suffix(" (deleted)")) {
        Some(stripped) => PathBuf::from(stripped),
        None => path,
    })
}

/// The CPUs this process may run on, ascending.
pub fn cpus() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(nix::unistd::Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect())
}

/// Binds the calling thread to `cpus`; EINVAL when none of them exists.
pub fn set_cpus(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu)?;
    }
    Ok(sched_setaffinity(nix::unistd::Pid::from_raw(0), &set)?)
}

/// How many CPUs' worth of time this process can get: the affinity mask, and the quota of its control groups (v1 and v2)
/// rounded up. At least 1. For `worker_processes auto`.
pub fn usable_cpus() -> usize {
    let count = cpus().map_or(1, |c| c.len());
    let quota = cgroup_quota(Path::new("/proc/self/cgroup"), Path::new("/proc/self/mountinfo"));
    quota.map_or(count, |q| count.min(q.ceil() as usize)).max(1)
}

/// The least quota, in CPUs, of the process's control group and the groups above it.
fn cgroup_quota(cgroup: &Path, mountinfo: &Path) -> Option<f64> {
    let groups = fs::read_to_string(cgroup).ok()?;
    let mounts = fs::read_to_string(mountinfo).ok()?;
    let mut least: Option<f64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(group)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let v2 = controllers.is_empty();
        if !v2 && !controllers.split(',').any(|c| c == "cpu") {
            continue;
        }
        let Some((root, mount)) = cgroup_mount(&mounts, v2) else { continue };
        // In a container the mount shows a part of the tree: the group's name is relative to that part's root.
        let below = Path::new(group).strip_prefix(&root).unwrap_or(Path::new("")).to_owned();
        let full = mount.join(below);
        for dir in full.ancestors().take_while(|d| d.starts_with(&mount)) {
            let quota = if v2 { quota_v2(dir) } else { quota_v1(dir) };
            least = [least, quota].into_iter().flatten().reduce(f64::min);
        }
    }
    least
}

/// Root within the hierarchy, and mount point, of the cgroup file system that has the cpu controller (proc_pid_mountinfo(5)).
fn cgroup_mount(mountinfo: &str, v2: bool) -> Option<(PathBuf, PathBuf)> {
    mountinfo.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let (kind, options) = (right.next()?, right.nth(1)?);
        let wanted = if v2 { kind == "cgroup2" } else { kind == "cgroup" && options.split(',').any(|o| o == "cpu") };
        wanted.then(|| (PathBuf::from(root), PathBuf::from(point)))
    })
}

/// `cpu.max`: "QUOTA PERIOD" in microseconds, or "max PERIOD".
fn quota_v2(dir: &Path) -> Option<f64> {
    let text = fs::read_to_string(dir.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    ratio(quota.parse().ok()?, period.parse().ok()?)
}

/// `cpu.cfs_quota_us`, -1 when there is none, and `cpu.cfs_period_us`.
fn quota_v1(dir: &Path) -> Option<f64> {
    let number = |file: &str| fs::read_to_string(dir.join(file)).ok()?.trim().parse::<i64>().ok();
    ratio(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
}

fn ratio(quota: i64, period: i64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// Makes this process the parent of whoever is orphaned among its descendants.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// The name of this machine; empty if the kernel does not tell.
pub fn hostname() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::signals::{Signal, Signals};

    fn files(list: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in list {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("DIR", dir.path().to_str().unwrap())).unwrap();
        }
        dir
    }

    fn quota(list: &[(&str, &str)]) -> Option<f64> {
        let dir = files(list);
        cgroup_quota(&dir.path().join("cgroup"), &dir.path().join("mountinfo"))
    }

    #[test]
    fn a_process_that_waits_for_its_parent_has_ended() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id() as Pid;
        assert!(started(pid).is_some());
        drop(child.stdin.take());
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while started(pid).is_some() {
            assert!(std::time::Instant::now() < until, "it has not been reaped, but it has ended");
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }

    #[test]
    fn quota_of_v2_is_the_least_up_the_tree() {
        let mountinfo = "35 25 0:30 / DIR/fs rw,nosuid - cgroup2 cgroup2 rw\n";
        let base = [("cgroup", "0::/a/b\n"), ("mountinfo", mountinfo)];
        let with = |inner, outer| {
            let mut list = base.to_vec();
            list.extend([("fs/a/b/cpu.max", inner), ("fs/a/cpu.max", outer)]);
            quota(&list)
        };
        assert_eq!(with("max 100000\n", "max 100000\n"), None);
        assert_eq!(with("max 100000\n", "250000 100000\n"), Some(2.5));
        assert_eq!(with("50000 100000\n", "250000 100000\n"), Some(0.5));
        assert_eq!(with("garbage\n", "\n"), None);
    }

    #[test]
    fn quota_of_v1_and_of_a_container_that_sees_a_part_of_the_tree() {
        let list = [
            ("cgroup", "5:devices:/x\n3:cpu,cpuacct:/docker/abc\n0::/\n"),
            ("mountinfo", "31 23 0:28 /docker/abc DIR/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"),
            ("cpu/cpu.cfs_quota_us", "150000\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota(&list), Some(1.5));
        let mut unlimited = list;
        unlimited[2].1 = "-1\n";
        assert_eq!(quota(&unlimited), None);
    }

    #[test]
    fn usable_cpus_is_within_the_affinity_mask() {
        let usable = usable_cpus();
        assert!(usable >= 1 && usable <= cpus().unwrap().len());
    }

    #[test]
    fn replaced_descriptor_keeps_its_number_and_writes_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let fd = OwnedFd::from(File::create(dir.path().join("a")).unwrap());
        let number = fd.as_raw_fd();
        let b = OwnedFd::from(File::create(dir.path().join("b")).unwrap());
        replace_fd(&fd, b).unwrap();
        assert_eq!(fd.as_raw_fd(), number);
        File::from(fd).write_all(b"x").unwrap();
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"");
        assert_eq!(fs::read(dir.path().join("b")).unwrap(), b"x");
    }

    #[test]
    fn inherited_descriptors_are_taken_once_and_only_when_open() {
        assert!(take_inherited_fd(2).is_err());
        assert!(take_inherited_fd(1_000_000).is_err());
        let (read, mut write) = io::pipe().unwrap();
        // A number of its own: others may be taken already by tests of this process.
        let number = fcntl(&read, FcntlArg::F_DUPFD(500)).unwrap();
        drop(read);
        let taken = take_inherited_fd(number).unwrap();
        assert!(take_inherited_fd(number).is_err());
        write.write_all(b"hi").unwrap();
        drop(write);
        let mut text = String::new();
        File::from(taken).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hi");
    }

    #[test]
    fn a_daemon_gets_the_signals_that_its_caller_had_not_read() {
        let (mut read, mut write) = io::pipe().unwrap();
        match fork().unwrap() {
            Fork::Child => {
                let heard = signals::block()
                    .and_then(|_| signals::send(id(), Signal::SIGTERM))
                    .and_then(|()| daemonise())
                    .and_then(|caller| {
                        caller.release("")?;
                        let signals = Signals::open()?;
                        signals.wait(Some(Duration::from_secs(10)))?;
                        signals.next()
                    });
                let heard = heard.is_ok_and(|received| received.is_some_and(|r| r.signal == Signal::SIGTERM));
                exit_now(i32::from(write.write_all(&[u8::from(heard)]).is_err()));
            }
            Fork::Parent(pid) => waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap(),
        };
        drop(write);
        let mut heard = Vec::new();
        read.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, [1]);
    }

    #[test]
    fn an_attempt_changes_nothing_here_and_tells_what_failed() {
        let before = std::env::current_dir().unwrap();
        let chdir = |path: &'static str| {
            attempt_in_child(move || {
                std::env::set_current_dir(path).map_err(|e| Failure::new(format!("chdir({path})"), e))
            })
        };
        chdir("/").unwrap();
        assert_eq!(std::env::current_dir().unwrap(), before);
        assert_eq!(chdir("/no such").unwrap_err().to_string(), "chdir(/no such) failed (2: No such file or directory)");
        let died = attempt_in_child(|| exit_now(0)).unwrap_err();
        assert_eq!(died.to_string(), "an attempt in a child failed (the child died)");
    }

    #[test]
    fn a_child_that_hangs_is_not_waited_for() {
        assert_eq!(in_child(|| "two\nlines".to_owned(), Some(Duration::from_secs(60))).unwrap(), "two\nlines");
        let pause = || {
            std::thread::sleep(Duration::from_secs(600));
            String::new()
        };
        let failure = in_child(pause, Some(Duration::from_millis(10))).unwrap_err();
        assert_eq!(failure.error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn spawned_program_sees_the_kept_descriptor_and_this_process_keeps_close_on_exec() {
        let (mut read, write) = io::pipe().unwrap();
        // By path: dash knows no descriptors of two digits.
        let script = format!("echo $GREETING > /proc/self/fd/{}", write.as_raw_fd());
        let args = ["sh".into(), "-c".into(), OsString::from(script)];
        let env = [("GREETING", OsString::from("hello"))];
        let pid = spawn_inheriting(Path::new("/bin/sh"), &args, &env, &[write.as_fd()]).unwrap();
        assert_eq!(fcntl(&write, FcntlArg::F_GETFD).unwrap(), FdFlag::FD_CLOEXEC.bits());
        drop(write);
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello\n");
        waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
        assert!(!is_alive(pid));
    }
}
