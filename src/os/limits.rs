//! Limits that the kernel puts on a process.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// How many descriptors this process may have open (the soft limit).
pub fn max_open_files() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}

/// Changes that limit, the soft and the hard one, as nginx does. EPERM: only root may raise the hard limit.
pub fn set_max_open_files(count: u64) -> io::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_NOFILE, count, count)?)
}
