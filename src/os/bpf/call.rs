//! The call bpf(2).

use std::io;
use std::os::fd::OwnedFd;

use crate::os::retry;
use crate::os::socket::own;

/// The calls (enum bpf_cmd of linux/bpf.h).
#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    ProgLoad = 5,
}

/// A struct that one of the calls reads.
///
/// # Safety
/// `repr(C)` without padding, laid out as the call's part of `union bpf_attr`; addresses in it are valid for the call.
pub(super) unsafe trait Attributes {}

/// Makes a call. The result is a descriptor for those that make one.
pub(super) fn bpf<T: Attributes>(command: Command, attributes: &mut T) -> io::Result<i64> {
    let at = std::ptr::from_mut(attributes);
    // SAFETY: the kernel reads and writes `size_of::<T>()` bytes of a struct that is borrowed for the call, and the
    // memory whose addresses it has, see `Attributes`.
    retry(|| unsafe { libc::syscall(libc::SYS_bpf, command as libc::c_int, at, size_of::<T>()) })
}

/// Makes a call that makes a descriptor, which is closed on exec.
pub(super) fn bpf_fd<T: Attributes>(command: Command, attributes: &mut T) -> io::Result<OwnedFd> {
    let fd = bpf(command, attributes)?;
    // SAFETY: the call has just made it.
    Ok(unsafe { own(fd as libc::c_int) })
}

/// The name of a map or program, as bpftool shows it.
pub(super) fn object_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    // The last byte stays 0.
    bytes.iter_mut().take(15).zip(name.bytes()).for_each(|(to, from)| *to = from);
    bytes
}
