//! curl, nghttp and h2load, which keep to the rules.

use std::process::{Command, Output};

use crate::support::conf::Conf;
use crate::support::h2::H2;
use crate::support::server::Server;
use crate::{conf, server};

/// Runs a client to its end; panics, with all it said, when it fails.
#[track_caller]
fn run(program: &str, args: &[&str]) -> Vec<u8> {
    let Output { status, stdout, stderr } =
        Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(status.success(), "{program} {args:?}: {status}\n{}", String::from_utf8_lossy(&stderr));
    stdout
}

fn curl(server: &Server, path: &str, more: &[&str]) -> String {
    let url = server.url(path);
    let args = [&["-sS", "--http2-prior-knowledge", "--max-time", "60"], more, &[&url]].concat();
    String::from_utf8_lossy(&run("curl", &args)).into_owned()
}

#[test]
fn curl_gets_what_it_asks_for() {
    let server = server(conf().http("gzip on; gzip_types text/plain; default_type text/plain;"));
    assert_eq!(curl(&server, "/", &["-w", " %{http_version}"]), "hello 2");
    assert_eq!(curl(&server, "/large", &["-w", "%{size_download}", "-o", "/dev/null"]), "2000000");
    assert_eq!(curl(&server, "/large", &["--compressed"]).len(), 2_000_000);
    assert_eq!(curl(&server, "/small12", &["-r", "2-3"]), "al");
    let head = curl(&server, "/", &["-I"]);
    assert!(head.starts_with("HTTP/2 200") && head.contains("content-length: 5") && !head.contains("connection"));
    // The answer comes before the body has been sent, which is no failure.
    assert!(curl(&server, "/", &["-d", "abc"]).contains("405 Not Allowed"));
    let body = "x".repeat(60_000);
    assert!(curl(&server, "/", &["-d", &body]).contains("405 Not Allowed"));
    // Several requests of one curl are asked for over TLS (tests/tls/http2.rs): without, curl 7.88.1 fails now and then
    // when it takes its connection again (16, "Error in the HTTP2 framing layer"), with nginx as well.
}

#[test]
fn curl_sends_the_rest_of_a_body_that_is_answered() {
    let more = "location /text { return 200 text; } location /none { return 204; } location /moved { return 301 /; }
                location /t { add_trailer X-End \"$status\"; return 200 text; }
                location /large { error_page 405 =200 /large; }";
    let server = server(conf().server(more));
    let body = server.inside("body");
    std::fs::write(&body, vec![b'x'; 100_000]).expect("a body");
    let body = format!("@{}", body.display());
    for (path, said) in [("/text", "200 4"), ("/none", "204 0"), ("/t", "200 4"), ("/large", "200 2000000")] {
        let show = "%{http_code} %{size_download}";
        let args = ["-H", "Expect:", "--data-binary", &body, "-o", "/dev/null", "-w", show];
        assert_eq!(curl(&server, path, &args), said);
    }
    for (path, code) in [("/moved", "301"), ("/small1", "405")] {
        let args = ["-H", "Expect:", "--data-binary", &body, "-o", "/dev/null", "-w", "%{http_code}"];
        assert_eq!(curl(&server, path, &args), code);
    }
    let body = &body[1..];
    let said = run("nghttp", &["-n", "-s", "-t", "60", "-d", body, &server.url("/text")]);
    assert!(String::from_utf8_lossy(&said).contains("  200  "));
}

#[test]
fn nghttp_gets_several_at_once() {
    let server = server(conf().server("location /t { add_trailer X-End \"$status\"; return 200 text; }"));
    let urls: Vec<String> = (0..20).map(|n| server.url(&format!("/small{n}"))).chain([server.url("/large")]).collect();
    let args: Vec<&str> = ["-n", "-s", "-t", "60"].into_iter().chain(urls.iter().map(String::as_str)).collect();
    let said = String::from_utf8_lossy(&run("nghttp", &args)).into_owned();
    assert_eq!(said.lines().filter(|line| line.contains("  200  ")).count(), 21, "{said}");
    let padded = run("nghttp", &["-n", "-s", "-t", "60", "-b", "100", "--header-table-size=0", &server.url("/large")]);
    assert!(String::from_utf8_lossy(&padded).contains("  200  "));
    let trailers = run("nghttp", &["-n", "-v", "-t", "60", &server.url("/t")]);
    assert!(String::from_utf8_lossy(&trailers).contains("x-end: 200"));
}

#[test]
fn h2load_gets_all_of_many() {
    let server = server(Conf::workers(2).server("http2 on; keepalive_requests 100000;"));
    let list = server.inside("urls");
    let urls: String = (0..100).map(|n| server.url(&format!("/small{n}")) + "\n").collect();
    std::fs::write(&list, urls).expect("a list");
    let list = list.to_str().expect("UTF-8");
    for args in [["-n", "5000", "-c", "4", "-m", "32", "-i", list], ["-n", "5000", "-c", "20", "-m", "100", "-i", list]]
    {
        let said = String::from_utf8_lossy(&run("h2load", &args)).into_owned();
        assert!(said.contains("5000 succeeded, 0 failed, 0 errored, 0 timeout"), "{said}");
    }
    let url = server.url("/large");
    let said = String::from_utf8_lossy(&run("h2load", &["-n", "60", "-c", "3", "-m", "10", &url])).into_owned();
    assert!(said.contains("60 succeeded, 0 failed"), "{said}");
    let sums = server.ledger().sums();
    assert_eq!(sums.requests, 10_060);
    // Nothing of it is left.
    let mut client = H2::connect(server.addr());
    assert_eq!(client.get(1, "/").text(), "hello");
}
