//! Memory that all processes of the service share: the ledger of counters, and in it the accept mutex; the zones in
//! which clients are counted; the loads of workers; the keys of TLS tickets, and TLS sessions.

mod accept_mutex;
mod counter;
mod gzip_cache;
pub mod histogram;
mod hold;
mod ledger;
mod load;
mod outcomes;
mod protocol;
mod sessions;
mod text;
mod ticket_keys;
mod zone;

pub use accept_mutex::{AcceptMutex, MutexState, Word};
pub use counter::Counter;
pub use gzip_cache::{GzipCache, Key, PART};
pub use hold::{Hold, NoHold};
pub use ledger::NAME as LEDGER_NAME;
pub use ledger::{Header, Ledger, Role, SLOTS, Slot, Sums, Tally};
pub use load::{Load, Room};
pub use outcomes::{HandshakeEnd, Limited};
pub use protocol::Protocol;
pub use sessions::{SessionName, Sessions};
pub use text::Text;
pub use ticket_keys::{TicketKey, TicketKeys};
pub use zone::{Entry, State, Table, Zone};

/// The highest value of `worker_processes`. The ledger has slots for the workers and dispatchers of two generations,
/// and other tables in shared memory have an entry for each worker.
pub const MAX_WORKERS: usize = 1024;
