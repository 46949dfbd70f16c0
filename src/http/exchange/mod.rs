//! A request and its response while they are made: state, answer, variables, texts, lines in the logs, limits. Knows no
//! phase.

mod absent;
pub mod access_line;
pub mod action;
mod answer;
pub mod authorization;
mod body;
mod cx;
pub mod defined;
pub mod error_lines;
mod evaluate;
pub mod file_path;
mod flow;
pub mod geo;
pub mod keep_alive;
pub mod limits;
pub mod lingering;
pub mod map;
pub mod media_type;
pub(in crate::http) mod nets;
mod parts;
pub mod proxied;
pub mod referer;
mod response;
pub mod service_variables;
pub mod split_clients;
mod state;
mod values;
pub mod variables;

pub(in crate::http) use absent::notice;
pub use action::{Action, After, Body, Check, FileKind, Found, Listed, Part};
pub use answer::Answer;
pub(in crate::http) use authorization::Credentials;
pub use cx::{ConnInfo, Cx, Embedded, Handler, HttpConf, Stage};
pub(in crate::http) use file_path::directory;
pub(in crate::http) use flow::{Flow, Lookup, LookupKind};
pub(in crate::http) use parts::{ConnectionLimit, RequestLimit};
pub(in crate::http) use response::Coded;
pub use response::Response;
pub use state::Exchange;
pub(in crate::http) use state::Progress;
pub(in crate::http) use variables::bind;
