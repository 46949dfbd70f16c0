//! Faults that tests ask for. Only the tests' build has the feature `faults`, by the line for drover itself among the
//! dev-dependencies: `cargo build` never has it.

/// Panics if `path` has a segment `panic-in-PLACE`. If it has a segment `execve-in-PLACE`, makes a system call that no
/// process of the service makes, and that does nothing where it is allowed.
#[cfg(feature = "faults")]
pub(crate) fn strike(place: &str, path: &[u8]) {
    let has = |fault: &[u8]| {
        let is_meant = |segment: &[u8]| segment.strip_prefix(fault).is_some_and(|rest| rest == place.as_bytes());
        path.split(|byte| *byte == b'/').any(is_meant)
    };
    if has(b"panic-in-") {
        panic!("a test's fault in {place}");
    }
    if has(b"execve-in-") {
        execve_nothing();
    }
}

/// Calls execve(2) with an empty path. Returns the error's number: ENOENT, or EPERM in a sandbox.
#[cfg(any(test, feature = "faults"))]
pub(super) fn execve_nothing() -> i32 {
    let none = std::ptr::null::<*const libc::c_char>();
    // SAFETY: the path is empty, so that nothing is executed.
    unsafe { libc::execve(c"".as_ptr(), none, none) };
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Nothing, in every build but the tests'.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) fn strike(_place: &str, _path: &[u8]) {}
