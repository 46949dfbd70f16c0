//! glob(3): the paths that match a pattern of the shell.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The paths that match a pattern, sorted; no match is no error. In directories that can't be read nothing matches, as
/// in nginx (ngx_open_glob).
///
/// # Errors
/// A NUL in the pattern, or no memory.
pub fn glob(pattern: &str) -> io::Result<Vec<PathBuf>> {
    let pattern = CString::new(pattern)?;
    let mut found = MaybeUninit::<libc::glob_t>::zeroed();
    // SAFETY: the pattern ends in NUL, and without GLOB_APPEND and GLOB_DOOFFS glob() only writes to `found`.
    let result = unsafe { libc::glob(pattern.as_ptr(), 0, None, found.as_mut_ptr()) };
    let error = io::Error::last_os_error();
    // SAFETY: a glob_t of zeros is valid, and glob() fills it in whatever it returns.
    let mut found = unsafe { found.assume_init() };
    // SAFETY: gl_pathv holds gl_pathc pointers, each to a string that ends in NUL and lives until globfree().
    let path = |i: usize| unsafe { CStr::from_ptr(*found.gl_pathv.add(i)) };
    let paths = match result {
        0 => Ok((0..found.gl_pathc).map(|i| PathBuf::from(OsStr::from_bytes(path(i).to_bytes()))).collect()),
        libc::GLOB_NOMATCH => Ok(Vec::new()),
        libc::GLOB_NOSPACE => Err(io::ErrorKind::OutOfMemory.into()),
        _ => Err(error),
    };
    // SAFETY: `found` was filled in by glob(), or is zero, and no path in it is used any more.
    unsafe { libc::globfree(&mut found) };
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_the_shells() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["_off.conf", "b.conf", "a.conf", "^odd.conf", "10.conf", ".hidden.conf", "[", "a]"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        for (pattern, fits) in [
            ("*.conf", "10.conf ^odd.conf _off.conf a.conf b.conf"),
            ("[^_]*.conf", "10.conf ^odd.conf a.conf b.conf"),
            ("[!_]*.conf", "10.conf ^odd.conf a.conf b.conf"),
            ("[[:digit:]]*", "10.conf"),
            ("\\b*", "b.conf"),
            ("**.conf", "10.conf ^odd.conf _off.conf a.conf b.conf"),
            (".h*", ".hidden.conf"),
            ("?.conf", "a.conf b.conf"),
            ("[", "["),
            ("a[]]", "a]"),
            ("x[", ""),
            ("none*", ""),
        ] {
            let full = dir.path().join(pattern);
            let paths = glob(full.to_str().unwrap()).unwrap();
            let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
            assert_eq!(names.join(" "), fits, "{pattern}");
        }
        assert_eq!(glob("a\0*").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
