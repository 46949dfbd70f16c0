//! A request as it comes and the pieces of a response: head, fields, host, uri, body, dates, ranges, conditions, types.
//! Knows no site.

pub mod accept_encoding;
pub mod asset_names;
pub mod browser;
pub mod charset;
pub mod chunk;
pub mod conditional;
pub mod cookie;
pub mod date;
pub mod field;
pub mod gzip;
pub mod head;
pub mod host;
pub mod htpasswd;
pub mod media_ranges;
pub mod mime;
pub mod password;
pub mod proxy_protocol;
pub mod range;
pub mod reject;
pub mod request;
pub mod request_body;
pub mod request_fields;
mod request_line;
pub mod status;
pub mod tls_names;
pub mod uid;
pub mod uri;
pub mod utf8;
pub mod zstd_window;
