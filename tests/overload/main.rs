//! Clients that are slow in every way there is, crowds of them, and more load than the machine can carry.

#[path = "../support/mod.rs"]
mod support;

mod crowd;
mod deadlines;
mod flood;
mod hungry;
mod memory;
mod states;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises this process's limit: a crowd takes more descriptors than the usual 1,024.
fn make_room_for_descriptors() {
    const ROOM: u64 = 5000;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
    if soft < ROOM {
        setrlimit(Resource::RLIMIT_NOFILE, ROOM, hard.max(ROOM)).expect("room for the descriptors of a crowd");
    }
}
