//! Confines a process to the system calls that it is there for (seccomp(2)), whatever a hole in it would have it call.
//!
//! `calls` has the list, with the reason of each group. A call that is not on it fails with EPERM, and has a line in
//! the error log, once for each number and process (`refused`). The process lives on: a call that the list has missed
//! costs that call and not the service, and an intruder gets nothing either way. The process dies of a call by another
//! machine's rules (x32, i386), which no library of its own makes, and of one that is refused while the C library has
//! all signals blocked.

mod calls;
mod refused;

pub use calls::ExtraCalls;

use std::io;
use std::os::fd::RawFd;

use nix::errno::Errno;
use seccompiler::{SeccompAction, SeccompFilter, TargetArch};

use super::retry;

/// The bit that numbers of x32 have (arch/x86/include/uapi/asm/unistd.h).
const X32: u32 = 0x4000_0000;

/// The rules of a process, which do not count before [`CallFilter::enter`].
#[derive(Debug)]
pub struct CallFilter(Vec<libc::sock_filter>);

impl CallFilter {
    /// Rules that leave the calls of every process, and `extra`. Error: `Unsupported` on a kind of machine whose
    /// numbers and registers are not known here.
    pub fn prepare(extra: ExtraCalls) -> io::Result<CallFilter> {
        let unsupported = |_| io::Error::from(io::ErrorKind::Unsupported);
        let machine: TargetArch = std::env::consts::ARCH.try_into().map_err(unsupported)?;
        if !refused::CAN_BE_ANSWERED {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let rules = calls::rules(extra).map_err(io::Error::other)?;
        let filter = SeccompFilter::new(rules, SeccompAction::Trap, SeccompAction::Allow, machine);
        let program: seccompiler::BpfProgram = filter.and_then(TryInto::try_into).map_err(io::Error::other)?;
        let steps = program.iter().map(|s| libc::sock_filter { code: s.code, jt: s.jt, jf: s.jf, k: s.k });
        Ok(CallFilter(prelude().into_iter().chain(steps).collect()))
    }

    /// Confines this thread, and all that it will start, for good. `log`: the descriptor that lines about refused calls
    /// are written to. To be called with one thread, which can't get new privileges. Error: `Unsupported` where the
    /// kernel has no filters, or a filter around this process lets it have none.
    pub fn enter(mut self, log: RawFd) -> io::Result<()> {
        refused::log_to(log)?;
        let program = libc::sock_fprog { len: self.0.len() as u16, filter: self.0.as_mut_ptr() };
        // A filter around this one, as that of a systemd unit, may end a process for seccomp(2); prctl(2) it allows.
        let entered = if has_filter() { set_filter(&program) } else { add_filter(&program) };
        entered.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EINVAL | Errno::ENOSYS | Errno::EPERM | Errno::EACCES) => io::ErrorKind::Unsupported.into(),
            _ => error,
        })
    }
}

/// Whether this process has a filter already.
fn has_filter() -> bool {
    // SAFETY: the option takes no argument.
    unsafe { libc::prctl(libc::PR_GET_SECCOMP) != 0 }
}

/// Adds a filter by seccomp(2). Kernels before 5.16 slow down all code of a process with a filter by measures against
/// Spectre, which are for programs that run the code of others; a flag leaves them out.
fn add_filter(program: &libc::sock_fprog) -> io::Result<()> {
    let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW);
    // SAFETY: the kernel copies the program, which is borrowed for the call.
    let added = retry(|| unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const *program) });
    // Linux 4.16 knows no such flag.
    added.map(drop).or_else(|_| set_filter(program))
}

/// Adds a filter by prctl(2), which takes no flags.
fn set_filter(program: &libc::sock_fprog) -> io::Result<()> {
    let mode = libc::c_ulong::from(libc::SECCOMP_MODE_FILTER);
    // SAFETY: as in `add_filter`.
    retry(|| unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const *program) }).map(drop)
}

/// The number that a tracer gives a call which it keeps from being made: strace(1) does so to let calls fail. No call
/// has this number, so that the kernel answers ENOSYS where there is no tracer.
const NO_CALL: u32 = u32::MAX;

/// The steps in front of the list: the process dies of a call of x32, and clone3(2) is not there, so that the C library
/// falls back on clone(2), whose flags a filter can see.
fn prelude() -> [libc::sock_filter; 7] {
    let step = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let (jump, exit) = (libc::BPF_JMP | libc::BPF_K, libc::BPF_RET | libc::BPF_K);
    [
        // The number is the first word of `struct seccomp_data`.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(jump | libc::BPF_JEQ, 0, 1, NO_CALL),
        step(exit, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(jump | libc::BPF_JGE, 0, 1, X32),
        step(exit, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        step(jump | libc::BPF_JEQ, 0, 1, libc::SYS_clone3 as u32),
        step(exit, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
    ]
}

#[cfg(test)]
mod tests;
