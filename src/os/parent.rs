//! The end of the master, seen by the processes that it commands.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use super::process::{self, Pid};
use super::signals::{Signal, send};

/// Whose end this process hears of: [`watch_master`], [`watch_parent`].
static MASTER: AtomicI32 = AtomicI32::new(0);
static PARENT: AtomicI32 = AtomicI32::new(0);
static PATIENCE_S: AtomicU32 = AtomicU32::new(0);

/// From now on this process gets the signal IO when `master`, its parent, has ended. Changes of the user end that: to
/// be called after them. `patience`: how long it goes on at most, in whole seconds, once it has called [`set_alarm`].
pub fn watch_master(master: Pid, patience: Duration) -> io::Result<()> {
    MASTER.store(master, Ordering::Relaxed);
    PATIENCE_S.store(u32::try_from(patience.as_millis().div_ceil(1000)).unwrap_or(u32::MAX), Ordering::Relaxed);
    watch_parent(master)
}

/// The same for a child of a process that watches the master, which adopts the child when `parent` ends before it.
pub fn watch_parent(parent: Pid) -> io::Result<()> {
    PARENT.store(parent, Ordering::Relaxed);
    nix::sys::prctl::set_pdeathsig(Signal::SIGIO)?;
    // The parent may have ended before the call.
    if is_orphan() { send(process::id(), Signal::SIGIO) } else { Ok(()) }
}

/// Whether the master has ended, and with it whoever commands this process. A parent that the master outlives leaves
/// its children to it.
pub fn is_orphan() -> bool {
    let (parent, master) = (PARENT.load(Ordering::Relaxed), MASTER.load(Ordering::Relaxed));
    master != 0 && ![parent, master].contains(&process::parent_id())
}

/// The master, as [`watch_master`] was told.
pub fn master_id() -> Pid {
    MASTER.load(Ordering::Relaxed)
}

/// Sends this process the signal ALRM when its patience is over.
pub fn set_alarm() {
    nix::unistd::alarm::set(PATIENCE_S.load(Ordering::Relaxed).max(1));
}
