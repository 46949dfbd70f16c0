//! Keeps the memory of a process from others: no key is in a core dump.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// Keeps the memory of this process, and of those that it forks, out of core dumps: core(5), a filter that leaves no
/// mapping. Under root it also can't be traced or read in /proc by other users' processes (prctl(2),
/// PR_SET_DUMPABLE); others keep that, since `drover -s` of the same user reads the ledger there. Where the filter
/// can't be set (no /proc, one that is read-only, a program with capabilities of its file) there are no dumps at all.
pub fn hide_memory() -> io::Result<()> {
    hide_memory_by(Path::new("/proc/self/coredump_filter"))
}

fn hide_memory_by(filter: &Path) -> io::Result<()> {
    let is_filtered = OpenOptions::new().write(true).open(filter).and_then(|mut file| file.write_all(b"0")).is_ok();
    if !is_filtered || super::users::is_root() {
        nix::sys::prctl::set_dumpable(false)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::{self, Fork};

    #[test]
    fn a_child_hides_its_memory_as_well() {
        let is_hidden = || {
            let filter = std::fs::read_to_string("/proc/self/coredump_filter").unwrap();
            filter.trim() == "00000000" && nix::sys::prctl::get_dumpable().unwrap() != crate::os::users::is_root()
        };
        let run = |work: &dyn Fn() -> bool| match process::fork().unwrap() {
            Fork::Child => process::exit_now(i32::from(!work())),
            Fork::Parent(pid) => {
                let pid = nix::unistd::Pid::from_raw(pid);
                nix::sys::wait::waitpid(pid, None).unwrap() == nix::sys::wait::WaitStatus::Exited(pid, 0)
            }
        };
        // Each in a process of its own: the tests' process stays as it is.
        assert!(run(&|| hide_memory().is_ok() && is_hidden() && run(&is_hidden)));
        let is_never_dumped = || !nix::sys::prctl::get_dumpable().unwrap();
        let without_filter = || hide_memory_by(Path::new("/no/proc/here")).is_ok() && is_never_dumped();
        assert!(run(&|| without_filter() && run(&is_never_dumped)));
    }
}
