//! The loop's parts: timers, posted queues, connection slots, coarse clock.

mod clock;
mod posted;
mod slots;
mod source;
mod timers;

pub use crate::os::Ready;
pub use clock::{Clock, monotonic_ms};
pub use posted::Posted;
pub use slots::Slots;
pub use source::Source;
pub use timers::Timers;
