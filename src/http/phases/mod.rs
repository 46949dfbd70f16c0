//! The phases that a request passes, one file a module of nginx's, with its directives. `walk.rs` knows their order.

pub mod access;
mod alias;
pub mod auth_basic;
pub mod autoindex;
pub mod body_limit;
pub mod clean_urls;
pub mod empty_gif;
pub mod error_page;
pub mod gzip_static;
pub mod header_lines;
pub mod index;
pub mod internal;
pub mod limit_conn;
pub mod limit_req;
mod limited;
mod open_failed;
pub mod random_index;
pub mod realip;
pub mod rewrite;
pub mod satisfy;
pub mod spa_fallback;
mod static_files;
pub mod target;
pub mod try_files;
pub(in crate::http) mod walk;
