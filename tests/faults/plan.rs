//! The faults that are tried: which calls fail with which errors, and how many of them a run takes.

use std::collections::BTreeMap;

use crate::strace::{Call, Fault, calls, counts};

/// The errors of calls that a shortage or a signal may cause, from their manual pages. EINTR only where the server,
/// which has no handler of signals, may see it: after SIGSTOP and SIGCONT (signal(7)). No munmap: its error is a leak.
const ERRORS: &[(&[&str], &[&str])] = &[
    (&["mmap", "mprotect", "mremap", "brk"], &["ENOMEM"]),
    (&["clone", "clone3", "fork", "vfork"], &["EAGAIN", "ENOMEM"]),
    (&["open", "openat", "openat2"], &["EMFILE", "ENFILE", "ENOMEM"]),
    (&["socket", "socketpair"], &["EMFILE", "ENFILE", "ENOBUFS"]),
    (&["accept4"], &["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"]),
    (&["epoll_create1", "eventfd2", "signalfd4", "timerfd_create", "memfd_create"], &["EMFILE", "ENFILE", "ENOMEM"]),
    (&["pipe2", "inotify_init1", "pidfd_open"], &["EMFILE", "ENFILE"]),
    (&["dup", "dup3", "fcntl"], &["EMFILE"]),
    (&["epoll_ctl"], &["ENOMEM", "ENOSPC"]),
    (&["epoll_wait", "epoll_pwait", "poll", "ppoll", "nanosleep", "clock_nanosleep"], &["EINTR"]),
    (&["write", "pwrite64", "writev", "ftruncate", "fallocate"], &["ENOSPC"]),
    (&["rename", "renameat", "renameat2", "link", "linkat", "mkdir", "mkdirat"], &["ENOSPC"]),
    (&["read", "pread64", "preadv2"], &["EIO"]),
    (&["sendto", "sendmsg", "recvmsg", "recvfrom", "sendfile"], &["ENOMEM"]),
    (&["stat", "lstat", "newfstatat", "statx", "getdents64", "readlink", "readlinkat", "getcwd"], &["ENOMEM"]),
    (&["bind", "listen", "connect", "getsockname"], &["ENOBUFS"]),
    (&["setsockopt"], &["ENOMEM"]),
    (&["setuid", "setgid", "setgroups", "setresuid", "setresgid"], &["EAGAIN"]),
    (&["seccomp", "prctl", "bpf", "landlock_create_ruleset", "landlock_add_rule"], &["ENOMEM"]),
];

/// The name and number of an error, for `errno` in a log line.
pub fn number(error: &str) -> i32 {
    use nix::errno::Errno::*;
    let known = [EINTR, EIO, EAGAIN, ENOMEM, ENFILE, EMFILE, ENOSPC, ENOBUFS];
    known.into_iter().find(|known| format!("{known:?}") == error).map_or(0, |known| known as i32)
}

/// Whether calls have failed with an error that the next process would meet as well (`worker::FATAL`).
pub fn is_fatal(injected: &[String]) -> bool {
    injected.iter().all(|line| !["ENFILE", "ENOMEM", "EAGAIN", "ENOBUFS", "ENOSPC"].iter().any(|e| line.contains(e)))
}

/// Faults by which something was found, and mended: name, error, and a part of the call's line.
pub type Found = (&'static str, &'static str, &'static str);

/// The faults of the calls in a report, behind the first `skipped` of each name: those that are `found`, and at most
/// `limit` others, spread evenly. `is_counted` chooses threads.
pub fn faults(
    text: &str,
    is_counted: impl Fn(i32) -> bool,
    skipped: &BTreeMap<String, usize>,
    found: &[Found],
    limit: usize,
) -> Vec<Fault> {
    let calls: Vec<Call> = calls(text).into_iter().filter(|call| is_counted(call.thread)).collect();
    let mut all = Vec::new();
    for (call, count) in &counts(&calls) {
        let first = skipped.get(call).unwrap_or(&0) + 1;
        let errors = ERRORS.iter().filter(|(calls, _)| calls.contains(&&**call)).flat_map(|(_, errors)| *errors);
        for error in errors {
            all.extend((first..=*count).map(|nth| Fault { call: call.clone(), error, nth }));
        }
    }
    match std::env::var("DROVER_FAULTS").as_deref() {
        Ok("all") => all,
        Ok(text) => all.into_iter().filter(|fault| fault.to_string().starts_with(text)).collect(),
        Err(_) => {
            let found = found.iter().map(|(name, error, part)| {
                let call = calls.iter().find(|call| call.name == *name && call.line.contains(part));
                let nth = call.unwrap_or_else(|| panic!("no {name} with {part:?} in\n{text}")).nth;
                Fault { call: (*name).to_owned(), error, nth }
            });
            found.chain(thinned(all, limit)).collect()
        }
    }
}

fn thinned(all: Vec<Fault>, limit: usize) -> Vec<Fault> {
    let (count, limit) = (all.len(), limit.min(all.len()));
    let is_taken = |i: usize| (i + 1) * limit / count > i * limit / count;
    all.into_iter().enumerate().filter(|(i, _)| is_taken(*i)).map(|(_, fault)| fault).collect()
}
