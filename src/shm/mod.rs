//! Memory that the processes share: the accept mutex and the ledger.

mod accept_mutex;
mod counter;
pub mod histogram;
mod ledger;
mod text;

pub use accept_mutex::{AcceptMutex, Look, Word};
pub use counter::Counter;
pub use ledger::NAME as LEDGER_NAME;
pub use ledger::{Header, Ledger, Role, SLOTS, Slot, Sums, Tally};
pub use text::Text;
