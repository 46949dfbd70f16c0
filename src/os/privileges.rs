//! Powers that a process gives up for good, beside root's user id (`users.rs`).

use std::io;

use nix::errno::Errno;

use super::users::is_root;
use super::{Failure, retry};

/// The capabilities by which root reads and writes files whatever their modes say: what `user root` is chosen for.
/// capabilities(7): CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH.
const OVER_FILES: u64 = 1 << 1 | 1 << 2;

/// The version of the structs below that has 64 capabilities (linux/capability.h).
const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// The half of the sets that a struct holds: 32 capabilities each.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Empties the bounding set: no program that this process may start can have a capability. To be called while the
/// process is root. A process without CAP_SETPCAP keeps the set; [`give_up`] makes it worthless.
pub fn empty_bounding_set() {
    for capability in 0..64 {
        // Fails for numbers that this kernel doesn't have, and without CAP_SETPCAP.
        let _ = prctl(libc::PR_CAPBSET_DROP, capability);
    }
}

/// Gives up the capabilities of this thread, all but those over files where it is root's, and the means to get others:
/// no program can give any back (no_new_privs). To be called with one thread, once the process has its user.
pub fn give_up() -> Result<(), Failure> {
    let named = |call: &'static str| move |error: io::Error| Failure::new(call, error);
    match prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong) {
        // A kernel before 4.3 has no ambient set.
        Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => {}
        cleared => cleared.map_err(named("prctl(PR_CAP_AMBIENT)"))?,
    }
    keep_capabilities(if is_root() { OVER_FILES } else { 0 }).map_err(named("capset()"))?;
    nix::sys::prctl::set_no_new_privs().map_err(|e| Failure::new("prctl(PR_SET_NO_NEW_PRIVS)", e.into()))?;
    Ok(())
}

/// Hides the memory and the descriptors of this process from all processes but root's, its own user's among them.
pub fn hide_from_tracers() -> Result<(), Failure> {
    nix::sys::prctl::set_dumpable(false).map_err(|e| Failure::new("prctl(PR_SET_DUMPABLE)", e.into()))
}

/// Keeps those of `wanted` that are permitted; empties the inheritable set.
fn keep_capabilities(wanted: u64) -> io::Result<()> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut halves = [Half::default(); 2];
    // SAFETY: the kernel reads `header` and writes two halves, which version 3 has; both are borrowed for the call.
    retry(|| unsafe { libc::syscall(libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) })?;
    for (n, half) in halves.iter_mut().enumerate() {
        let kept = half.permitted & (wanted >> (32 * n)) as u32;
        *half = Half { effective: kept, permitted: kept, inheritable: 0 };
    }
    // SAFETY: the kernel reads the header and two halves.
    retry(|| unsafe { libc::syscall(libc::SYS_capset, &raw mut header, halves.as_ptr()) })?;
    Ok(())
}

fn prctl(option: libc::c_int, argument: libc::c_ulong) -> io::Result<()> {
    let none: libc::c_ulong = 0;
    // SAFETY: the two options take numbers, and the rest must be 0.
    retry(|| unsafe { libc::prctl(option, argument, none, none, none) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::in_child::in_child;

    /// The lines of /proc/self/status of a child that has done `work`.
    fn status_after(work: fn() -> Result<(), Failure>) -> Vec<(String, u64)> {
        let text = in_child(
            || work().map_or_else(|e| e.to_string(), |()| std::fs::read_to_string("/proc/self/status").unwrap()),
            None,
        );
        let number = |(name, value): (&str, &str)| Some((name.to_owned(), u64::from_str_radix(value.trim(), 16).ok()?));
        text.unwrap().lines().filter_map(|line| number(line.split_once(':')?)).collect()
    }

    #[test]
    fn nothing_is_left_but_roots_power_over_files() {
        let status = status_after(|| {
            empty_bounding_set();
            give_up()
        });
        let left = |name: &str| status.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
        let before = status_after(|| Ok(()));
        let was = before.iter().find(|(name, _)| name == "CapPrm").map_or(0, |(_, value)| *value);
        let kept = if is_root() { OVER_FILES & was } else { 0 };
        assert_eq!([left("CapEff"), left("CapPrm")], [Some(kept); 2]);
        assert_eq!([left("CapInh"), left("CapAmb"), left("NoNewPrivs")], [Some(0), Some(0), Some(1)]);
        if was & 1 << 8 != 0 {
            assert_eq!(left("CapBnd"), Some(0), "CAP_SETPCAP was there");
        }
    }
}
