//! One request and its response: its state, its variables, its lines in the logs, its limits.

pub mod action;
mod authorization;
pub mod cx;
pub mod error_lines;
pub mod limits;
pub mod log_format;
pub mod media_type;
mod state;
pub mod variables;

pub use action::{Action, After, Body, Found, Kind, Listed, Part};
pub use cx::{ConnInfo, Cx, Stage};
pub use state::Exchange;
pub(in crate::http) use state::Flow;
