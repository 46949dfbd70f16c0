//! `server_tokens`: the name that the server gives itself.

use crate::conf::{self, Contexts, Setting};

/// `server_tokens`: whether the Server field and the built-in pages name the version.
pub static SERVER_TOKENS: Setting<bool> = Setting::one("server_tokens", |args| {
    args.one_of(0, &[("on", true), ("off", false), ("build", true)])
})
.contexts(Contexts::HTTP_ALL)
.args(1, 1)
.syntax("on | off | build")
.default("on")
.about(
    "Whether the Server field and the built-in pages name the version; `build` is `on`, as in an nginx without one.",
);

/// The name of the server, for the Server field and the built-in pages.
pub(super) fn product(scope: &conf::Scope) -> &'static str {
    if *scope.get(&SERVER_TOKENS) { concat!("drover/", env!("CARGO_PKG_VERSION")) } else { "drover" }
}

/// The field of that name, with its line end and the name of the field that follows.
pub(super) fn server_and_date(scope: &conf::Scope) -> &'static [u8] {
    match scope.get(&SERVER_TOKENS) {
        true => concat!("Server: drover/", env!("CARGO_PKG_VERSION"), "\r\nDate: ").as_bytes(),
        false => b"Server: drover\r\nDate: ",
    }
}

/// The directive of this module: `server_tokens`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&SERVER_TOKENS];
