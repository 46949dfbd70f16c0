//! From an answer to bytes: conditions, ranges, the head and its fields, redirects, the built-in pages.

pub mod addition;
mod changes;
pub mod charset;
pub mod chunks;
pub mod conditions;
pub mod cors;
mod fields;
pub mod file;
pub mod gzip;
pub mod gzip_ok;
mod head;
pub mod headers;
pub mod limit_rate;
mod media_types;
pub mod pages;
pub mod ranges;
pub mod ready;
pub mod redirect;
pub mod response;
pub mod server_tokens;
pub mod trailers;
pub mod userid;
