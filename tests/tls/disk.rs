//! Files of a slow disk, and files that become shorter, within TLS.

use std::fs::File;

use crate::site::{A, Files, Site};
use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::fuse::{Ask, SlowDisk, contents};
use crate::support::h2::{H2, get};
use crate::support::until_true;

const LONG: u64 = 700_000;

/// RFC 9113, section 7.
const INTERNAL_ERROR: u32 = 2;

fn site(model: &str, directives: &str) -> Site {
    let conf = Conf::workers(1).dispatch(model).listen("127.0.0.1:%port% ssl").server(A);
    let site = Files::new().start(conf.server(&format!("http2 on; {directives}")));
    site.file("fast", "fast").file("large", vec![b'f'; 300_000]);
    site
}

fn send(client: &mut Client, target: &str) {
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
}

#[test]
fn whoever_asks_for_a_slow_file_waits_alone() {
    let disk = SlowDisk::mount(&[("long", LONG), ("other", LONG)]);
    for sendfile in ["on", "off"] {
        let slow = format!("location /slow/ {{ alias {}/; }}", disk.path().display());
        let site = site("exclusive", &format!("aio threads; sendfile {sendfile}; {slow}"));
        let wish = site.wish();
        let (mut fast, mut slow) = (wish.connect(site.addr()), wish.connect(site.addr()));
        let mut streams = H2::secure(site.addr(), &wish);
        assert_eq!((fast.get("/fast").text(), streams.get(1, "/fast").text()), ("fast".into(), "fast".into()));
        for (turn, ask) in [Ask::Look, Ask::Read].into_iter().enumerate() {
            let stream = turn as u32 * 10 + 3;
            disk.stop(ask);
            send(&mut slow, "/slow/long");
            until_true("the disk is asked", || disk.held() > 0);
            // The kernel asks for one name in a directory at a time, so that this may not have come to the disk yet.
            streams.ask(stream, &get("/slow/other"));
            for n in 0..3 {
                assert_eq!(fast.get("/large").body.len(), 300_000);
                assert_eq!(streams.get(stream + 2 + 2 * n, "/large").body.len(), 300_000);
                assert_eq!(wish.connect(site.addr()).get("/fast").text(), "fast");
            }
            disk.go_on();
            assert!(slow.response().expect("the slow answer").body == contents(LONG), "{ask:?}");
            assert!(streams.answer(stream).body == contents(LONG), "{ask:?}");
        }
    }
}

/// The file is open, and believed to be as long as it was.
#[test]
fn a_file_that_is_cut_ends_the_connection_or_the_stream() {
    for model in ["exclusive", "prefork", "thread_pool worker_threads=1", "leader_follower worker_threads=1"] {
        for directives in ["", "sendfile off;", "aio threads;"] {
            let what = format!("{model}, {directives}");
            let site = site(model, &format!("open_file_cache max=9; open_file_cache_valid 1d; {directives}"));
            let whole = vec![b'o'; 1_000_000];
            site.file("alone", &whole).file("stream", &whole);
            let path = |name| site.dir().join("root").join(name);
            let cut = |name| {
                let file = File::options().write(true).open(path(name)).expect("the file");
                file.set_len(100_000).expect("truncate");
            };
            let is_named = |name| {
                let said = format!("pread() reported that \"{}\" was truncated at ", path(name).display());
                site.error_log().lines().any(|line| line.contains("[alert]") && line.contains(&said))
            };

            let mut client = site.wish().connect(site.addr());
            assert!(client.get("/alone").body == whole, "{what}");
            cut("alone");
            send(&mut client, "/alone");
            let part = client.response().expect("a part of a response");
            assert!(part.ended_by_close && part.body.len() <= 100_000 && whole.starts_with(&part.body), "{what}");
            until_true("the log names the file", || is_named("alone"));
            drop(client);

            let mut streams = H2::secure(site.addr(), &site.wish());
            assert!(streams.get(1, "/stream").body == whole, "{what}");
            cut("stream");
            let part = streams.get(3, "/stream");
            assert_eq!((part.is_whole, part.reset), (false, Some(INTERNAL_ERROR)), "{what}");
            assert!(part.body.len() <= 100_000 && whole.starts_with(&part.body), "{what}");
            assert_eq!(streams.get(5, "/fast").text(), "fast", "{what}: the connection goes on");
            until_true("the log names the file", || is_named("stream"));
        }
    }
}
