//! The files that a conf is read from.

use crate::os::{self, Failure};
use std::path::{Path, PathBuf};

/// Reads a file. Errors name the system call as nginx does.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let mut text = Vec::new();
    let mut file = std::fs::File::open(path).map_err(|error| Failure::on_path("open", path, error))?;
    file.read_to_end(&mut text).map_err(|error| Failure::on_path("pread", path, error))?;
    Ok(text)
}

/// The name of a file that is the same by whichever path the file is reached.
pub(crate) fn identity(name: &str) -> PathBuf {
    std::fs::canonicalize(name).unwrap_or_else(|_| PathBuf::from(name))
}

/// The files that a pattern fits, in the order of their bytes. No file is no error.
pub(crate) fn matches(pattern: &str) -> Result<Vec<PathBuf>, Failure> {
    os::glob(pattern).map_err(|error| Failure::on_path("glob", Path::new(pattern), error))
}
