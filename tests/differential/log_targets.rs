//! Logs that are no plain files: names made of the request, compressed buffers, syslog. The same requests leave the
//! same lines in both products.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::Duration;

use crate::sites;
use crate::support::server::Product::{self, Drover, Nginx};
use crate::support::server::{Server, Setup};
use crate::support::until;

const REQUESTS: [&str; 7] = [
    "GET /page.html HTTP/1.0\r\nHost: a.example\r\n\r\n",
    "GET /missing HTTP/1.0\r\nHost: A.example\r\nUser-Agent: x\"y\r\n\r\n",
    "GET /dir/page.html HTTP/1.0\r\nHost: b.example\r\n\r\n",
    "GET /none/x HTTP/1.0\r\nHost: b.example\r\n\r\n",
    "GET /file/x HTTP/1.0\r\nHost: b.example\r\n\r\n",
    "GET /deep/x HTTP/1.0\r\nHost: b.example\r\n\r\n",
    "GET /quiet HTTP/1.0\r\nHost: b.example\r\n\r\n",
];

/// Runs the conf, whose `access_log`s are in %dir%/logs, and sends the requests.
fn run(product: Product, root: &Path, http: &str) -> Server {
    let conf = format!(
        "%main%\nworker_processes 1;\nevents {{ }}\nhttp {{ %http% \
         log_format own '$host \"$request\" $status \"$http_user_agent\"'; \
         server {{ listen 127.0.0.1:%port%; root %root%; {http} \
         location /none/ {{ root %root%/nowhere; }} location /file/ {{ root %root%/page.html; }} \
         location = /quiet {{ access_log off; return 204; }} }} }}\n"
    );
    let mut server = Setup::new(product, conf).root(root).dir_for_logs("logs").start();
    for request in REQUESTS {
        server.connect().send(request).response().expect("an answer");
    }
    assert!(server.quit().success());
    server
}

/// The files of the directory with their contents.
fn files(server: &Server, decode: fn(Vec<u8>) -> String) -> Vec<(String, String)> {
    let entries = fs::read_dir(server.dir().join("logs")).expect("the directory of logs");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            (entry.file_name().to_string_lossy().into_owned(), decode(fs::read(entry.path()).expect("a log")))
        })
        .collect();
    files.sort();
    files
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

fn same(http: &str, decode: fn(Vec<u8>) -> String) -> Vec<(String, String)> {
    let root = sites::fixture();
    let [nginx, drover] = [Nginx, Drover].map(|product| files(&run(product, root.path(), http), decode));
    assert_eq!(drover, nginx, "{http}");
    drover
}

#[test]
fn a_log_may_be_named_by_the_request() {
    for cache in ["", "open_log_file_cache max=2;", "open_log_file_cache max=1 inactive=1s min_uses=2 valid=1s;"] {
        let http = format!(
            "{cache} access_log %dir%/logs/$host.log own; access_log %dir%/logs/s$status own if=$arg_none; \
             location /deep/ {{ access_log %dir%/logs/$uri/no own; access_log %dir%/logs/deep own; }}"
        );
        let files = same(&http, text);
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a.example.log", "b.example.log", "deep"]);
        assert_eq!(files[0].1.lines().count(), 2);
    }
}

#[test]
fn failures_of_such_logs_are_said_as_in_nginx() {
    let root = sites::fixture();
    let http = "access_log %dir%/logs/$host.log own; location /deep/ { access_log %dir%/logs/none/$host own; }";
    let said = |product| {
        let server = run(product, root.path(), http);
        let log = server.read("error.log").replace(&server.dir().display().to_string(), "DIR");
        let line = |line: &str| {
            let (level, rest) = line.split_once('[')?.1.split_once("] ")?;
            let (_, text) = rest.split_once(": *")?.1.split_once(' ')?;
            (text.starts_with("testing ") || text.contains("none/b")).then(|| format!("{level} {text}"))
        };
        log.lines().filter_map(line).collect::<Vec<_>>()
    };
    let [nginx, drover] = [Nginx, Drover].map(said);
    assert_eq!(nginx.len(), 3, "{nginx:?}");
    assert_eq!(drover, nginx);
}

#[test]
fn a_log_may_be_compressed() {
    for options in ["gzip", "gzip=9 buffer=64", "buffer=4k gzip=5 flush=1s"] {
        let files = same(&format!("access_log %dir%/logs/a.gz own {options};"), |bytes| {
            let mut text = String::new();
            flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
            text
        });
        assert_eq!(files[0].1.lines().count(), REQUESTS.len() - 1, "{options}");
    }
}

/// A log alone can say these: the trailers, and a socket without a port.
#[test]
fn values_of_the_end_and_of_a_unix_socket_are_logged() {
    let conf = "%main%\nworker_processes 1;\nevents { }\nhttp { %http% default_type text/plain; \
        log_format own '[$request_method $uri $server_protocol] $sent_trailer_t|$sent_trailer_x_u|$sent_trailer_none'; \
        log_format unix '$server_addr|$server_port|$remote_addr|$remote_port'; access_log %dir%/access.log own; \
        server { listen 127.0.0.1:%port%; root %root%; add_trailer T x; add_trailer X-U $uri; add_trailer X-U $status; \
        add_trailer None $arg_none; \
        location /said { return 200 said; } location /nothing { return 204; } location /empty { return 200; } \
        location /off { chunked_transfer_encoding off; return 200 said; } \
        location /gone { return 410; } location /always { add_trailer T ,a always; return 404; } \
        location /seen { add_trailer T 1; add_trailer X-U $sent_trailer_t; return 200 x; } } \
        server { listen unix:%dir%/s.sock; access_log %dir%/unix.log unix; \
        return 200 \"$server_addr|$server_port\"; } }\n";
    let root = sites::fixture();
    let [nginx, drover] = [Nginx, Drover].map(|product| {
        let server = Setup::new(product, conf).root(root.path()).start();
        for target in
            ["/page.html", "/said", "/nothing", "/empty", "/off", "/gone", "/always", "/seen", "/none", "/large.bin"]
        {
            for (method, version) in [("GET", "1.1"), ("HEAD", "1.1"), ("GET", "1.0")] {
                let request = format!("{method} {target} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n");
                let mut client = server.connect();
                client.send(request).until_closed().expect("an answer and its end");
            }
        }
        let mut local = UnixStream::connect(server.dir().join("s.sock")).expect("connect");
        local.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("send");
        let mut answer = String::new();
        local.read_to_string(&mut answer).expect("an answer");
        let log = until("the lines", || {
            let (log, of_unix) = (server.read("access.log"), server.read("unix.log"));
            (log.lines().count() == 30 && of_unix.ends_with('\n')).then(|| log + &of_unix)
        });
        let said = answer.rsplit_once("\r\n\r\n").expect("a body").1;
        format!("{said}\n{log}").replace(&server.dir().display().to_string(), "DIR")
    });
    assert_eq!(drover, nginx);
    assert!(nginx.contains("[GET /said HTTP/1.1] x|/said, 200|-\n") && nginx.contains("unix:DIR/s.sock||"), "{nginx}");
}

/// The datagrams of a run, without the time, the name of the machine and what is different from run to run.
fn datagrams(product: Product, root: &Path, options: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log");
    let receiver = UnixDatagram::bind(&path).expect("bind");
    // The workers are another user.
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("chmod");
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    let to = format!("syslog:server=unix:{}{options}", path.display());
    let _server = run(product, root, &format!("access_log {to} own; error_log {to} error;"));
    receiver.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let mut seen = Vec::new();
    until("the last line", || {
        let mut bytes = [0; 4096];
        let len = receiver.recv(&mut bytes).expect("a datagram");
        let message = String::from_utf8_lossy(&bytes[..len]).into_owned();
        let is_last = message.contains("GET /deep/x") && !message.contains("client: ");
        seen.push(without_time(&message));
        is_last.then_some(())
    });
    seen
}

/// `<190>Nov 28 10:00:00 host tag: text` without the time; of a line of the error log what is behind the connection.
fn without_time(message: &str) -> String {
    let (priority, rest) = message.split_once('>').expect("a priority");
    let (time, rest) = rest.split_at(16);
    assert!(time.as_bytes()[3] == b' ' && time.as_bytes()[9] == b':' && time.ends_with(' '), "{message}");
    let (mark, text) = rest.split_once(": ").expect("a tag");
    let text = match text.split_once(": *").and_then(|(_, text)| text.split_once(' ')) {
        Some((_, text)) if text.contains("client: ") => text,
        _ => text,
    };
    format!("{priority}>{mark}: {text}")
}

#[test]
fn syslog_gets_the_same_datagrams() {
    let root = sites::fixture();
    for options in [",tag=web", ",facility=daemon,severity=notice,tag=a_B1", ",nohostname,tag=x", ",tag="] {
        let [nginx, drover] = [Nginx, Drover].map(|product| datagrams(product, root.path(), options));
        assert_eq!(drover, nginx, "{options}");
        assert!(drover.len() > REQUESTS.len(), "{drover:?}");
    }
}
