//! How long a worker takes for true what it knows of a file, and which links it follows, in every kind of driver; and
//! where it has no descriptor left for one.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::h2::H2;
use crate::support::server::{Product, Server, Setup};
use crate::support::{proc, until_true};

const DRIVERS: [&str; 4] = ["exclusive", "prefork", "thread_pool", "leader_follower"];

fn server(dispatch: &str, directives: &str) -> Server {
    let conf = Conf::workers(1).dispatch(&one_thread(dispatch)).server(directives);
    Server::drover(conf)
}

/// Each thread has a cache of its own.
fn one_thread(dispatch: &str) -> String {
    match dispatch {
        "thread_pool" | "leader_follower" | "prefork" => format!("{dispatch} worker_threads=1"),
        other => other.to_owned(),
    }
}

fn replace(server: &Server, name: &str, text: &str) {
    let root = server.dir().join("root");
    std::fs::write(root.join("new"), text).expect("write");
    std::fs::rename(root.join("new"), root.join(name)).expect("rename");
}

#[test]
fn a_replaced_file_is_sent_as_it_was_until_the_cache_s_time_is_over() {
    for dispatch in DRIVERS {
        let server = server(
            dispatch,
            "open_file_cache max=100; open_file_cache_valid 1d; open_file_cache_errors on;
             location /short/ { alias %root%/; open_file_cache_valid 1; }
             location /other/ { alias %root%/; open_file_cache max=10; open_file_cache_errors off; }
             location /off/ { alias %root%/; open_file_cache off; }",
        );
        for (name, size) in [("small", 10), ("large", 300_000)] {
            let (old, new) = ("o".repeat(size), "n".repeat(size + 1));
            server.file(name, &old);
            let mut client = server.connect();
            assert_eq!(client.get(&format!("/{name}")).text(), old, "{dispatch}");
            replace(&server, name, &new);
            assert_eq!(client.get(&format!("/{name}")).text(), old, "{dispatch}: as it was");
            assert_eq!(client.get(&format!("/off/{name}")).text(), new, "{dispatch}: no cache is asked");
            assert_eq!(client.get(&format!("/other/{name}")).text(), new, "{dispatch}: another cache");
            assert_eq!(client.get(&format!("/{name}")).text(), old, "{dispatch}: still as it was");
            until_true("a second is over", || {
                std::thread::sleep(Duration::from_millis(50));
                client.get(&format!("/short/{name}")).text() == new
            });
            assert_eq!(client.get(&format!("/{name}")).text(), new, "{dispatch}: both places share the cache");
        }
        let mut client = server.connect();
        assert_eq!(client.get("/late").status, 404, "{dispatch}");
        server.file("late", "late");
        assert_eq!(client.get("/late").status, 404, "{dispatch}: failures are kept");
        assert_eq!(client.get("/other/late").text(), "late", "{dispatch}: not in this cache");
        std::fs::remove_file(server.dir().join("root/late")).expect("remove");
        assert_eq!(client.get("/other/late").text(), "late", "{dispatch}: it is there no more");
    }
}

#[test]
fn a_path_that_nobody_asks_for_is_forgotten_and_its_file_closed() {
    for dispatch in DRIVERS {
        let server = server(dispatch, "open_file_cache max=100 inactive=1s; open_file_cache_valid 1d;");
        server.file("large", vec![b'o'; 300_000]);
        let worker = server.wait_for_workers(1)[0];
        let is_open = || {
            let files = std::fs::read_dir(format!("/proc/{worker}/fd")).expect("the worker's descriptors");
            let targets = files.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
            targets.into_iter().any(|path| path.to_string_lossy().contains("/root/large"))
        };
        // A second after the request, which may have passed before the test looks, it is closed.
        until_true("the file is open", || server.connect().get("/large").status == 200 && is_open());
        replace(&server, "large", "new");
        until_true("the file is closed", || !is_open());
        assert_eq!(server.connect().get("/large").text(), "new", "{dispatch}");
    }
}

/// A file that has been found without the rule is no way around it.
#[test]
fn what_is_kept_of_a_file_is_no_way_around_disable_symlinks() {
    for dispatch in DRIVERS {
        for cache in ["", "open_file_cache max=100; open_file_cache_errors on;"] {
            let server = server(
                dispatch,
                &format!(
                    "{cache} location /open/ {{ alias %root%/; }} \
                     location /on/ {{ alias %root%/; disable_symlinks on; }} \
                     location /from/ {{ alias %root%/; disable_symlinks on from=%root%/dir; }}"
                ),
            );
            let root = server.dir().join("root");
            std::fs::create_dir(root.join("real")).expect("mkdir");
            server.file("real/file", "text").file("real/large", vec![b'x'; 300_000]);
            symlink("real/file", root.join("link")).expect("symlink");
            symlink("real", root.join("dir")).expect("symlink");
            let mut client = server.connect();
            for _ in 0..2 {
                for (target, status) in [
                    ("/open/link", 200),
                    ("/on/link", 403),
                    ("/open/dir/large", 200),
                    ("/on/dir/large", 404),
                    ("/on/real/large", 200),
                    ("/on/real/file", 200),
                    ("/from/dir/large", 200),
                    ("/from/link", 403),
                ] {
                    assert_eq!(client.get(target).status, status, "{dispatch}: {target}, {cache}");
                }
            }
            std::fs::remove_file(root.join("real/file")).expect("remove");
            symlink("large", root.join("real/file")).expect("symlink");
            let expected = if cache.is_empty() { 403 } else { 200 };
            assert_eq!(client.get("/on/real/file").status, expected, "{dispatch}: a link has taken its place");
        }
    }
}

/// Drivers whose worker, with `one_thread`, has all its descriptors once it answers: of several one may still begin.
const SINGLE: [&str; 2] = ["exclusive", "prefork"];

/// The number of the next descriptor that a process gets.
fn next_descriptor(pid: i32) -> usize {
    (0..).find(|number| !Path::new(&format!("/proc/{pid}/fd/{number}")).is_symlink()).expect("a number")
}

/// Both servers answer and log as `ngx_http_static_handler` does.
#[test]
fn a_file_for_which_no_descriptor_is_left_is_an_error_that_the_log_names() {
    let threads = ("exclusive", "aio threads;");
    let drovers = SINGLE.map(|dispatch| (dispatch, "")).into_iter().chain([threads]).map(Some);
    for drover in drovers.chain([None]) {
        let conf = Conf::workers(1);
        let (product, conf) = match drover {
            Some((dispatch, directives)) => (Product::Drover, conf.dispatch(&one_thread(dispatch)).server(directives)),
            None => (Product::Nginx, conf),
        };
        let server = Setup::new(product, conf).start();
        server.file("large", vec![b'x'; 300_000]);
        let mut client = server.connect();
        assert_eq!(client.get("/none").status, 404);
        proc::limit_descriptors(server.wait_for_workers(1)[0], 3);
        assert_eq!(client.get("/large").status, 500, "{drover:?}");
        assert!(client.is_closed_by_server(), "{drover:?}");
        let said = format!("open() \"{}/root/large\" failed (24: Too many open files)", server.dir().display());
        let log = server.error_log();
        let is_named = log.lines().any(|line| line.contains("[crit]") && line.contains(&said));
        assert!(is_named, "{drover:?}: {log}");
    }
}

#[test]
fn files_that_are_kept_open_give_their_descriptors_to_others() {
    for dispatch in SINGLE {
        for directives in ["", "open_file_cache max=9;", "aio threads;", "aio threads; open_file_cache max=9;"] {
            let server = server(dispatch, directives);
            server.file("first", vec![b'f'; 300_000]).file("second", vec![b's'; 300_000]);
            let mut client = server.connect();
            assert_eq!(client.get("/none").status, 404);
            assert_eq!(client.get("/first").body.len(), 300_000);
            let worker = server.wait_for_workers(1)[0];
            proc::limit_descriptors(worker, next_descriptor(worker));
            for name in ["second", "first", "second"] {
                let body = client.get(&format!("/{name}")).body;
                assert!(body == vec![name.as_bytes()[0]; 300_000], "{dispatch}, {directives}: {name}");
            }
        }
    }
}

/// Without one the worker can't be told that a thread is done.
#[test]
fn where_no_descriptor_is_left_for_the_threads_a_request_fails_and_does_not_wait() {
    let server = server("exclusive", "aio threads; http2 on; location /here { return 200 here; }");
    server.file("large", "large");
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    let mut streams = H2::connect(server.addr());
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/here").text(), "here"));
    assert_eq!(streams.get(1, "/here").text(), "here");
    proc::limit_descriptors(server.wait_for_workers(1)[0], 3);
    for (n, client) in (0..2).zip(&mut clients) {
        assert_eq!(client.get("/large").status, 500);
        assert_eq!(streams.get(3 + 2 * n, "/large").status(), "500");
    }
    assert_eq!((clients[2].get("/here").text(), streams.get(9, "/here").text()), ("here".into(), "here".into()));
    let said = "the threads of a pool can't be heard (24: Too many open files)";
    assert!(server.error_log().contains(said), "{}", server.error_log());
}
