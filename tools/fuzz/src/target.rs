/// Runs a target with an input; fails by a panic.
pub(crate) type Run = Box<dyn FnMut(&[u8])>;

/// A part of drover that takes bytes from strangers.
pub(crate) struct Target {
    pub name: &'static str,
    /// Sets the target up.
    pub new: fn() -> Run,
    pub seeds: &'static [&'static [u8]],
    pub words: &'static [&'static str],
}
