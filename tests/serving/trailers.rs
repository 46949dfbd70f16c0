//! Trailers where nginx 1.28 is no measure: `add_trailer_inherit`, which it has from 1.29.3 on, and what `gzip_cache`
//! keeps.

use crate::codings::{GZIP, ask, gunzip, text};
use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::until;

fn trailers(client: &mut Client, target: &str) -> String {
    let response = client.get(target);
    assert_eq!((response.status, response.text().as_str()), (200, target));
    response.trailers.join(", ")
}

#[test]
fn blocks_inherit_trailers_as_they_say() {
    let server = Server::drover(Conf::workers(1).server(
        "add_trailer X a; add_trailer Y b; \
         location / { return 200 $uri; } \
         location /own { add_trailer X c; return 200 $uri; } \
         location /off { add_trailer_inherit off; return 200 $uri; } \
         location /merge { add_trailer_inherit merge; add_trailer X c; return 200 $uri; \
             location /merge/empty { return 200 $uri; } \
             location /merge/on { add_trailer_inherit on; add_trailer X d; return 200 $uri; } }",
    ));
    let mut client = server.connect();
    for (target, expected) in [
        ("/", "X: a, Y: b"),
        ("/own", "X: c"),
        ("/off", ""),
        ("/merge", "X: c, X: a, Y: b"),
        ("/merge/empty", "X: c, X: a, Y: b"),
        ("/merge/on", "X: d"),
    ] {
        assert_eq!(trailers(&mut client, target), expected, "{target}");
    }
}

#[test]
fn what_is_kept_goes_out_in_chunks_where_trailers_follow() {
    let conf = Conf::workers(1).http("gzip on; gzip_types *; add_trailer X-End \"$uri $status\";");
    let server = Server::drover(conf.server("location /plain/ { alias %root%/; add_trailer_inherit off; }"));
    // Two lengths of gzip: a part of the cache, and several.
    for len in [60_000, 1 << 20] {
        let name = format!("{len}.txt");
        server.file(&name, text(len));
        let plain = format!("/plain/{name}");
        let kept = until("an answer with a length", || {
            let kept = ask(&server, &plain, GZIP);
            kept.header("Content-Length").is_some().then_some(kept)
        });
        for _ in 0..2 {
            let response = ask(&server, &format!("/{name}"), GZIP);
            assert_eq!(response.header("Transfer-Encoding"), Some("chunked"));
            assert_eq!(response.header("Content-Length"), None);
            assert!(response.body == kept.body && gunzip(&response.body, len) == text(len));
            assert_eq!(response.trailers, [format!("X-End: /{name} 200")]);
        }
    }
}

/// A large file is compressed as it is sent: its trailers are filled in when that is done.
#[test]
fn trailers_are_filled_in_behind_what_is_compressed() {
    let conf = Conf::workers(1).http("gzip on; gzip_types *; gzip_cache off; add_trailer X-Sent $bytes_sent;");
    let server = Server::drover(conf.server("location = /now { return 200 now; }"));
    server.file("large.txt", text(4 << 20));
    let mut client = server.connect();
    let response = client.send(format!("GET /large.txt HTTP/1.1\r\nHost: a\r\n{GZIP}\r\n")).response().unwrap();
    let sent: usize = response.trailers[0].strip_prefix("X-Sent: ").unwrap().parse().unwrap();
    assert!(sent > response.body.len(), "{sent} bytes are queued by then, with their chunks");
    assert_eq!(client.get("/now").trailers, ["X-Sent: 0"]);
}
