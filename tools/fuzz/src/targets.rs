//! The targets: each checks properties that must hold whatever the input.

mod conf;
mod engine;
mod fields;
mod h2;
mod head;
mod hello;
mod json;
mod listing;
mod passwords;
mod paths;
mod pem;
mod proxy;
mod regex;
mod site;

use crate::target::Target;

macro_rules! targets {
    ($($name:ident: $new:expr, $files:literal;)*) => {
        /// All targets.
        pub(crate) static TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), new: || Box::new($new), files: $files },)*];

        /// Runs every target with its corpus: a fault that was mended does not come back.
        #[cfg(test)]
        mod corpus {
            $(#[test]
            fn $name() {
                crate::replay::run_corpus(crate::targets::TARGETS, stringify!($name));
            })*
        }
    };
}

targets! {
    request: head::request, "http/message/request.rs http/message/request_line.rs http/message/head.rs";
    host: head::host, "http/message/host.rs";
    chunked: head::chunked, "http/message/request_body.rs http/message/chunk.rs";
    range: fields::range, "http/message/range.rs";
    date: fields::date, "http/message/date.rs";
    conditions: fields::conditions, "http/message/conditional.rs";
    encodings: fields::encodings(), "http/message/accept_encoding.rs";
    accept: fields::accept, "http/message/media_ranges.rs";
    credentials: passwords::credentials(), "http/exchange/authorization.rs http/phases/auth_basic.rs";
    htpasswd: passwords::htpasswd, "http/message/htpasswd.rs http/message/password.rs";
    forwarded: engine::forwarded(), "http/phases/realip.rs http/exchange/nets.rs";
    cookies: engine::cookies(), "http/answer/userid.rs http/message/uid.rs";
    uri: paths::uri, "http/message/uri.rs";
    names: paths::names, "http/site/masks.rs";
    locations: paths::locations, "http/site/route.rs";
    types: paths::types, "http/message/mime.rs";
    glob: paths::glob(), "os/glob.rs";
    listing: listing::listing(), "http/phases/autoindex";
    regex: regex::regex, "http/site/regex os/pcre.rs";
    proxy: proxy::proxy, "http/message/proxy_protocol.rs";
    frames: h2::framing, "http/h2/connection http/h2/frame.rs http/h2/streams.rs http/h2/guard.rs http/h2/window.rs";
    hpack: h2::hpack, "http/h2/hpack";
    hello: hello::hello, "tls/hello.rs";
    pem: pem::pem(), "tls/pem.rs tls/der.rs tls/x509.rs tls/key.rs tls/ocsp.rs tls/certificate.rs";
    json: json::json, "stream/json_rpc.rs";
    conf: conf::conf(), "conf/lexer.rs conf/load conf/args.rs conf/value.rs";
    format: conf::format(), "conf/format";
    engine: engine::engine(), "http/phases/walk http/phases/target.rs serve/engine serve/connection.rs";
}
