//! The form of a target.

/// Runs a target with an input; fails by a panic.
pub(crate) type Run = Box<dyn FnMut(&[u8])>;

/// A part of drover that takes bytes from strangers.
pub(crate) struct Target {
    /// The name, which is also that of its directory in `corpus/` and of its file in `words/`.
    pub(crate) name: &'static str,
    /// Sets the target up.
    pub(crate) new: fn() -> Run,
    /// The files below `src/` that the target is for, or their beginnings.
    #[cfg_attr(fuzzing, expect(dead_code, reason = "libFuzzer's build runs one target"))]
    pub(crate) files: &'static str,
}

/// A number below `end` that follows from the input.
pub(crate) fn place_in(input: &[u8], end: usize) -> usize {
    input.iter().fold(7usize, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into())) % end
}
