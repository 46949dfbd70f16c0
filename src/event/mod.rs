//! The loop's parts: timers, posted queues, connection slots, coarse clock.

mod clock;
mod posted;
mod slots;
mod source;
mod timers;

pub use crate::os::Ready;
pub use crate::os::time::monotonic_ms;
pub use clock::Clock;
pub use posted::Posted;
pub use slots::Slots;
pub use source::Source;
pub use timers::Timers;
