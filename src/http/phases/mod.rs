//! The phases that a request passes, one file a module of nginx's, with its directives.

pub mod access;
pub mod autoindex;
pub mod error_page;
pub mod files;
pub mod returns;
