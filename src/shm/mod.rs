//! What the processes share: the accept mutex, the ledger, limit zones.

mod accept_mutex;
pub mod histogram;
mod ledger;
mod text;

pub use accept_mutex::{AcceptMutex, Look, Word};
pub use ledger::NAME as LEDGER_NAME;
pub use ledger::{Counter, Header, Ledger, Role, SLOTS, Slot, Sums, Tally};
pub use text::Text;
