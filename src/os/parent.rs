//! How the master's processes learn that the master has ended.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use super::process::{self, Pid};
use super::signals::{Signal, send};

/// The master, after [`watch_master`]; 0 before.
static MASTER: AtomicI32 = AtomicI32::new(0);
/// The parent, after [`watch_parent`].
static PARENT: AtomicI32 = AtomicI32::new(0);
/// Seconds until the signal ALRM, see [`set_alarm`].
static TIMEOUT_S: AtomicU32 = AtomicU32::new(0);

/// Has the kernel send this process the signal IO when `master`, its parent, has ended. To be called after a change of
/// the user, which would undo it. `timeout`: the time until the signal ALRM after [`set_alarm`], in whole seconds.
pub fn watch_master(master: Pid, timeout: Duration) -> io::Result<()> {
    MASTER.store(master, Ordering::Relaxed);
    TIMEOUT_S.store(u32::try_from(timeout.as_millis().div_ceil(1000)).unwrap_or(u32::MAX), Ordering::Relaxed);
    watch_parent(master)
}

/// [`watch_master`] for a child of a process that has called it: the master adopts the child when `parent` ends first.
pub fn watch_parent(parent: Pid) -> io::Result<()> {
    PARENT.store(parent, Ordering::Relaxed);
    nix::sys::prctl::set_pdeathsig(Signal::SIGIO)?;
    // The parent may have ended before the call.
    if is_orphan() { send(process::id(), Signal::SIGIO) } else { Ok(()) }
}

/// Whether the master has ended, so that this process gets no more commands. When a parent ends before the master, the
/// master adopts its children: they are no orphans.
pub fn is_orphan() -> bool {
    let (parent, master) = (PARENT.load(Ordering::Relaxed), MASTER.load(Ordering::Relaxed));
    master != 0 && ![parent, master].contains(&process::parent_id())
}

/// The master's id; 0 before [`watch_master`].
pub fn master_id() -> Pid {
    MASTER.load(Ordering::Relaxed)
}

/// Has the kernel send this process the signal ALRM after the timeout of [`watch_master`].
pub fn set_alarm() {
    nix::unistd::alarm::set(TIMEOUT_S.load(Ordering::Relaxed).max(1));
}
