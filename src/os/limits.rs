//! Limits that the kernel puts on a process.

use std::fs;
use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The number of descriptors that this process may have open: the soft limit of RLIMIT_NOFILE.
pub fn max_open_files() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}

/// The number of descriptors that this process has open. Error: /proc is not there.
pub fn open_files() -> io::Result<u64> {
    // The descriptor that reads the list counts itself.
    Ok((fs::read_dir("/proc/self/fd")?.count() as u64).saturating_sub(1))
}

/// Sets RLIMIT_NOFILE, soft and hard, as nginx does. EPERM: only root may raise the hard limit.
pub fn set_max_open_files(count: u64) -> io::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_NOFILE, count, count)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_counted() {
        let files: Vec<fs::File> = (0..50).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let count = open_files().unwrap();
        // Other tests open and close theirs at the same time.
        assert!((50..=max_open_files().unwrap()).contains(&count), "{count}");
        drop(files);
    }
}
