//! The conf file: lexer, blocks, typed values, scopes, inheritance, diagnostics. Knows no directive by name.
//!
//! The way of a conf: [`load`] cuts the bytes into statements (`lexer`), looks each name up in the [`Registry`], checks
//! context, terminator, arity and duplicates in nginx's order and words (`ngx_conf_file.c`), lets the entry parse its
//! [`Args`], and in the end gives every block a [`Scope`] in which what was not said is inherited or the default.
//!
//! A directive is one `static`, a [`Setting`], beside the code that reads its value.

mod args;
mod contexts;
mod entry;
mod error;
mod lexer;
mod listen;
mod load;
mod notes;
pub mod reference;
mod registry;
mod scope;
mod setting;
mod source;
mod value;

pub use args::{Arg, Args, Item};
pub use contexts::Contexts;
pub use entry::{Choice, Entry, Inert, Info, Kind, Refused, Section, Store, Syntax, Value};
pub use error::{Error, ErrorKind, Picture, did_you_mean};
pub use listen::{Listen, ListenSocket};
pub use load::{Conf, Input, Node, Options, Warning, load, parse, salvage};
pub use notes::Notes;
pub use registry::Registry;
pub use scope::Scope;
pub use setting::Setting;
pub use source::{FileId, Sources, Span};
pub use value::{OneOf, parse_count, parse_size, parse_time_ms, parse_time_s};

#[cfg(test)]
mod tests;
