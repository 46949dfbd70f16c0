//! Which server: names of servers, and the hosts of requests.

use crate::probe::{Probe, Site, get, request};
use crate::probes;

pub fn names() -> Site {
    let http = "server { listen 127.0.0.1:%port%; server_name first; return 200 'first'; } \
                server { listen 127.0.0.1:%port% default_server; server_name _; return 200 'default $server_name'; } \
                server { listen 127.0.0.1:%port%; server_name exact.example WWW.Exact.Example; \
                    return 200 'exact $host $http_host $server_name'; } \
                server { listen 127.0.0.1:%port%; server_name *.wild.example; return 200 'wild start $server_name'; } \
                server { listen 127.0.0.1:%port%; server_name *.deep.wild.example; return 200 'deep wild'; } \
                server { listen 127.0.0.1:%port%; server_name .dot.example; return 200 'dot $server_name'; } \
                server { listen 127.0.0.1:%port%; server_name mail.*; return 200 'wild end $server_name'; } \
                server { listen 127.0.0.1:%port%; server_name ~^Regex\\d; return 200 'regex $server_name'; } \
                server { listen 127.0.0.1:%port%; server_name mail.wild.example; return 200 'exact before wild'; } \
                server { listen 127.0.0.1:%port%; server_name 127.0.0.1; return 200 'address'; } \
                server { listen 127.0.0.1:%port%; server_name ''; return 200 'no name'; } \
                server { listen 127.0.0.1:%port2%; server_name second; root %root%; } \
                server { listen 127.0.0.1:%port%; server_name own.example; error_page 400 501 =200 @own; \
                    location @own { return 200 'own $host'; } } \
                server { listen 127.0.0.1:%port%; server_name located; root %root%; } ";
    let probes = probes![
        get("/").host("first"),
        get("/").host("unknown.example"),
        get("/").host("exact.example"),
        get("/").host("EXACT.example"),
        get("/").host("exact.example:80"),
        get("/").host("exact.example."),
        get("/").host("exact.example.:80"),
        get("/").host("www.exact.example"),
        get("/").host("a.wild.example"),
        get("/").host("a.b.wild.example"),
        get("/").host("wild.example"),
        get("/").host("x.deep.wild.example"),
        get("/").host("deep.wild.example"),
        get("/").host(".wild.example"),
        get("/").host("dot.example"),
        get("/").host("a.dot.example"),
        get("/").host("xdot.example"),
        get("/").host("mail.anything"),
        get("/").host("mail.a.b"),
        get("/").host("own.example").with("Host", "other"),
        get("/%zz").host("own.example"),
        get("/../x").host("own.example"),
        get("http://own.example/%zz"),
        get("/").host("own.example").with("If-Range", "x").with("If-Range", "x"),
        get("/").host("own.example").with("Content-Length", "x"),
        get("/").host("own.example").with("Transfer-Encoding", "gzip, chunked"),
        get("/").host("own.example").with("X", "\0"),
        get("/").host("bad host").with("Host", "own.example"),
        Probe::raw("an error in front of Host", "GET / HTTP/1.1\r\nX: \0\r\nHost: own.example\r\n\r\n"),
        Probe::raw(
            "an error behind the target's host",
            "GET http://own.example/ HTTP/1.1\r\nX: \0\r\nHost: first\r\n\r\n"
        ),
        get("/").host("regex1"),
        get("/").host("mail.wild.example"),
        get("/").host("mail.dot.example"),
        get("/").host("mail."),
        get("/").host("127.0.0.1"),
        get("/").host("_"),
        get("/").host(""),
        get("/").http10().without_host(),
        get("/").http10().host("exact.example"),
        get("/").host("[::1]"),
        get("/").host("[::1]:80"),
        get("http://exact.example/").host("first"),
        get("http://EXACT.example:81/").host("first"),
        get("/dir").host("located"),
        get("/dir").host("located:1"),
        get("/").host("second"),
        get("/").host("a_b.example"),
        get("/").host("exact..example"),
        get("/").host("..example"),
        get("/").host("exact.example/path"),
        get("/").host("exact.example\\x"),
        get("/").host("exact.example:port"),
        get("/").host("user@exact.example"),
        get("/").host("exact example"),
        get("/").host("ex%61ct.example"),
        get("/").host("[::1"),
    ];
    Site::new("names", http, probes)
}

/// A server without names, beside one that is the default.
pub fn nameless() -> Site {
    let http = "server { listen 127.0.0.1:%port%; server_name first; return 200 'first'; } \
                server { listen 127.0.0.1:%port%; return 200 'nameless'; } ";
    let probes = probes![
        get("/").host("first"),
        get("/").host("unknown"),
        get("/").host(""),
        get("/").http10().without_host(),
        get("/").http10().host("unknown"),
    ];
    Site::new("nameless", http, probes)
}

/// Hosts that are none, and some that look odd, as a Host and in an absolute target.
pub fn hosts() -> Site {
    let http = "server { listen 127.0.0.1:%port%; location / { return 200 '$host|$uri|$request_uri|$args'; } }";
    let hosts = [
        "a:0",
        "a:",
        "a:65535",
        "a:000080",
        "a:65536",
        "a:99999999999999999999",
        "[::1]",
        "[::1]:",
        "[::1]:65536",
        "[::ffff:192.0.2.1]:80",
        "[2001:DB8::A]",
        "[v1.a:b]",
        "[v1.]",
        "[]",
        "[.]",
        "[a]",
        "[zz::1]",
        "[ab..cd::1]",
        "[192.0.2.1]",
        "[1:2:3:4:5:6:7:8:9]",
        "[::1%25lo]",
        "[::1].",
        "a%41",
        "a%zz",
        "a%4",
        "a%",
        "a_b",
        "*",
        ".",
        "a.",
        "a..",
    ];
    let mut probes: Vec<_> = hosts.iter().map(|host| get("/x").host(host).into()).collect();
    probes.extend(hosts.iter().map(|host| get(&format!("http://{host}/x")).into()));
    let targets = [
        "http:///x",
        "http://",
        "http://?q",
        "http://:80/x",
        "https:///x",
        "ftp:///x",
        "http://@/x",
        "http://a",
        "http://a:80",
        "http://a?q",
        "http://a?",
        "http://a#b",
        "http://a#b/x",
        "http://a:80#b/x",
        "http://a/x#b",
        "http://a?q#b",
    ];
    probes.extend(targets.iter().map(|target| Probe::from(get(target))));
    probes.extend(probes![
        get("http:///x").without_host(),
        get("http:///x").http10().without_host(),
        get("http://a/x").host("a%zz"),
        get("http://a/x").without_host(),
        get("http://a/x").http10().without_host(),
        request("OPTIONS", "http://a"),
    ]);
    Site::new("hosts", http, probes)
}
