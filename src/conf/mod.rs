//! The conf file: lexer, blocks, typed values, scopes, inheritance, diagnostics. Knows no directive by name.
//!
//! From text to values: [`load`](fn@load) cuts the bytes into statements (`lexer`), looks each name up in the
//! [`Registry`], checks context, terminator, arity and duplicates in nginx's order and words (`ngx_conf_file.c`), lets
//! the entry parse its [`Args`], and gives every block a [`Scope`]: its own values, the inherited ones, the defaults.
//!
//! # How to add a directive
//!
//! Open the file whose code reads the value. Add a `static`, and add it to that file's `DIRECTIVES`:
//!
//! ```
//! use drover::conf::{Contexts, Entry, Scope, Setting};
//!
//! pub static GREETING: Setting<bool> = Setting::flag("greeting")
//!     .contexts(Contexts::HTTP_ALL)
//!     .default("off")
//!     .about("Whether the server greets.");
//!
//! pub static DIRECTIVES: &[&dyn Entry] = &[&GREETING];
//!
//! fn greets(scope: &Scope) -> bool {
//!     *scope.get(&GREETING)
//! }
//! ```
//!
//! The kinds of values are the constructors of [`Setting`]; [`Setting::one`] takes a parse function of your own,
//! [`Setting::many`] one for a directive that a block may have several times. Parsing, checks, errors, inheritance, the
//! default and the reference follow from the `static`. In the end put the new page into conf/DIRECTIVES.md, as its test
//! in tests/conf tells.

mod args;
mod contexts;
mod entry;
mod error;
mod format;
mod lexer;
mod listen;
mod load;
mod mistakes;
mod notes;
mod problems;
pub mod reference;
mod registry;
pub mod roff;
mod scope;
mod setting;
mod source;
mod value;

pub use args::{Arg, Args, Item};
pub use contexts::Contexts;
pub use entry::{Check, Choice, Entry, Form, FormOf, Inert, Info, Kind, Refused, Section, Store, Syntax, Value};
pub use error::{Error, ErrorKind, Snippet, Warning, did_you_mean};
pub use format::format;
pub use listen::{Listen, ListenSocket};
pub use load::{Conf, Input, Node, Options, Watch, load, parse, read, salvage};
pub use mistakes::Mistakes;
pub use notes::Notes;
pub use problems::Problems;
pub use registry::Registry;
pub use scope::Scope;
pub use setting::Setting;
pub use source::{SourceId, Sources, Span};
pub use value::{Inherit, OneOf, parse_count, parse_size, parse_time_ms, parse_time_s};

#[cfg(test)]
mod tests;
