//! The parts of a loop: timers, posted queues, connection slots, coarse clock, and how far a shutdown has gone.

mod clock;
mod odds;
mod posted;
mod shutdown;
mod slots;
mod source;
mod timers;

pub use crate::os::Ready;
pub use crate::os::time::monotonic_ms;
pub use clock::Clock;
pub use odds::Odds;
pub use posted::Posted;
pub use shutdown::{AtomicShutdown, Shutdown};
pub use slots::Slots;
pub use source::Source;
pub use timers::{Timers, earlier};
