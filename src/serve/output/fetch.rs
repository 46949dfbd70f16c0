//! The wait of an output for a thread, which fetches bytes of a file, or makes them of it.

use crate::serve::jobs::Job;
use std::io;

/// The wait of an output for a thread.
#[derive(Debug, Default)]
pub(super) enum Fetch {
    /// There is none.
    #[default]
    No,
    /// The job is to be handed over.
    Wanted(u16, Job),
    /// A thread has it.
    Away,
    /// The job has failed, of which the next flush tells.
    Failed(io::Error),
}
