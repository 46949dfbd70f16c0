//! `error_log memory:SIZE`: the last lines, in memory that outlives none of the processes and costs no disk.
//!
//! nginx keeps such a log where a debugger finds it. Here it is a file without a name: `/proc/PID/fd` shows it as
//! `/memfd:drover-error-log`, of the master and of every worker, which all write to the same.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::os::{Failure, Shared, memory_file};

/// The name in /proc/PID/fd.
const NAME: &str = "drover-error-log";

/// The last lines of an error log.
#[derive(Debug)]
pub struct Memory {
    file: File,
    size: u64,
    /// Bytes written so far; the processes share the count.
    written: Shared<AtomicU64>,
}

impl Memory {
    /// Makes a log of `size` bytes.
    pub(super) fn new(size: u64) -> Result<Memory, Failure> {
        let failed = |error| Failure::new("memfd_create()", error);
        let file = memory_file(NAME, size).map_err(failed)?;
        Ok(Memory { file, size, written: Shared::create(NAME).map_err(failed)? })
    }

    /// Writes a line over the oldest ones; at the end of the memory it goes on at the beginning.
    pub(super) fn write(&self, line: &[u8]) {
        let line = line.get(..self.size as usize).unwrap_or(line);
        let at = self.written.fetch_add(line.len() as u64, Relaxed) % self.size;
        let (first, rest) = line.split_at(line.len().min((self.size - at) as usize));
        // Memory that there is can be written.
        let _ = self.file.write_all_at(first, at).and_then(|()| self.file.write_all_at(rest, 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_stay() {
        let memory = Memory::new(20).unwrap();
        let all = || {
            let mut bytes = [0; 20];
            memory.file.read_exact_at(&mut bytes, 0).unwrap();
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        (0..3).for_each(|n| memory.write(format!("line {n}\n").as_bytes()));
        assert_eq!(all(), "\nine 0\nline 1\nline 2");
        memory.write(&[b'x'; 30]);
        assert_eq!(all(), "x".repeat(20));
    }
}
