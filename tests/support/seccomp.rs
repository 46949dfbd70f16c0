//! System calls that the kernel refuses: an older one, or one that was built without them.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Which calls are refused: number `call`, when of its argument number `argument` the bits in `mask` are `value`.
#[derive(Clone, Copy)]
pub struct Refusal {
    pub call: libc::c_long,
    pub argument: u32,
    pub mask: u32,
    pub value: u32,
    /// The error that the program gets; 0: the signal SYS, which ends it.
    pub error: i32,
}

impl Refusal {
    /// seccomp(2): a program over `struct seccomp_data`, in which the number is at 0 and the arguments follow from 16
    /// on.
    fn program(self) -> [libc::sock_filter; 7] {
        let step = |code: u32, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf, k };
        let low_half = if cfg!(target_endian = "big") { 4 } else { 0 };
        let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
        let refusal = match self.error {
            0 => libc::SECCOMP_RET_KILL_PROCESS,
            error => libc::SECCOMP_RET_ERRNO | error as u32,
        };
        let is_equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        [
            step(load, 0, 0),
            step(is_equal, 4, self.call as u32),
            step(load, 0, 16 + 8 * self.argument + low_half),
            step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, self.mask),
            step(is_equal, 1, self.value),
            step(libc::BPF_RET | libc::BPF_K, 0, refusal),
            step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
        ]
    }
}

/// Lets the kernel refuse these calls to the program that `command` starts.
pub fn refuse(command: &mut Command, refusal: Refusal) {
    let mut steps = refusal.program();
    let install = move || {
        let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
        // SAFETY: prctl(2) reads the program, which outlives the calls; both calls are async-signal-safe.
        let installed = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
        };
        if installed { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: nothing is allocated between the fork and the exec.
    unsafe { command.pre_exec(install) };
}
