//! Vary beside `brotli_static` and `zstd_static`: where the answers for a uri depend on Accept-Encoding, each of them
//! says so.

use std::collections::BTreeSet;

use crate::codings::ask;
use crate::support::client::Response;
use crate::support::conf::Conf;
use crate::support::server::Server;

/// The directives of a location, and the names in it whose answers say that they depend on Accept-Encoding. With
/// several codings that are sent always, what is there says so even where it is alone.
const LOCATIONS: &[(&str, &str)] = &[
    ("brotli_static on;", "br all"),
    ("zstd_static on;", "zst all"),
    ("brotli_static on; zstd_static on; gzip_static on;", "br zst gz all"),
    ("brotli_static on; gzip_static on; gzip_vary on;", "br gz all"),
    ("brotli_static on; gzip on; gzip_types *;", "none br zst gz all missing"),
    ("brotli_static on; gzip on; gzip_types *; gzip_vary on;", "none br zst gz all missing"),
    ("brotli_static on; gzip on; gzip_types text/css;", "br all missing"),
    ("brotli_static on; gzip on; gzip_types *; gzip_min_length 1k;", "br all"),
    ("zstd_static on; gzip_static on; gzip on; gzip_types *;", "none br zst gz all missing"),
    ("brotli_static always;", ""),
    ("brotli_static always; zstd_static always;", "br zst all"),
    ("brotli_static always; gzip_static on;", "br gz all"),
    ("brotli_static always; gzip on; gzip_types *;", "none br zst gz all missing"),
    ("brotli_static always; zstd_static on; gzip_static always; gzip on; gzip_types *;", "none br zst gz all missing"),
    ("brotli_static on; gunzip on; gzip_static always;", "br gz all"),
];

const FILES: &[(&str, &[&str])] =
    &[("none", &[]), ("br", &["br"]), ("zst", &["zst"]), ("gz", &["gz"]), ("all", &["br", "zst", "gz"])];

const ACCEPT: &[&str] = &[
    "gzip, deflate, br, zstd",
    "gzip",
    "gzip, br",
    "gzip, br;q=0.5",
    "gzip;q=0.5, br",
    "gzip;q=0.1, identity;q=0.5",
    "br",
    "zstd",
    "*",
    "deflate",
    "identity",
    "",
];

/// The answers may be as different as their statuses, codings and bytes.
fn kind(response: &Response) -> (u16, Option<String>, Vec<u8>) {
    (response.status, response.header("Content-Encoding").map(str::to_owned), response.body.clone())
}

#[test]
fn either_all_answers_for_a_uri_say_vary_or_they_are_the_same() {
    let locations = LOCATIONS.iter().enumerate();
    let conf =
        locations.map(|(i, (conf, _))| format!("location /{i}/ {{ {conf} alias %root%/; }}")).collect::<String>();
    let server = Server::drover(Conf::workers(1).server(&conf));
    // The text is longer than the least that `gzip` compresses, and so are the pages of errors.
    let text = "as it is ".repeat(20);
    for (name, codings) in FILES {
        server.file(&format!("{name}.js"), &text);
        for coding in *codings {
            server.file(&format!("{name}.js.{coding}"), GZIP);
        }
    }
    for (i, (conf, varying)) in LOCATIONS.iter().enumerate() {
        for name in FILES.iter().map(|(name, _)| *name).chain(["missing"]) {
            let path = format!("/{i}/{name}.js");
            let get = |accept: &str, more: &str| ask(&server, &path, &format!("Accept-Encoding: {accept}\r\n{more}"));
            let kinds: BTreeSet<_> = ACCEPT.iter().map(|accept| kind(&get(accept, ""))).collect();
            let varies = varying.split(' ').any(|varying| varying == name);
            assert!(kinds.len() == 1 || varies, "{name} with {conf}: {kinds:?}");
            for accept in ACCEPT {
                for more in
                    ["", "If-None-Match: *\r\n", "Range: bytes=1-2\r\n", "If-Match: \"no\"\r\n", "Via: 1.1 a\r\n"]
                {
                    let response = get(accept, more);
                    let said = response.header("Vary") == Some("Accept-Encoding");
                    assert_eq!(said, varies, "{name} with {conf}: {accept} {more} {}", response.status);
                }
                let head = format!("HEAD {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {accept}\r\n\r\n");
                let response = server.connect().send(head).head_response().unwrap();
                assert_eq!(response.header("Vary").is_some(), varies, "HEAD of {name} with {conf}: {accept}");
            }
            let refused = get("identity;q=0", "");
            if refused.status == 406 {
                assert_eq!(refused.header("Vary"), Some("Accept-Encoding"), "{name} with {conf}");
            }
        }
    }
}

/// A gzip of nothing, as `gunzip` takes it; the others are sent as they are.
const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0";
