//! Faults that tests ask for. Only the tests' build has the feature `faults`, by the line for drover itself among the
//! dev-dependencies: `cargo build` never has it.

/// Panics if `path` has a segment `panic-in-PLACE`.
#[cfg(feature = "faults")]
pub(crate) fn strike(place: &str, path: &[u8]) {
    let is_meant = |segment: &[u8]| segment.strip_prefix(b"panic-in-").is_some_and(|rest| rest == place.as_bytes());
    if path.split(|byte| *byte == b'/').any(is_meant) {
        panic!("a test's fault in {place}");
    }
}

/// Nothing, in every build but the tests'.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) fn strike(_place: &str, _path: &[u8]) {}
