//! The answer to a refused call: the kernel sends SIGSYS to the thread that made it, whose handler logs the call and
//! lets it fail with EPERM.

use std::io::{self, Write};
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use syscalls::Sysno;

use crate::os::time::LocalTime;
use crate::os::{Interest, poll, process};

/// Whether the handler knows the registers of this machine.
pub(super) const CAN_BE_ANSWERED: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// `si_code` of a call that a filter has refused (asm-generic/siginfo.h).
const SYS_SECCOMP: libc::c_int = 1;

/// The descriptor of the log.
static LOG: AtomicI32 = AtomicI32::new(libc::STDERR_FILENO);
/// A bit for each number that has its line.
static LOGGED: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

/// `siginfo_t` of SIGSYS, of which the C library shows the first fields only (asm-generic/siginfo.h).
#[repr(C)]
struct Info {
    signal: libc::c_int,
    errno: libc::c_int,
    code: libc::c_int,
    address: *const libc::c_void,
    call: libc::c_int,
    machine: libc::c_uint,
}

/// Has refused calls logged to `log` from now on, which must stay open.
pub(super) fn log_to(log: RawFd) -> io::Result<()> {
    LOG.store(log, Ordering::Relaxed);
    let action =
        SigAction::new(SigHandler::SigAction(on_refused), SaFlags::SA_SIGINFO | SaFlags::SA_ONSTACK, SigSet::empty());
    // SAFETY: the signal comes in the place of a call, at which no code of this program holds a lock that the handler
    // takes: it allocates nothing, and the C library's lock of the time zone is held for calls only while that is read
    // for the first time, in the master. One that a process has sent is left alone.
    unsafe { sigaction(Signal::SIGSYS, &action) }?;
    Ok(())
}

extern "C" fn on_refused(_: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes both, for the time of the call; the fields behind `code` are read only
    // where they are those of SIGSYS.
    let (code, call) = unsafe {
        let info = info.cast::<Info>();
        let code = (*info).code;
        (code, if code == SYS_SECCOMP { (*info).call } else { -1 })
    };
    if code != SYS_SECCOMP {
        return;
    }
    if is_new(call) {
        write_line(call);
    }
    // SAFETY: the context is that of the refused call, to which the handler returns.
    unsafe { set_result(context.cast(), -libc::EPERM) };
}

/// Whether the number has no line of this process yet.
fn is_new(call: libc::c_int) -> bool {
    let call = call as usize % (LOGGED.len() * 64);
    let bit = 1 << (call % 64);
    LOGGED.get(call / 64).is_some_and(|word| word.fetch_or(bit, Ordering::Relaxed) & bit == 0)
}

/// Writes the line, unless that would wait for a reader.
fn write_line(call: libc::c_int) {
    let mut line = [0; 160];
    let mut left = &mut line[..];
    let name = Sysno::new(call as usize).map_or("unknown", |call| call.name());
    let (now, pid, thread) = (LocalTime::now(), process::id(), process::thread_id());
    let thread = if thread == pid { 0 } else { thread };
    let written = writeln!(left, "{now} [alert] {pid}#{thread}: sandbox: system call {name} ({call}) is not allowed");
    let len = left.len();
    // SAFETY: the logs outlive the process's work, and they keep their numbers when they are opened again.
    let log = unsafe { BorrowedFd::borrow_raw(LOG.load(Ordering::Relaxed)) };
    let is_ready = poll([Some((log, Interest::WRITE))], Some(0)).is_ok_and(|[ready]| !ready.is_empty());
    if written.is_ok() && is_ready {
        // An error has no place left to be said.
        let _ = nix::unistd::write(log, line.get(..line.len() - len).unwrap_or_default());
    }
}

/// Gives the call that was refused this result: an error, below 0.
#[cfg(target_arch = "x86_64")]
unsafe fn set_result(context: *mut libc::ucontext_t, result: libc::c_int) {
    // SAFETY: the caller's.
    unsafe { (*context).uc_mcontext.gregs[libc::REG_RAX as usize] = result.into() };
}

#[cfg(target_arch = "aarch64")]
unsafe fn set_result(context: *mut libc::ucontext_t, result: libc::c_int) {
    // SAFETY: the caller's.
    unsafe { (*context).uc_mcontext.regs[0] = i64::from(result) as u64 };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn set_result(_: *mut libc::ucontext_t, _: libc::c_int) {}
