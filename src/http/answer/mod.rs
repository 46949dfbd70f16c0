//! From an answer to bytes: conditions, ranges, the head and its fields, redirects, the built-in pages.

pub mod conditions;
mod fields;
pub mod file;
pub mod gzip;
pub mod gzip_ok;
mod head;
pub mod headers;
pub mod limit_rate;
pub mod pages;
pub mod ranges;
pub mod redirect;
pub mod response;
pub mod server_tokens;
