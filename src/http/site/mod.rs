//! The `http` block, compiled: sockets, servers, names, locations, regexes, root, texts with variables. Knows no
//! request.

pub mod block;
mod bound;
pub mod captured;
pub mod limit_except;
pub mod listen;
pub mod location;
pub mod log_format;
pub mod masks;
pub mod referers;
pub mod regex;
pub mod root;
pub mod route;
pub mod script;
pub mod server;
pub mod server_name;
pub mod template;
pub mod zones;

pub use block::HttpBlock;
pub use location::{Location, Pattern};
pub(in crate::http) use server::RequestRules;
pub use server::Server;
