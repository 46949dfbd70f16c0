//! Content codings where nginx is no measure: Brotli and Zstandard beside gzip, chosen by weight.

use crate::support::client::Response;
use crate::support::conf::Conf;
use crate::support::server::Server;

fn server(directives: &str) -> Server {
    let server = Server::drover(Conf::workers(1).server(directives));
    for (name, content) in [
        ("all.js", "as it is"),
        ("all.js.br", "brotli"),
        ("all.js.zst", "zstandard"),
        ("all.js.gz", "gzip"),
        ("gz.js", "as it is"),
        ("gz.js.gz", "gzip"),
        ("none.js", "as it is"),
        ("only.js.br", "brotli"),
    ] {
        server.file(name, content);
    }
    server
}

fn ask(server: &Server, target: &str, fields: &str) -> Response {
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n");
    server.connect().send(request).response().expect("an answer")
}

fn accept(server: &Server, target: &str, accept: &str) -> (String, Option<String>) {
    let response = ask(server, target, &format!("Accept-Encoding: {accept}\r\n"));
    let sent = response.header("Content-Encoding").unwrap_or("-").to_owned();
    let is_coded = sent != "-";
    let text = response.text();
    let expected = [("br", "brotli"), ("zstd", "zstandard"), ("gzip", "gzip"), ("-", "as it is")];
    if response.status == 200 {
        assert!(expected.contains(&(&*sent, &*text)), "{sent}: {text}");
    } else {
        assert!(!is_coded, "{sent} with a {}", response.status);
        return (response.status.to_string(), response.header("Vary").map(str::to_owned));
    }
    (sent, response.header("Vary").map(str::to_owned))
}

#[test]
fn the_greatest_weight_is_sent_and_of_equal_ones_the_smallest() {
    let server = server("brotli_static on; zstd_static on; gzip_static on;");
    for (list, sent) in [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("br;q=0.5, gzip;q=0.8, zstd;q=0.7", "gzip"),
        ("br;q=0, *", "zstd"),
        ("*;q=0.1", "br"),
        ("*;q=0, gzip", "gzip"),
        ("identity, br;q=0.9", "-"),
        ("identity;q=0.5, br;q=0.9", "br"),
        ("identity;q=0.5, br;q=0.5", "br"),
        ("deflate", "-"),
        ("br;q=2", "-"),
        ("", "-"),
        ("identity;q=0, br", "br"),
        ("identity;q=0", "406"),
        ("*;q=0", "406"),
    ] {
        let vary = Some("Accept-Encoding".to_owned());
        assert_eq!(accept(&server, "/all.js", list), (sent.to_owned(), vary), "{list}");
    }
    assert_eq!(ask(&server, "/all.js", "").text(), "as it is");
    assert_eq!(ask(&server, "/all.js", "Accept-Encoding: gzip\r\nAccept-Encoding: br\r\n").text(), "brotli");
}

#[test]
fn what_is_not_there_is_not_sent() {
    let server = server("brotli_static on; zstd_static on; gzip_static on;");
    let vary = Some("Accept-Encoding".to_owned());
    assert_eq!(accept(&server, "/gz.js", "br, zstd, gzip;q=0.1"), ("gzip".to_owned(), vary.clone()));
    assert_eq!(accept(&server, "/gz.js", "br, zstd"), ("-".to_owned(), vary.clone()));
    assert_eq!(accept(&server, "/gz.js", "br, identity;q=0").0, "406");
    assert_eq!(accept(&server, "/none.js", "br, zstd, gzip"), ("-".to_owned(), None));
    assert_eq!(accept(&server, "/none.js", "br, identity;q=0").0, "406");
    assert_eq!(accept(&server, "/missing.js", "br, identity;q=0").0, "404");
    assert_eq!(accept(&server, "/only.js", "br"), ("br".to_owned(), vary));
    assert_eq!(accept(&server, "/only.js", "gzip").0, "404");
}

#[test]
fn always_needs_no_asking() {
    let server = server(
        "gzip_static always; location /b/ { brotli_static always; gzip_static on; alias %root%/; } \
         location /m/ { brotli_static on; alias %root%/; }",
    );
    assert_eq!(accept(&server, "/all.js", "identity").0, "gzip");
    assert_eq!(accept(&server, "/b/all.js", "identity").0, "br");
    assert_eq!(accept(&server, "/b/all.js", "gzip").0, "gzip", "who says what it takes gets that");
    assert_eq!(accept(&server, "/m/all.js", "br").0, "br");
    assert_eq!(accept(&server, "/m/all.js", "identity").0, "gzip");
}

#[test]
fn each_coding_is_a_representation_of_its_own() {
    let server = server("brotli_static on; zstd_static on; gzip_static on; gzip_proxied any; gzip_http_version 1.0;");
    let get = |coding: &str, fields: &str| ask(&server, "/all.js", &format!("Accept-Encoding: {coding}\r\n{fields}"));
    let etags = ["br", "zstd", "gzip", "identity"].map(|coding| {
        let response = get(coding, "");
        assert_eq!(response.header("Content-Length").unwrap(), response.body.len().to_string());
        assert_eq!(response.header("Content-Type"), Some("text/javascript"));
        let etag = response.header("ETag").unwrap().to_owned();
        assert_eq!(get(coding, &format!("If-None-Match: {etag}\r\n")).status, 304, "{coding}");
        assert_eq!(get(coding, &format!("If-Match: {etag}\r\n")).status, 200, "{coding}");
        let range = get(coding, &format!("Range: bytes=1-3\r\nIf-Range: {etag}\r\n"));
        assert_eq!((range.status, &range.body[..]), (206, &response.body[1..4]), "{coding}");
        etag
    });
    for (i, etag) in etags.iter().enumerate() {
        assert!(!etags[..i].contains(etag), "{etags:?}");
    }
    assert!(etags[0].ends_with("-br\"") && etags[1].ends_with("-zstd\""), "{etags:?}");
    let other = get("br", &format!("Range: bytes=1-3\r\nIf-Range: {}\r\n", etags[1]));
    assert_eq!((other.status, other.text()), (200, "brotli".to_owned()));
}

#[test]
fn what_gzip_s_directives_refuse_is_refused_for_all_codings() {
    let server = server("brotli_static on; gzip_disable old;");
    let get = |fields: &str| ask(&server, "/all.js", &format!("Accept-Encoding: br\r\n{fields}")).text();
    assert_eq!(get(""), "brotli");
    assert_eq!(get("Via: 1.1 proxy\r\n"), "as it is");
    assert_eq!(get("User-Agent: Very Old\r\n"), "as it is");
    let old = "GET /all.js HTTP/1.0\r\nAccept-Encoding: br\r\n\r\n";
    assert_eq!(server.connect().send(old).response().unwrap().text(), "as it is");
}
