//! HTTP/2 over TLS, which ALPN chooses.

use crate::site::{A, Files, Site, conf};
use crate::support::conf::Conf;
use crate::support::h2::{H2, get};
use crate::support::tools;
use crate::support::until_true;

const SHOWN: &str = "location = /shown { return 200 \"$server_protocol $http2 $scheme $https $ssl_alpn_protocol \
                     $ssl_protocol $ssl_server_name\"; }";

/// A site with HTTP/2, and some files.
fn site(conf: Conf) -> Site {
    let site = Site::new(conf.server("http2 on;").server(SHOWN));
    site.file("large", vec![b'x'; 2_000_000]);
    (0..100).for_each(|n| _ = site.file(&format!("small{n}"), format!("small {n}")));
    site
}

fn url(site: &Site, path: &str) -> String {
    format!("https://localhost:{}{path}", site.port())
}

#[test]
fn curl_speaks_http2_where_the_conf_lets_it() {
    let site = site(conf());
    assert_eq!(site.curl(&["--http2"], "/shown"), "HTTP/2.0 h2 https on h2 TLSv1.3 localhost");
    assert_eq!(site.curl(&["--http2", "--tls-max", "1.2"], "/shown"), "HTTP/2.0 h2 https on h2 TLSv1.2 localhost");
    assert_eq!(site.curl(&["--http1.1"], "/shown"), "HTTP/1.1  https on http/1.1 TLSv1.3 localhost");
    assert_eq!(site.curl(&["--no-alpn"], "/shown"), "HTTP/1.1  https on  TLSv1.3 localhost");
    let is_counted = || (site.sums().protocols, site.sums().http2_connections) == ([0, 2, 2, 0], [0, 2]);
    until_true("two requests of each protocol", is_counted);
    assert_eq!(site.curl(&["--http2"], "/large").len(), 2_000_000);
    let head = site.curl(&["--http2", "-I"], "/");
    assert!(head.starts_with("HTTP/2 200") && head.contains("content-length: 5"), "{head}");
    let many = site.curl(&["--http2", "--parallel", "--parallel-immediate"], "/small[0-99]");
    assert_eq!(many.matches("small").count(), 100);
    site.end();
}

#[test]
fn curl_sends_the_rest_of_a_body_that_is_answered() {
    let site = site(conf().server("location /text { return 200 text; }"));
    let body = site.dir().join("body");
    std::fs::write(&body, vec![b'x'; 100_000]).expect("a body");
    let body = body.display().to_string();
    let args = ["--http2", "--max-time", "60", "-H", "Expect:", "-T", &body, "-w", " %{http_code} %{size_upload}"];
    assert_eq!(site.curl(&args, "/text"), "text 200 100000");
    site.end();
}

#[test]
fn the_server_of_the_hello_says_whether_http2_is_spoken() {
    let other = "server { listen 127.0.0.1:%port% ssl; server_name a.test; http2 off; return 200 $http2; }";
    let conf = Conf::workers(2).listen("127.0.0.1:%port% ssl default_server").http(A).http(other);
    let site = Files::new().start(conf.server("http2 on; return 200 $http2;"));
    let named = format!("https://a.test:{}/", site.port());
    let resolve = format!("a.test:{}:127.0.0.1", site.port());
    let ask = |url: &str, args: &[&str]| {
        let authority = site.pki("ca.crt");
        let fixed = ["-sS", "--http2", "--cacert", &authority, "--resolve", &resolve, "-w", "|%{http_version}"];
        tools::run("curl", &[&fixed, args, &[url]].concat())
    };
    assert_eq!(ask(&url(&site, "/"), &[]), "h2|2");
    assert_eq!(ask(&named, &[]), "|1.1");
    let misdirected = ask(&url(&site, "/"), &["-H", "Host: a.test", "-o", "/dev/null"]);
    assert_eq!(misdirected, "|2");
    let misdirected = ask(&url(&site, "/"), &["-H", "Host: a.test"]);
    assert!(misdirected.contains("421 Misdirected Request"), "{misdirected}");
    site.end();
}

#[test]
fn listen_lets_all_servers_of_an_address_speak_it() {
    let other = "server { listen 127.0.0.1:%port% ssl; server_name a.test; return 200 $http2; }";
    let conf = Conf::workers(1).listen("127.0.0.1:%port% ssl http2").http(A).http(other);
    let site = Files::new().start(conf.server("return 200 $http2;"));
    for name in ["localhost", "a.test"] {
        let mut client = H2::secure(site.addr(), &site.wish().named(name));
        let mut fields = get("/");
        fields[3].1 = name;
        client.ask(1, &fields);
        assert_eq!(client.answer(1).text(), "h2");
    }
    site.end();
}

#[test]
fn a_preface_without_alpn_is_no_http2() {
    let site = site(conf());
    // Within TLS ALPN has not chosen it, and in clear the port speaks TLS alone.
    let said = site.s_client(&["-alpn", "http/1.1"], "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(said.contains("HTTP/1.1 400"), "{said}");
    let mut plain = site.connect();
    plain.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(plain.response().expect("an answer").status, 400);
    drop(plain);
    site.end();
}

#[test]
fn nghttp_and_h2load_get_all() {
    let site = site(conf().server("keepalive_requests 100000;"));
    let urls: Vec<String> = (0..20).map(|n| url(&site, &format!("/small{n}"))).chain([url(&site, "/large")]).collect();
    let args: Vec<&str> = ["-n", "-s", "-t", "60"].into_iter().chain(urls.iter().map(String::as_str)).collect();
    let said = tools::run("nghttp", &args);
    assert_eq!(said.lines().filter(|line| line.contains("  200  ")).count(), 21, "{said}");
    let list = site.inside("urls");
    let all: String = (0..100).map(|n| url(&site, &format!("/small{n}")) + "\n").collect();
    std::fs::write(&list, all).expect("a list");
    let list = list.to_str().expect("UTF-8");
    let said = tools::run("h2load", &["-n", "3000", "-c", "6", "-m", "32", "-i", list]);
    assert!(said.contains("3000 succeeded, 0 failed, 0 errored, 0 timeout"), "{said}");
    let said = tools::run("h2load", &["-n", "30", "-c", "3", "-m", "10", &url(&site, "/large")]);
    assert!(said.contains("30 succeeded, 0 failed"), "{said}");
    until_true("each request is counted", || site.sums().requests == 3051);
    site.end();
}

/// A page of 200 assets, which counts those that have arrived.
fn page_of_assets() -> (String, Vec<(String, String)>) {
    let mut page =
        "<!doctype html><meta charset=utf-8><title>assets</title><script>var scripts = 0</script>".to_owned();
    let mut assets = Vec::new();
    for n in 0..200 {
        let (name, tag, content) = match n % 4 {
            0 => (format!("{n}.js"), format!("<script src={n}.js></script>"), "scripts += 1;".to_owned()),
            1 => (
                format!("{n}.css"),
                format!("<link rel=stylesheet href={n}.css>"),
                format!("#box {{ --{n}: \"{}\" }}", "x".repeat(n * 100)),
            ),
            _ => (
                format!("{n}.svg"),
                format!("<img src={n}.svg>"),
                format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{n}\" height=\"1\"/>"),
            ),
        };
        page += &tag;
        assets.push((name, content));
    }
    page += "<p id=box><script>onload = () => { box.textContent = scripts + ' scripts, ' + \
             document.styleSheets.length + ' sheets, ' + [...document.images].filter(i => i.naturalWidth > 1).length \
             + ' images' }</script>";
    (page, assets)
}

#[test]
fn chromium_loads_a_page_with_200_assets_over_one_connection() {
    let format = "log_format own '$connection $http2 $status $uri';";
    let site = site(conf().http(format).server("access_log %dir%/own.log own;"));
    let (page, assets) = page_of_assets();
    assets.iter().for_each(|(name, content)| _ = site.file(name, content));
    site.file("page.html", page);
    let dom = tools::chromium(&["--ignore-certificate-errors"], &url(&site, "/page.html"));
    assert!(dom.contains("50 scripts, 50 sheets, 100 images"), "{dom}");
    let log = site.read("own.log");
    let of_page: Vec<&str> = log.lines().filter(|line| !line.ends_with("favicon.ico")).collect();
    assert_eq!(of_page.len(), 201, "{log}");
    let first = of_page[0].split(' ').next().unwrap_or_default();
    assert!(of_page.iter().all(|line| line.starts_with(&format!("{first} h2 200 /"))), "{log}");
    site.end();
}

#[test]
fn logs_count_what_is_within_tls() {
    let format = "log_format own '$request|$status|$body_bytes_sent|$bytes_sent|$request_completion';";
    let site = site(conf().http(format).server("access_log %dir%/own.log own;"));
    let mut client = H2::secure(site.addr(), &site.wish());
    let answer = client.get(1, "/large");
    assert_eq!(answer.body.len(), 2_000_000);
    client.get(3, "/small7");
    drop(client);
    until_true("two lines", || site.read("own.log").lines().count() == 2);
    let log = site.read("own.log");
    let lines: Vec<Vec<&str>> = log.lines().map(|line| line.split('|').collect()).collect();
    assert_eq!(lines[0][..3], ["GET /large HTTP/2.0", "200", "2000000"]);
    let sent: u64 = lines[0][3].parse().expect("a number");
    assert!((2_000_000..2_010_000).contains(&sent), "frames, not records: {sent}");
    assert_eq!([lines[1][1], lines[1][2], lines[1][4]], ["200", "7", "OK"]);
    site.end();
}
