//! The system calls of the processes that touch clients: drover's own, and those of the C library (glibc, musl) and of
//! Rust's for it. Everything that opens a way elsewhere is absent: programs (execve), sockets (socket, connect, bind),
//! names in the file system (rename, unlink, mkdir, chmod, mount), other processes (ptrace, pidfd_getfd, process_vm_*),
//! kernel interfaces (bpf, io_uring, perf_event_open, keyctl, userfaultfd), namespaces, users. The master, which needs
//! some of these, has no filter.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{BackendError, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

bitflags::bitflags! {
    /// The calls that only some processes make.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ExtraCalls: u8 {
        /// To fork, to signal the children, and to learn of their ends.
        const FORK = 1;
        /// To take descriptors that another process passes.
        const TAKE_DESCRIPTORS = 2;
    }
}

/// The arguments that a call may have.
enum Args {
    /// Any.
    Any,
    /// Argument `.0` is one of these.
    OneOf(u8, &'static [u64]),
    /// The bits `.1` of argument `.0` are `.2`.
    Bits(u8, u64, u64),
}

use Args::{Any, Bits, OneOf};

type Call = (c_long, Args);

/// `PROT_EXEC`, at argument 2: no memory of data becomes code. PCRE2 compiles nothing to code here (`os::pcre`).
const NO_CODE: Args = Bits(2, libc::PROT_EXEC as u64, 0);

/// The allocators' memory, threads' stacks, memory that processes share, files that are mapped.
const MEMORY: &[Call] = &[
    (libc::SYS_brk, Any),
    (libc::SYS_mmap, NO_CODE),
    (libc::SYS_mprotect, NO_CODE),
    (libc::SYS_munmap, Any),
    (libc::SYS_mremap, Any),
    (libc::SYS_madvise, Any),
    (libc::SYS_memfd_create, Any),
];

/// Clocks where the vDSO has none, and pauses.
const TIME: &[Call] = &[
    (libc::SYS_clock_gettime, Any),
    (libc::SYS_gettimeofday, Any),
    (libc::SYS_clock_nanosleep, Any),
    (libc::SYS_nanosleep, Any),
    (libc::SYS_restart_syscall, Any),
];

/// Files of the site, log files (which are made again after a rotation), the time zone, /proc, random numbers. Which
/// files there are, user and Landlock say.
const FILES: &[Call] = &[
    (libc::SYS_openat, Any),
    (libc::SYS_openat2, Any),
    (libc::SYS_close, Any),
    (libc::SYS_read, Any),
    (libc::SYS_readv, Any),
    (libc::SYS_pread64, Any),
    (libc::SYS_preadv2, Any),
    (libc::SYS_write, Any),
    (libc::SYS_writev, Any),
    (libc::SYS_pwrite64, Any),
    (libc::SYS_lseek, Any),
    (libc::SYS_ftruncate, Any),
    (libc::SYS_fstat, Any),
    (libc::SYS_newfstatat, Any),
    (libc::SYS_statx, Any),
    (libc::SYS_fstatfs, Any),
    (libc::SYS_faccessat, Any),
    (libc::SYS_faccessat2, Any),
    (libc::SYS_readlinkat, Any),
    (libc::SYS_getcwd, Any),
    (libc::SYS_getdents64, Any),
    (libc::SYS_dup, Any),
    (libc::SYS_dup3, Any),
    (libc::SYS_fcntl, OneOf(1, DESCRIPTOR_COMMANDS)),
    (libc::SYS_ioctl, OneOf(1, DEVICE_COMMANDS)),
    (libc::SYS_getrandom, Any),
];

/// Flags and duplicates of descriptors; no signals, no leases, no locks.
const DESCRIPTOR_COMMANDS: &[u64] = &[
    libc::F_GETFD as u64,
    libc::F_SETFD as u64,
    libc::F_GETFL as u64,
    libc::F_SETFL as u64,
    libc::F_DUPFD_CLOEXEC as u64,
];

/// Whether a socket blocks, and what it has not sent yet; whether a log is a terminal. Not TIOCSTI, by which a process
/// types into its terminal.
#[allow(clippy::unnecessary_cast, reason = "the numbers have another type in musl")]
const DEVICE_COMMANDS: &[u64] =
    &[libc::FIONBIO as u64, libc::FIOCLEX as u64, libc::TIOCOUTQ as u64, libc::TCGETS as u64, libc::TIOCGWINSZ as u64];

/// Connections that clients make, and the channels between processes. None is made here: the master has opened the
/// listening sockets and the one of syslog.
const SOCKETS: &[Call] = &[
    (libc::SYS_accept4, Any),
    (libc::SYS_recvfrom, Any),
    (libc::SYS_sendto, Any),
    (libc::SYS_sendmsg, Any),
    (libc::SYS_sendfile, Any),
    (libc::SYS_shutdown, Any),
    (libc::SYS_getsockopt, Any),
    (libc::SYS_setsockopt, Any),
    (libc::SYS_getsockname, Any),
    (libc::SYS_getpeername, Any),
];

/// The event loop, and waits of the models that block.
const EVENTS: &[Call] = &[
    (libc::SYS_epoll_create1, Any),
    (libc::SYS_epoll_ctl, Any),
    (libc::SYS_epoll_pwait, Any),
    (libc::SYS_epoll_pwait2, Any),
    (libc::SYS_ppoll, Any),
    (libc::SYS_eventfd2, Any),
    // polling's second choice, when there is no descriptor left for an eventfd.
    (libc::SYS_pipe2, Any),
    (libc::SYS_timerfd_create, Any),
    (libc::SYS_timerfd_settime, Any),
];

/// The master's commands, the alarm of an orphan, a handler's return.
const SIGNALS: &[Call] = &[
    (libc::SYS_signalfd4, Any),
    (libc::SYS_rt_sigaction, Any),
    (libc::SYS_rt_sigprocmask, Any),
    (libc::SYS_rt_sigreturn, Any),
    (libc::SYS_rt_sigpending, Any),
    (libc::SYS_sigaltstack, Any),
    (libc::SYS_setitimer, Any),
    // Whether a process lives, and the end of the master as a signal to oneself.
    (libc::SYS_kill, OneOf(1, &[0, libc::SIGIO as u64])),
    // abort(3).
    (libc::SYS_tgkill, OneOf(2, &[libc::SIGABRT as u64])),
    (libc::SYS_tkill, OneOf(1, &[libc::SIGABRT as u64])),
];

const ANY_NAMESPACE: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;
const A_THREAD: u64 = (libc::CLONE_VM | libc::CLONE_THREAD) as u64;

/// Threads of the models, of `aio`, and those that close files and hash contents; locks; the names of threads; the CPUs
/// and the memory that the allocators and sort functions ask for.
const THREADS: &[Call] = &[
    (libc::SYS_clone, Bits(0, ANY_NAMESPACE | A_THREAD, A_THREAD)),
    (libc::SYS_futex, Any),
    (libc::SYS_set_robust_list, Any),
    (libc::SYS_rseq, Any),
    (libc::SYS_set_tid_address, Any),
    (libc::SYS_membarrier, Any),
    (libc::SYS_sched_yield, Any),
    (libc::SYS_sched_getaffinity, Any),
    (libc::SYS_sysinfo, Any),
    (libc::SYS_prctl, OneOf(0, &[libc::PR_SET_NAME as u64, libc::PR_SET_PDEATHSIG as u64])),
    // Its own limits; those of another process of its user would have a pid.
    (libc::SYS_prlimit64, OneOf(0, &[0])),
    (libc::SYS_exit, Any),
    (libc::SYS_exit_group, Any),
];

/// Its own ids, and the life of the master and of others that hold a lock.
const IDS: &[Call] = &[
    (libc::SYS_getpid, Any),
    (libc::SYS_getppid, Any),
    (libc::SYS_gettid, Any),
    (libc::SYS_getuid, Any),
    (libc::SYS_geteuid, Any),
    (libc::SYS_getgid, Any),
    (libc::SYS_getegid, Any),
    (libc::SYS_pidfd_open, Any),
];

/// Names that older machines have, and that the C libraries still use there.
#[cfg(target_arch = "x86_64")]
const OLD_NAMES: &[Call] = &[
    (libc::SYS_open, Any),
    (libc::SYS_stat, Any),
    (libc::SYS_lstat, Any),
    (libc::SYS_access, Any),
    (libc::SYS_readlink, Any),
    (libc::SYS_dup2, Any),
    (libc::SYS_pipe, Any),
    (libc::SYS_poll, Any),
    (libc::SYS_epoll_wait, Any),
    (libc::SYS_alarm, Any),
    (libc::SYS_time, Any),
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_NAMES: &[Call] = &[];

/// [`ExtraCalls::FORK`]. The signals go to the children, and the children's own to themselves.
const FORK: &[Call] = &[
    (libc::SYS_clone, Bits(0, ANY_NAMESPACE | A_THREAD, 0)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_fork, Any),
    (libc::SYS_wait4, Any),
    (
        libc::SYS_kill,
        OneOf(1, &[libc::SIGUSR1 as u64, libc::SIGQUIT as u64, libc::SIGTERM as u64, libc::SIGKILL as u64]),
    ),
];

/// [`ExtraCalls::TAKE_DESCRIPTORS`].
const TAKE_DESCRIPTORS: &[Call] = &[(libc::SYS_recvmsg, Any)];

/// The rules for [`seccompiler`], by the numbers of the calls: a call may be made when one of its rules fits, and with
/// any arguments when it has none.
pub(super) fn rules(extra: ExtraCalls) -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let mut groups = vec![MEMORY, TIME, FILES, SOCKETS, EVENTS, SIGNALS, THREADS, IDS, OLD_NAMES];
    let of_some = [(ExtraCalls::FORK, FORK), (ExtraCalls::TAKE_DESCRIPTORS, TAKE_DESCRIPTORS)];
    groups.extend(of_some.iter().filter(|(which, _)| extra.contains(*which)).map(|(_, group)| *group));
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (number, args) in groups.into_iter().flatten() {
        rules.entry(number_of(*number)).or_default().extend(args.rules()?);
    }
    Ok(rules)
}

/// A number as `seccompiler` takes it, which differs from the C library's type on machines of 32 bits.
fn number_of(call: c_long) -> i64 {
    #[allow(clippy::useless_conversion)]
    i64::from(call)
}

impl Args {
    fn rules(&self) -> Result<Vec<SeccompRule>, BackendError> {
        // The kernel takes 32 bits of each of these arguments, whatever the others are.
        let rule = |argument, operator, value| {
            SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?])
        };
        match *self {
            Any => Ok(Vec::new()),
            OneOf(argument, values) => values.iter().map(|value| rule(argument, SeccompCmpOp::Eq, *value)).collect(),
            Bits(argument, mask, value) => Ok(vec![rule(argument, SeccompCmpOp::MaskedEq(mask), value)?]),
        }
    }
}
