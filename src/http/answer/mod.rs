//! From an answer to bytes: the head, its fields, redirects, the built-in pages.

pub mod headers;
pub mod redirect;
pub mod response;
