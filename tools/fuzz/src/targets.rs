//! What is fuzzed, and what must hold whatever the input.

mod conf;
mod engine;
mod pieces;

/// What is run with each input.
pub type Run = Box<dyn FnMut(&[u8])>;

/// One thing that takes bytes from strangers.
pub struct Target {
    pub name: &'static str,
    /// Sets it up; what comes back is run with each input.
    pub new: fn() -> Run,
    pub seeds: &'static [&'static [u8]],
    pub words: &'static [&'static str],
}

pub static TARGETS: &[Target] =
    &[pieces::REQUEST, pieces::CHUNKED, pieces::URI, pieces::RANGE, pieces::REGEX, conf::CONF, engine::ENGINE];
