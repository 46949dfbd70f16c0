//! `etag content`: tags made of what files hold, the same in every worker and on every machine, whatever the times are.

use std::fs::File;
use std::time::{Duration, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::codings::{GZIP, ask, text};
use crate::support::client::Response;
use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::until;

fn server(directives: &str) -> Server {
    Server::drover(Conf::workers(1).server(&format!("etag content; {directives}")))
}

/// Makes a file whose time is the first second of 1970, as in images and in Nix's store.
fn put(server: &Server, name: &str, content: impl AsRef<[u8]>) {
    server.file(name, content);
    let path = server.dir().join("root").join(name);
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1)).unwrap();
}

fn tag(content: impl AsRef<[u8]>) -> String {
    let hex: String = Sha256::digest(content.as_ref())[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// The first answer with a tag: a file that has just changed has none yet.
fn tagged(server: &Server, target: &str) -> Response {
    until("an answer with a tag", || {
        let response = ask(server, target, "");
        assert_eq!(response.header("Last-Modified"), None);
        response.header("ETag").is_some().then_some(response)
    })
}

fn etag_of(server: &Server, target: &str) -> String {
    tagged(server, target).header("ETag").unwrap().to_owned()
}

#[test]
fn a_tag_follows_the_content_and_not_the_times() {
    let server = server("location /on/ { etag on; alias %root%/; } location /off/ { etag off; alias %root%/; }");
    put(&server, "a.txt", "abc");
    assert_eq!(etag_of(&server, "/a.txt"), "\"ba7816bf8f01cfea414140de5dae2223\"");
    put(&server, "b.txt", "abc");
    assert_eq!(etag_of(&server, "/b.txt"), tag("abc"), "another file");
    put(&server, "a.txt", "abd");
    assert_eq!(etag_of(&server, "/a.txt"), tag("abd"), "another content, the same size and time");
    server.file("a.txt", "abd");
    assert_eq!(etag_of(&server, "/a.txt"), tag("abd"), "another time, the same content");
    put(&server, "empty", "");
    assert_eq!(etag_of(&server, "/empty"), tag(""));
    let on = ask(&server, "/on/b.txt", "");
    assert_eq!(
        (on.header("ETag"), on.header("Last-Modified")),
        (Some("\"1-3\""), Some("Thu, 01 Jan 1970 00:00:01 GMT"))
    );
    let off = ask(&server, "/off/b.txt", "");
    assert_eq!((off.header("ETag"), off.header("Last-Modified").is_some()), (None, true));
}

#[test]
fn conditions_compare_the_tag() {
    let server = server("location /ages/ { expires modified 1h; alias %root%/; }");
    put(&server, "a.txt", "0123456789");
    let etag = etag_of(&server, "/a.txt");
    let status = |fields: &str| ask(&server, "/a.txt", fields).status;
    assert_eq!(status(&format!("If-None-Match: {etag}\r\n")), 304);
    assert_eq!(status("If-None-Match: \"x\"\r\n"), 200);
    assert_eq!(status(&format!("If-Match: {etag}\r\n")), 200);
    assert_eq!(status("If-Match: \"x\"\r\n"), 412);
    assert_eq!(status("If-Modified-Since: Thu, 01 Jan 1970 00:00:01 GMT\r\n"), 200, "the time says nothing");
    assert_eq!(status("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n"), 200);
    let range = "Range: bytes=2-4\r\n";
    let part = ask(&server, "/a.txt", &format!("{range}If-Range: {etag}\r\n"));
    assert_eq!((part.status, part.text().as_str(), part.header("ETag")), (206, "234", Some(&*etag)));
    assert_eq!(part.header("Last-Modified"), None);
    assert_eq!(status(&format!("{range}If-Range: \"x\"\r\n")), 200);
    assert_eq!(status(&format!("{range}If-Range: Thu, 01 Jan 1970 00:00:01 GMT\r\n")), 200);
    let unchanged = ask(&server, "/a.txt", "If-None-Match: *\r\n");
    assert_eq!((unchanged.header("ETag"), unchanged.header("Last-Modified")), (Some(&*etag), None));
    let parts = ask(&server, "/a.txt", "Range: bytes=0-0,2-3\r\n");
    assert_eq!((parts.status, parts.header("ETag"), parts.header("Last-Modified")), (206, Some(&*etag), None));
    let aged = ask(&server, "/ages/a.txt", "");
    assert_eq!(aged.header("Cache-Control"), Some("max-age=3600"), "counted from now, as without a time");
}

#[test]
fn each_coding_has_a_tag_of_its_own() {
    let server =
        server("gzip_static on; brotli_static on; location /gzip/ { gzip on; gzip_static off; alias %root%/; }");
    put(&server, "a.html", text(1000));
    let plain = etag_of(&server, "/a.html");
    put(&server, "a.html.gz", "gzip");
    put(&server, "a.html.br", "gzip");
    let coded = |coding: &str, expected: &str| {
        until("a tag", || {
            let response = ask(&server, "/a.html", &format!("Accept-Encoding: {coding}\r\n"));
            assert_eq!(response.header("Content-Encoding"), Some(coding));
            let etag = response.header("ETag")?;
            assert_eq!(etag, expected);
            Some(())
        });
    };
    coded("gzip", &tag("gzip"));
    coded("br", &tag("gzip").replacen("\"", "", 1).replace('"', "-br\"").replacen("", "\"", 1));
    let zipped = ask(&server, "/gzip/a.html", GZIP);
    assert_eq!(zipped.header("ETag"), Some(&*format!("W/{plain}")));
    let status = |etag: &str| ask(&server, "/gzip/a.html", &format!("{GZIP}If-None-Match: {etag}\r\n")).status;
    assert_eq!((status(&plain), status("W/\"x\"")), (304, 200));
}

#[test]
fn a_large_file_has_no_tag_until_its_hash_is_there() {
    let server = server("");
    let content = text(1 << 20);
    put(&server, "large.txt", &content);
    put(&server, "small.txt", "abc");
    // From then on the large one, which is older, can't change without a sign either.
    tagged(&server, "/small.txt");
    let first = ask(&server, "/large.txt", "");
    assert_eq!((first.header("ETag"), first.header("Last-Modified")), (None, None));
    assert!(first.body == content);
    let part = ask(&server, "/large.txt", "Range: bytes=0-3\r\n");
    assert_eq!(part.status, 206);
    let etag = etag_of(&server, "/large.txt");
    assert_eq!(etag, tag(&content));
    for _ in 0..3 {
        assert_eq!(ask(&server, "/large.txt", "").header("ETag"), Some(&*etag), "it stays");
    }
    let mut changed = content;
    changed[77] ^= 1;
    put(&server, "large.txt", &changed);
    assert_eq!(etag_of(&server, "/large.txt"), tag(&changed));
}

#[test]
fn all_workers_have_the_same_tag() {
    let conf = Conf::workers(2).dispatch("reuseport").server("etag content; add_header X-Worker $pid;");
    let server = Server::drover(conf);
    let content = text(1 << 20);
    put(&server, "large.txt", &content);
    let mut workers = server.wait_for_workers(2);
    until("a tag from each worker", || {
        let response = ask(&server, "/large.txt", "");
        let etag = response.header("ETag")?;
        assert_eq!(etag, tag(&content));
        let worker = response.header("X-Worker").unwrap().parse::<i32>().unwrap();
        workers.retain(|pid| *pid != worker);
        workers.is_empty().then_some(())
    });
}
