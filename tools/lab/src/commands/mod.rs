//! The commands. Each has its arguments, and measures, writes and prints its results.

pub(crate) mod advise;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod fault;
pub(crate) mod load;
pub(crate) mod simulate;
