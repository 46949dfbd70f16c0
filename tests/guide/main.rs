//! `conf/GUIDE.md`: each conf in it is run as it stands, but for addresses and paths.

#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};

use support::client::{Client, Response};
use support::server::{Product, Server, Setup};
use support::tls::{Authority, Wish};
use support::tools;

/// The chapters that have a conf; each has a test below.
const WITH_CONF: [&str; 6] =
    ["A single-page application", "HTTPS", "Downloads", "Behind a proxy", "Graphs and alerts", "Which dispatch model"];

fn guide() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/GUIDE.md");
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Headings and texts of the chapters.
fn chapters(guide: &str) -> impl Iterator<Item = (&str, &str)> {
    guide.split("\n## ").skip(1).filter_map(|chapter| chapter.split_once('\n'))
}

/// The confs of a chapter.
fn confs(text: &str) -> impl Iterator<Item = &str> {
    text.split("```nginx\n").skip(1).filter_map(|rest| rest.split("```").next())
}

/// The conf of a chapter, whole. `changes`: the test's ports and directories, each of which must fit.
#[track_caller]
fn conf(heading: &str, changes: &[(&str, &str)]) -> String {
    let guide = guide();
    let (_, chapter) = chapters(&guide).find(|(name, _)| *name == heading).expect("the chapter");
    let piece = confs(chapter).next().expect("a conf");
    let whole = match piece.split_once("http {\n") {
        Some((main, http)) => format!("%main%\n{main}http {{\n%http%\n{http}"),
        None => format!("%main%\nevents {{ }}\nhttp {{\n%http%\n{piece}\n}}\n"),
    };
    changes.iter().fold(whole, |text, (from, to)| {
        assert!(text.contains(from), "no {from:?} in\n{text}");
        text.replace(from, to)
    })
}

#[track_caller]
fn ask(server: &Server, target: &str, fields: &str) -> Response {
    let mut client = server.connect();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n{fields}\r\n"));
    client.response().expect("a response")
}

#[test]
fn every_chapter_with_a_conf_has_a_test_and_every_chapter_is_listed() {
    let guide = guide();
    let with_conf: Vec<&str> =
        chapters(&guide).filter(|(_, text)| confs(text).next().is_some()).map(|(name, _)| name).collect();
    assert_eq!(with_conf, WITH_CONF);
    for (heading, _) in chapters(&guide) {
        let anchor = heading.to_lowercase().replace(' ', "-");
        assert!(guide.contains(&format!("- [{heading}](#{anchor})\n")), "{heading}");
    }
}

/// The files in a folder and those below it.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("readdir").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}

/// Without `-c` drover takes its built-in conf, which has no pid file and nothing of the reader's.
#[test]
fn every_command_names_its_conf() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    // The reference speaks of the options.
    let files = files_in(&folder).into_iter().filter(|path| !path.ends_with("DIRECTIVES.md"));
    let mut commands = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        let begins = ["drover -s ", "drover -t", "#   drover "].iter().flat_map(|begin| text.match_indices(begin));
        for (at, _) in begins {
            let command = text[at..].split(['`', '\n']).next().unwrap_or_default();
            assert!(command.contains(" -c "), "{}: {command:?}", path.display());
            commands += 1;
        }
    }
    assert!(commands > 10, "{commands}");
}

#[test]
fn debians_nginx_conf_is_taken_as_it_is() {
    let path = "/etc/nginx/nginx.conf";
    let output = tools::output(env!("CARGO_BIN_EXE_drover"), &["-t", "-c", path]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("test is successful"), "{said}");
}

#[test]
fn a_single_page_application() {
    let server = Server::drover(conf(WITH_CONF[0], &[("8080", "127.0.0.1:%port%"), ("/srv/app", "%root%")]));
    server.file("index.html", "<p>app").file("assets/app.js", "1").file("style.css", "a { }".repeat(100));
    let page = "Accept: text/html\r\n";
    assert_eq!(ask(&server, "/users/7", page).text(), "<p>app");
    assert_eq!(ask(&server, "/users/7", page).header("Cache-Control"), Some("no-cache"));
    assert_eq!(ask(&server, "/users/7", "Accept: application/json\r\n").status, 404);
    assert_eq!(ask(&server, "/assets/gone.js", page).status, 404);
    let asset = ask(&server, "/assets/app.js", "");
    assert!(asset.status == 200 && asset.header("Expires").is_some(), "{asset:?}");
    assert_eq!(ask(&server, "/style.css", "Accept-Encoding: gzip\r\n").header("Content-Encoding"), Some("gzip"));
}

#[test]
fn https() {
    let authority = Authority::new("guide");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pair = authority.sign(&["example.org", "www.example.org"]);
    for (name, pem) in [("fullchain.pem", &pair.certificate), ("privkey.pem", &pair.key)] {
        std::fs::write(dir.path().join(name), pem).expect("write");
    }
    let server = Server::drover(conf(
        "HTTPS",
        &[
            ("listen       8080", "listen 127.0.0.1:%port%"),
            ("8443", "127.0.0.1:%port2%"),
            ("/srv/site", "%root%"),
            ("/etc/letsencrypt/live/example.org", dir.path().to_str().expect("a path")),
        ],
    ));
    server.file("index.html", "the site");
    let moved = ask(&server, "/page?x=1", "");
    assert_eq!((moved.status, moved.header("Location")), (301, Some("https://example.org/page?x=1")));
    let addr = ([127, 0, 0, 1], server.ports()[1]).into();
    let mut client = Client::try_connect_tls(addr, &Wish::new(&authority).named("example.org")).expect("a handshake");
    client.send("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
    let reply = client.response().expect("a response");
    assert_eq!(
        (reply.text().as_str(), reply.header("Strict-Transport-Security")),
        ("the site", Some("max-age=31536000"))
    );
    assert!(Client::try_connect_tls(addr, &Wish::new(&authority).named("other.example")).is_err(), "an unknown name");
}

#[test]
fn downloads() {
    let server = Server::drover(conf("Downloads", &[("8080", "127.0.0.1:%port%"), ("/srv/mirror", "%root%")]));
    server.file("pub/image.iso", vec![b'x'; 60_000_000]);
    assert!(ask(&server, "/pub/", "").text().contains("image.iso"));
    let rest = ask(&server, "/pub/image.iso", "Range: bytes=59999990-\r\n");
    assert_eq!((rest.status, rest.text().as_str()), (206, "xxxxxxxxxx"));
    let mut busy: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    for client in &mut busy {
        client.send("GET /pub/image.iso HTTP/1.1\r\nHost: example.org\r\n\r\n").wait_for_bytes(1000);
    }
    assert_eq!(ask(&server, "/pub/image.iso", "Range: bytes=0-9\r\n").status, 429);
}

#[test]
fn graphs_and_alerts() {
    let for_prometheus_at = |addr| {
        let changes = [("listen  8081", "listen 127.0.0.1:%port%"), ("10.0.0.5", addr)];
        ask(&Server::drover(conf("Graphs and alerts", &changes)), "/metrics", "")
    };
    assert_eq!(for_prometheus_at("10.0.0.5").status, 403);
    let reply = for_prometheus_at("127.0.0.1");
    assert!(reply.status == 200 && reply.text().contains("drover_requests_total"), "{reply:?}");
}

#[test]
fn behind_a_proxy() {
    let server = Setup::new(
        Product::Drover,
        conf(
            "Behind a proxy",
            &[
                ("127.0.0.1:8080", "127.0.0.1:%port%"),
                ("127.0.0.1:8081", "127.0.0.1:%port2%"),
                ("root    /srv/site;", "root %root%; location = /who { return 200 $remote_addr; }"),
            ],
        ),
    )
    .start();
    std::fs::create_dir(server.dir().join("root/folder")).expect("mkdir");
    assert_eq!(ask(&server, "/who", "X-Forwarded-For: 203.0.113.9, 10.1.2.3\r\n").text(), "203.0.113.9");
    assert_eq!(ask(&server, "/folder", "").header("Location"), Some("/folder/"));
    assert_eq!(ask(&server, "/metrics", "").status, 404);
    let mut state = Client::connect(([127, 0, 0, 1], server.ports()[1]).into());
    assert!(state.get("/metrics").text().contains("drover_requests_total"));
}

#[test]
fn which_dispatch_model() {
    let server = Server::drover(conf(
        "Which dispatch model",
        &[("8080", "127.0.0.1:%port%"), ("/srv/site", "%root%"), ("processes  auto", "processes 2")],
    ));
    server.wait_for_workers(2);
    let status = ask(&server, "/status?json", "").text();
    assert!(status.contains("steer") || status.contains("reuseport"), "{status}");
}
