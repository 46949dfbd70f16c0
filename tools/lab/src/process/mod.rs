//! Processes: starting them, pinning them, reading /proc.

mod cpus;
mod kept;
mod tree;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

pub(crate) use cpus::{pin, usable_cpus};
pub(crate) use kept::{KeptProcess, Look, ProgramSpec, keep};
pub(crate) use tree::{Process, memory_kib, tree};

/// Raises the soft limit of descriptors to the hard limit, for this process and its children: each client needs a
/// descriptor.
pub(crate) fn raise_descriptors() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("setrlimit")
}

/// Finds a program in PATH and in the usual directories of servers.
pub(crate) fn find(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(more).map(|dir| dir.join(program)).find(|file| file.is_file())
}
