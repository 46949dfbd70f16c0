//! Bodies that are made as they are sent, and tags made of contents.

use drover::dispatch::ModelKind;
use flate2::{Decompress, FlushDecompress, Status};

use crate::service::{Service, Want};
use crate::support::client::{Client, Response};
use crate::support::until;

const SERVER: &str = "gzip on; gzip_types *; location /static/ { gzip_static on; gzip off; } \
    location /tags/ { gzip off; etag content; }";

/// A text that gzip makes half as long, so that a client that does not read stops the server.
fn text(len: usize) -> Vec<u8> {
    let mut n: u64 = 1;
    let mut next = || {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        b'a' + (n >> 60) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn ask(client: &mut Client, target: &str) -> Response {
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"));
    client.response().expect("an answer")
}

#[track_caller]
fn assert_gzip_of(response: &Response, text: &[u8]) {
    assert_eq!(response.header("Content-Encoding"), Some("gzip"));
    let mut out = vec![0; text.len() + 1];
    let mut gzip = Decompress::new_gzip(15);
    let done = gzip.decompress(&response.body, &mut out, FlushDecompress::Finish);
    assert!(matches!(done, Ok(Status::StreamEnd)), "{done:?}");
    assert!(gzip.total_out() == text.len() as u64 && out.starts_with(text), "another text");
}

/// The gzip of a file that has settled comes with its length once it is kept.
fn kept(client: &mut Client, target: &str) -> Response {
    until("an answer with a length", || {
        let response = ask(client, target);
        response.header("Content-Length").is_some().then_some(response)
    })
}

/// The first gzip of a file, one that is kept, one that is there as a file, and one for a client that does not read:
/// the others have theirs meanwhile.
pub fn gzip(kind: &'static ModelKind) {
    let want = Want::of(kind).server(SERVER).param("worker_threads", 4).param("fork_max", 8);
    let service = want.start();
    let (short, long) = (text(50_000), text(4 << 20));
    service.file("short.txt", &short).file("long.txt", &long);
    service.file("static/a.txt", "as it is").file("static/a.txt.gz", "not really");
    let mut client = service.connect();
    let first = ask(&mut client, "/short.txt");
    assert_gzip_of(&first, &short);
    let again = kept(&mut client, "/short.txt");
    assert_gzip_of(&again, &short);
    let there = ask(&mut client, "/static/a.txt");
    assert_eq!((there.header("Content-Encoding"), there.text().as_str()), (Some("gzip"), "not really"));
    drop(client);
    let mut slow = service.connect();
    slow.send("GET /long.txt HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n");
    slow.wait_for_bytes(1000);
    let mut quick = service.connect();
    assert_gzip_of(&ask(&mut quick, "/short.txt"), &short);
    drop(quick);
    assert_gzip_of(&slow.response().expect("all of it"), &long);
    drop(slow);
    service.end();
}

/// A file of either side of the length up to which files are hashed at once.
pub fn tags_of_contents(kind: &'static ModelKind) {
    use sha2::{Digest, Sha256};
    let service: Service = Want::of(kind).server(SERVER).start();
    for content in [b"abc".to_vec(), text(1 << 20)] {
        service.file("tags/a.txt", &content);
        let hex: String = Sha256::digest(&content)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let response = until("an answer with a tag", || {
            let response = ask(&mut service.connect(), "/tags/a.txt");
            assert!(response.body == content && response.header("Last-Modified").is_none());
            response.header("ETag").is_some().then_some(response)
        });
        assert_eq!(response.header("ETag"), Some(&*format!("\"{hex}\"")));
    }
    service.end();
}
