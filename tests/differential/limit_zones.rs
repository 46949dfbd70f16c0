//! Zones of limits in the life of a service: through a reload, and when they are full.

use nix::sys::signal::Signal;

use crate::support::client::Client;
use crate::support::server::Product::{Drover, Nginx};
use crate::support::server::{Server, Setup};
use crate::support::until_true;

/// A conf whose `/mark` tells it from others, with these zones.
fn conf(mark: &str, req: &str, conn: &str) -> String {
    format!(
        "%main%\nworker_processes 2;\nevents {{ worker_connections 700; }}\nhttp {{ %http% \
         limit_req_zone {req} rate=1r/m; limit_conn_zone {conn}; \
         server {{ listen 127.0.0.1:%port%; root %root%; access_log off; limit_rate $arg_rate; \
         location /req {{ limit_req zone=req burst=1 nodelay; try_files /page.html =404; }} \
         location /conn {{ limit_conn conn 1; try_files /page.html =404; }} \
         location = /mark {{ return 200 {mark}; }} }} }}\n"
    )
}

fn ask(server: &Server, target: &str) -> u16 {
    server.connect().send(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).status()
}

/// A client whose answer takes a long time.
fn slow(server: &Server, target: &str) -> Client {
    let mut client = server.connect();
    client.send(format!("GET {target}&rate=20 HTTP/1.1\r\nHost: a\r\n\r\n"));
    client
}

fn reload(server: &Server, mark: &str, req: &str, conn: &str) {
    server.rewrite_conf(conf(mark, req, conn));
    server.signal(Signal::SIGHUP);
    // A worker of the old conf takes nobody any more once a new one has answered twice in a row and the old have
    // closed their sockets: each asks on a connection of its own.
    let answers = |_: u32| server.connect().get("/mark").text() == mark;
    until_true("the new conf alone answers", || (0..20).all(answers));
}

#[test]
fn zones_are_kept_through_a_reload_that_does_not_change_them() {
    let told = [Nginx, Drover].map(|product| {
        let (req, conn) = ("$arg_k zone=req:32k", "$arg_c zone=conn:32k");
        let server = Setup::new(product, conf("one", req, conn)).start();
        server.file("page.html", "<p>page</p>\n".repeat(20));
        let mut told = Vec::new();
        told.extend([1, 1, 1, 2].map(|k| ask(&server, &format!("/req?k={k}"))));
        let mut held = slow(&server, "/conn?c=1");
        told.push(held.status());
        told.extend(["/conn?c=1", "/conn?c=2"].map(|target| ask(&server, target)));

        reload(&server, "two", req, conn);
        told.extend(["/req?k=1", "/req?k=2", "/req?k=2", "/conn?c=1", "/conn?c=2"].map(|target| ask(&server, target)));
        // The client of an old worker goes, and the new ones know.
        drop(held);
        until_true("nobody is answered", || ask(&server, "/conn?c=1") == 200);

        // Another size is another zone.
        reload(&server, "three", "$arg_k zone=req:64k", conn);
        told.extend([1, 1, 1].map(|k| ask(&server, &format!("/req?k={k}"))));

        // Another key can't be counted in the same memory: the conf is refused.
        for (mark, req, conn, sentence) in [
            (
                "four",
                "$arg_j zone=req:64k",
                conn,
                "limit_req \"req\" uses the \"$arg_j\" key while previously it used the \"$arg_k\" key",
            ),
            (
                "five",
                "$arg_k zone=req:64k",
                "$arg_d zone=conn:32k",
                "limit_conn_zone \"conn\" uses the \"$arg_d\" key while previously it used the \"$arg_c\" key",
            ),
        ] {
            server.rewrite_conf(self::conf(mark, req, conn));
            server.signal(Signal::SIGHUP);
            until_true("the log says why", || {
                server.error_log().lines().any(|line| line.contains("[emerg]") && line.contains(sentence))
            });
            assert_eq!(server.connect().get("/mark").text(), "three");
            told.push(ask(&server, "/req?k=1"));
        }
        told
    });
    assert_eq!(told[0], told[1]);
    assert_eq!(told[1], [200, 200, 503, 200, 200, 503, 200, 503, 200, 503, 503, 200, 200, 200, 503, 503, 503]);
}

/// How many clients a zone has room for is the matter of each product; what it says is not.
#[test]
fn a_full_zone_refuses_and_says_so_as_nginx_does() {
    let told = [Nginx, Drover].map(|product| {
        let server = Setup::new(product, conf("one", "$arg_k zone=req:32k", "$arg_c zone=conn:32k")).start();
        server.file("page.html", "<p>page</p>\n".repeat(20));
        let mut clients = Vec::new();
        let refused = (0..600).find(|n| {
            let mut client = slow(&server, &format!("/conn?c={n:0>250}"));
            let status = client.status();
            clients.push(client);
            status != 200
        });
        let refused = refused.expect("a full zone");
        assert!(refused > 10, "{product:?} has room for {refused}");
        let known = ask(&server, "/conn?c=");
        let line = server.error_log().lines().find(|line| line.contains("no memory")).map(str::to_owned);
        let line = line.expect("a line about the zone");
        (known, line[line.find('[').unwrap_or(0)..].to_owned())
    });
    let [(known, nginx), (drover_known, drover)] = told;
    assert_eq!(known, drover_known);
    let words = |line: &str| {
        let (level, rest) = line.split_once(' ').expect("a level");
        format!("{level} {}", rest.split_once(": ").expect("a process").1)
    };
    assert_eq!(words(&nginx), words(&drover));
}
