//! Bytes in, actions out. No socket, no file, no clock of its own: time comes in as an argument.
//!
//! The way of a request through the rooms:
//!
//! 1. `message/request.rs` parses its bytes into a `message/head.rs`, with `request_line.rs`, `field.rs`, `host.rs`. In
//!    HTTP/2 `h2/connection/mod.rs` takes frames apart, and `message/request_fields.rs` makes the same head of the
//!    fields.
//! 2. `phases/walk.rs` leads it from here on. The request itself is an `exchange/state.rs`; `exchange/cx.rs` has its
//!    surroundings.
//! 3. `phases/target.rs` finds its server (`site/bound.rs`) and normalises its path (`message/uri.rs`); the walk finds
//!    its location (`site/route.rs`).
//! 4. The phases look at it in nginx's order, a file each. One says where it goes next (`exchange/flow.rs`).
//! 5. `phases/static_files.rs` asks the driver (`serve`) for the file, by an `exchange/action.rs`.
//!    `exchange/file_path.rs` makes the path, of `site/root.rs`.
//! 6. `answer/file.rs` makes the file an `exchange/answer.rs`, by the request's conditions (`answer/conditions.rs`) and
//!    ranges (`answer/ranges.rs`); `phases/error_page.rs` may send the request on to another uri instead.
//!    For the bodies of `answer/addition.rs` requests run in its place (`exchange/aside.rs`), from 4 on.
//! 7. `answer/response.rs` writes the answer, with the head of `answer/head.rs`. The driver sends it, drops the rest of
//!    the request's body (`exchange/body.rs`) and writes the access log line (`exchange/access_line.rs`).
//!
//! Each directive stands beside the code that reads it. A room uses only those above it here (`tests/layering/`
//! compares):

// The empty lines keep rustfmt from sorting.

// A request as it comes, and the pieces of a response. Knows no site.
pub mod message;

// The framing of HTTP/2, over the same messages. Knows no site.
pub mod h2;

// The `http` block, compiled. Knows no request.
pub mod site;

// A request and its response while they are made. Knows no phase.
pub mod exchange;

// From an answer to bytes.
pub mod answer;

// The phases that a request passes, a file each, with their directives; the walk knows their order.
pub mod phases;

// Content handlers that show the ledger.
pub mod views;

// nginx's directives that drover does not have: accepted without effect, or refused with the reason.
pub mod compat;

// Confs that load, and can only fail.
pub mod lint;

// From a loaded conf to the conf of a generation.
mod compile;

pub use exchange::HttpConf;

use crate::conf::Entry;
use answer::{
    addition, charset, chunks, conditions, cors, gzip, gzip_ok, headers, limit_rate, pages, ranges, redirect,
    server_tokens, trailers, userid,
};
use exchange::{
    Embedded, aio, authorization, browser, charset_map, dates, disable_symlinks, file_lines, file_path, geo, http2,
    keep_alive, limits, lingering, map, media_type, open_file_cache, over_tls, proxied, referer, service_variables,
    split_clients, variables,
};
use phases::{
    access, auth_basic, autoindex, body_limit, clean_urls, empty_gif, error_page, gzip_static, header_lines, index,
    internal, limit_conn, limit_req, random_index, realip, rewrite, satisfy, spa_fallback, target, try_files,
};
use site::{block, limit_except, listen, location, log_format, referers, root, script, server, server_name};

/// Files of the conf that the program carries, by name: they stand in for an `include` of one that is missing.
pub const BUILT_IN: &[(&str, &str)] = &[("mime.types", media_type::BUILT_IN)];

/// The directives of this layer, in the order of the reference.
pub static DIRECTIVES: &[&[&dyn Entry]] = &[
    block::DIRECTIVES,
    server::DIRECTIVES,
    location::DIRECTIVES,
    server_name::DIRECTIVES,
    listen::DIRECTIVES,
    root::DIRECTIVES,
    index::DIRECTIVES,
    try_files::DIRECTIVES,
    internal::DIRECTIVES,
    target::DIRECTIVES,
    file_lines::DIRECTIVES,
    autoindex::DIRECTIVES,
    random_index::DIRECTIVES,
    empty_gif::DIRECTIVES,
    spa_fallback::DIRECTIVES,
    clean_urls::DIRECTIVES,
    media_type::DIRECTIVES,
    charset::DIRECTIVES,
    charset_map::DIRECTIVES,
    cors::DIRECTIVES,
    server_tokens::DIRECTIVES,
    gzip::DIRECTIVES,
    gzip_ok::DIRECTIVES,
    gzip_static::DIRECTIVES,
    conditions::DIRECTIVES,
    ranges::DIRECTIVES,
    pages::DIRECTIVES,
    headers::DIRECTIVES,
    trailers::DIRECTIVES,
    chunks::DIRECTIVES,
    addition::DIRECTIVES,
    userid::DIRECTIVES,
    redirect::DIRECTIVES,
    script::DIRECTIVES,
    rewrite::DIRECTIVES,
    variables::DIRECTIVES,
    error_page::DIRECTIVES,
    access::DIRECTIVES,
    auth_basic::DIRECTIVES,
    satisfy::DIRECTIVES,
    limit_except::DIRECTIVES,
    limit_req::DIRECTIVES,
    limit_conn::DIRECTIVES,
    realip::DIRECTIVES,
    keep_alive::DIRECTIVES,
    lingering::DIRECTIVES,
    limits::DIRECTIVES,
    disable_symlinks::DIRECTIVES,
    open_file_cache::DIRECTIVES,
    aio::DIRECTIVES,
    header_lines::DIRECTIVES,
    http2::DIRECTIVES,
    limit_rate::DIRECTIVES,
    body_limit::DIRECTIVES,
    log_format::DIRECTIVES,
    map::DIRECTIVES,
    split_clients::DIRECTIVES,
    geo::DIRECTIVES,
    referers::DIRECTIVES,
    browser::DIRECTIVES,
    compat::DIRECTIVES,
    compat::modules::DIRECTIVES,
    compat::upstreams::DIRECTIVES,
    views::DIRECTIVES,
];

/// The names of the variables, in their order, with a text about each.
pub fn variables() -> Vec<(&'static str, &'static str)> {
    let mut all: Vec<_> = VARIABLES.iter().copied().flatten().map(Embedded::described).collect();
    all.sort_unstable();
    all
}

/// The tables of variables: each stands beside the code that computes the values.
static VARIABLES: &[&[Embedded]] = &[
    variables::VARIABLES,
    gzip::VARIABLES,
    userid::VARIABLES,
    file_path::VARIABLES,
    proxied::VARIABLES,
    service_variables::VARIABLES,
    authorization::VARIABLES,
    referer::VARIABLES,
    browser::VARIABLES,
    dates::VARIABLES,
    realip::VARIABLES,
    limit_req::VARIABLES,
    limit_conn::VARIABLES,
    over_tls::VARIABLES,
];
