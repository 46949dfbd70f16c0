//! A row of words that processes share after a fork, as long as the conf says.

use memmap2::{MmapOptions, MmapRaw};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::atomic::AtomicU64;

/// Words in memory that a process shares with its children alone, all zero at first.
#[derive(Debug)]
pub struct SharedWords {
    map: MmapRaw,
    len: usize,
}

impl SharedWords {
    /// Maps `len` new words, called `name` in /proc/PID/maps. Pages cost memory when first touched.
    pub fn create(name: &str, len: usize) -> io::Result<SharedWords> {
        // The mapping holds the memory; the descriptor is not needed any more.
        let file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
        let bytes = len.checked_mul(size_of::<u64>()).ok_or(io::ErrorKind::OutOfMemory)?;
        file.set_len(bytes as u64)?;
        let map = MmapOptions::new().len(bytes).map_raw(&file)?;
        Ok(SharedWords { map, len })
    }
}

impl Deref for SharedWords {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is `len` words long, page-aligned, and lives as long as `self`; a word is valid whatever
        // its bytes are, and is changed through atomics alone. Nobody has a descriptor to shrink the file with.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<AtomicU64>(), self.len) }
    }
}
