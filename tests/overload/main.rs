//! Clients that are slow in every way there is, crowds of them, and more load than the machine can carry.

#[path = "../support/mod.rs"]
mod support;

mod crowd;
mod deadlines;
mod flood;
mod hungry;
mod memory;
mod states;
