//! curl, ab and wrk, and not one failed request.

use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::tools;

fn no_request_fails(workers: usize, events: &str) {
    // wrk counts a close as an error, and a fast machine asks more than the default of 1,000 on each connection.
    let server = Server::drover(Conf::workers(workers).events(events).server("keepalive_requests 1000000;"));
    server.file("index.html", "x".repeat(1024)).file("big.bin", vec![7; 100 * 1024]);
    let (small, big) = (server.url("/index.html"), server.url("/big.bin"));

    let run = tools::ab(&["-n3000", "-c30", &small]);
    assert_eq!((run.complete, run.failed), (3000, 0), "{}", run.report);
    let run = tools::ab(&["-k", "-n6000", "-c30", &small]);
    assert_eq!((run.complete, run.failed), (6000, 0), "{}", run.report);
    assert_eq!(run.keep_alive, 6000, "{}", run.report);
    let run = tools::ab(&["-k", "-n300", "-c10", &big]);
    assert_eq!((run.complete, run.failed), (300, 0), "{}", run.report);

    for url in [&small, &big] {
        let run = tools::wrk(&["-t1", "-c40", "-d1s", url]);
        assert!(run.complete > 0 && run.failed == 0, "{}", run.report);
    }
    let run = tools::wrk(&["-t1", "-c40", "-d1s", "-H", "Connection: close", &small]);
    assert!(run.complete > 0 && run.failed == 0, "{}", run.report);
}

#[test]
fn one_worker_with_the_mutex() {
    no_request_fails(1, "accept_mutex on;");
}

#[test]
fn one_worker_without_the_mutex() {
    no_request_fails(1, "accept_mutex off;");
}

#[test]
fn four_workers_with_the_mutex() {
    no_request_fails(4, "accept_mutex on;");
}

#[test]
fn four_workers_without_the_mutex() {
    no_request_fails(4, "accept_mutex off;");
}

#[test]
fn four_workers_that_accept_all_that_wait() {
    no_request_fails(4, "accept_mutex on; multi_accept on;");
}

#[test]
fn four_workers_as_a_herd() {
    no_request_fails(4, "dispatch herd;");
}

#[test]
fn curl_gets_files_ranges_and_errors() {
    let server = Server::drover(Conf::workers(2).server("index index.html;"));
    server.file("index.html", "hello").file("dir/index.html", "dir").file("digits", "0123456789");
    let curl = |args: &[&str]| tools::run("curl", &[&["-s", "-S", "--max-time", "20"], args].concat());
    assert_eq!(curl(&[&server.url("/")]), "hello");
    assert_eq!(curl(&["-L", &server.url("/dir")]), "dir");
    assert_eq!(curl(&["-r", "2-4", &server.url("/digits")]), "234");
    assert_eq!(curl(&["-o", "/dev/null", "-w", "%{http_code}", &server.url("/none")]), "404");
    assert_eq!(curl(&["--http1.0", &server.url("/")]), "hello");
    let twice = curl(&["-w", "%{num_connects} ", &server.url("/"), &server.url("/digits")]);
    assert_eq!(twice, "hello1 01234567890 ", "the second request uses the first one's connection");
}
