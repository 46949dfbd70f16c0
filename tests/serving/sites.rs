//! Directives for sites of files that nginx lacks: `spa_fallback`, `clean_urls`, `cors`.

use crate::support::client::Response;
use crate::support::conf::Conf;
use crate::support::server::{Product, Server, Setup};

fn started(conf: &str, files: &[&str]) -> Server {
    let server = Setup::new(Product::Drover, Conf::workers(1).server(conf)).start();
    for name in files {
        server.file(name, name);
    }
    server
}

fn ask(server: &Server, line: &str, fields: &str) -> Response {
    let mut client = server.connect();
    client.send(format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n"));
    if line.starts_with("HEAD") { client.head_response() } else { client.response() }.expect("a response")
}

/// Status, and the body of a 200 or the target of a redirect.
fn said(server: &Server, line: &str, fields: &str) -> String {
    let reply = ask(server, line, fields);
    match reply.status {
        200 => reply.text(),
        status => format!("{status} {}", reply.header("Location").unwrap_or_default()).trim_end().to_owned(),
    }
}

const HTML: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";

#[test]
fn a_navigation_gets_the_application_and_an_asset_never_does() {
    let conf = "spa_fallback /index.html; location /api/ { spa_fallback off; } location /app/ { spa_fallback \
                /app/start.html?from=$uri; } location /lost/ { spa_fallback /gone; } \
                location /nowhere { spa_fallback /nowhere.html; }";
    let server = started(conf, &["index.html", "app/start.html", "assets/app.js", "page.html"]);
    let page = "index.html";
    for (target, fields, expected) in [
        ("/users/7", HTML, page),
        ("/users/7/", HTML, page),
        ("/users/john.doe?tab=2", HTML, page),
        ("/v1.2", HTML, page),
        ("/old.html", HTML, page),
        ("/assets/", HTML, page),
        ("/page.html/more", HTML, page),
        ("/users/7", "", page),
        ("/users/7", "Accept: */*\r\n", page),
        ("/users/7", "Accept: */*\r\nSec-Fetch-Mode: cors\r\n", "404"),
        ("/users/7", "Accept: */*\r\nSec-Fetch-Mode: navigate\r\n", page),
        ("/users/7", "Accept: application/json\r\n", "404"),
        ("/users/7", "Accept: text/html;q=0, */*\r\n", "404"),
        ("/assets/app.js", HTML, "assets/app.js"),
        ("/assets/gone.js", HTML, "404"),
        ("/assets/gone.js.map", HTML, "404"),
        ("/gone.png", "Sec-Fetch-Mode: navigate\r\n", "404"),
        ("/page.html", HTML, "page.html"),
        ("/api/users", HTML, "404"),
        ("/app/deep/link", HTML, "app/start.html"),
        ("/lost/x", HTML, page),
        ("/nowhere/x", HTML, "404"),
    ] {
        assert_eq!(said(&server, &format!("GET {target}"), fields), expected, "{target} {fields}");
    }
    assert_eq!(ask(&server, "HEAD /users/7", HTML).status, 200);
    assert_eq!(said(&server, "POST /users/7", "Content-Length: 0\r\n"), "404", "as without it");
    for (target, varies) in [("/users/7", true), ("/gone.png", true), ("/assets/app.js", false), ("/api/users", false)]
    {
        let reply = ask(&server, &format!("GET {target}"), HTML);
        assert_eq!(reply.header("Vary"), varies.then_some("Accept, Sec-Fetch-Mode"), "{target}");
    }
    let log = server.error_log();
    assert!(log.contains("gone.js") && !log.contains("john.doe"), "only what is refused is missing: {log}");
}

#[test]
fn an_asset_is_known_by_drover_s_table_where_the_conf_has_a_poorer_one() {
    let conf = "spa_fallback /index.html; types { text/html html page; text/css css; }";
    let server = started(conf, &["index.html"]);
    for name in ["app.mjs", "a.TTF", "site.webmanifest", "a.opus", "x.glb", "a.ktx2", "a.riv", "a.css", "a.js.map"] {
        assert_eq!(said(&server, &format!("GET /assets/{name}"), "Accept: */*\r\n"), "404", "{name}");
    }
    let fetched = [
        "a.glsl",
        "a.vert",
        "a.FRAG",
        "a.dds",
        "a.data",
        "a.vue",
        "a.jsx",
        "a.tsx",
        "a.php",
        "a.asp",
        "a.aspx",
        "a.jsp",
        "a.wgsl",
        "a.svelte",
        "a.scss",
        "a.onnx",
        "x.mjs;v=1",
        "x.mjs%3Fv=1",
        ".env",
        ".well-known/apple-app-site-association",
    ];
    for name in fetched {
        for fields in ["Accept: */*\r\n", HTML, "Sec-Fetch-Mode: navigate\r\n"] {
            assert_eq!(said(&server, &format!("GET /{name}"), fields), "404", "{name}");
        }
    }
    for name in ["a.page", "john.doe", "v1.2", "a.htm", "example.com", "socket.io", "a.htm;v=1.js", "john.doe;tab=a.js"]
    {
        assert_eq!(said(&server, &format!("GET /{name}"), "Accept: */*\r\n"), "index.html", "{name}");
    }
}

#[test]
fn pages_have_addresses_without_their_extension() {
    let conf = "clean_urls on; absolute_redirect off; error_page 404 /404.html; location /old/ { clean_urls off; } \
                location /tried/ { try_files $uri $uri/ =404; } location = /secret.html { return 403; } \
                location /moved/ { rewrite ^/moved/(.*)$ /about.html last; } location /copy/ { alias %root%/docs/; }";
    let files = [
        "index.html",
        "about.html",
        "404.html",
        "docs/index.html",
        "docs/intro.html",
        "both.html",
        "both/index.html",
        "twice",
        "twice.html",
        "old/page.html",
        "tried/page.html",
        "secret.html",
        "a b.html",
        "style.css",
        "v1.2.html",
        "bare/x.txt",
    ];
    let server = started(conf, &files);
    for (target, expected) in [
        ("/", "index.html"),
        ("/about", "about.html"),
        ("/about?x=1", "about.html"),
        ("/about.html", "301 /about"),
        ("/about.html?x=1&y", "301 /about?x=1&y"),
        ("/about/", "301 /about"),
        ("/about/?x=1", "301 /about?x=1"),
        ("/index.html", "301 /"),
        ("/docs/index.html", "301 /docs/"),
        ("/docs", "301 /docs/"),
        ("/docs/", "docs/index.html"),
        ("/docs/intro", "docs/intro.html"),
        ("/both", "both.html"),
        ("/both/", "both/index.html"),
        ("/both.html", "301 /both"),
        ("/twice", "twice"),
        ("/twice.html", "twice.html"),
        ("/a%20b", "a b.html"),
        ("/a%20b.html", "301 /a%20b"),
        ("/v1.2", "v1.2.html"),
        ("/style.css", "style.css"),
        ("/missing", "404"),
        ("/missing.html", "404"),
        ("/missing/", "404"),
        ("/bare/", "403"),
        ("/.html", "404"),
        ("/404.html", "301 /404"),
        ("/secret", "403"),
        ("/old/page.html", "old/page.html"),
        ("/old/page", "404"),
        ("/tried/page", "tried/page.html"),
        ("/tried/page.html", "301 /tried/page"),
        ("/moved/x", "about.html"),
        ("/copy/intro", "docs/intro.html"),
        ("/copy/intro.html", "301 /copy/intro"),
    ] {
        assert_eq!(said(&server, &format!("GET {target}"), ""), expected, "{target}");
    }
    assert_eq!(said(&server, "HEAD /about.html", ""), "301 /about");
    assert_eq!(said(&server, "POST /about.html", "Content-Length: 0\r\n"), "405");
    assert_eq!(ask(&server, "GET /missing", "").text(), "404.html", "the error page is no redirect");
}

const PREFLIGHT: &str = "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: range, x-a\r\n";

fn cors(reply: &Response) -> String {
    let fields = reply.headers.iter().filter(|(name, _)| name.starts_with("Access-Control-") || name == "Vary");
    fields.map(|(name, value)| format!("{}={value}", name.replace("Access-Control-", ""))).collect::<Vec<_>>().join(" ")
}

#[test]
fn one_line_lets_scripts_of_other_origins_read() {
    let conf = "location / { cors *; deny all; } location /f/ { cors *; } location /off/ { } \
                location /some/ { cors https://a.example https://*.b.example; } \
                location /said/ { cors on; add_header Access-Control-Allow-Origin https://c.example always; \
                add_header Access-Control-Max-Age 5; } \
                location /mixed/ { cors *; add_header access-control-allow-origin https://d.example; }";
    let server = started(conf, &["f/x.txt", "some/x.txt", "said/x.txt", "mixed/x.txt", "off/x.txt"]);
    let allowed = "Allow-Methods=GET, HEAD Allow-Headers=range, x-a";
    let day = "Max-Age=86400";
    for (target, origin, expected) in [
        ("/any", "https://a.example", format!("204 Allow-Origin=* {allowed} {day}")),
        ("/some/x.txt", "https://a.example", format!("204 Allow-Origin=https://a.example {allowed} {day} Vary=Origin")),
        (
            "/some/x.txt",
            "https://x.b.example",
            format!("204 Allow-Origin=https://x.b.example {allowed} {day} Vary=Origin"),
        ),
        ("/some/x.txt", "https://evil.example", format!("204 {allowed} {day} Vary=Origin")),
        ("/said/x.txt", "https://c.example", format!("204 Allow-Origin=https://c.example Max-Age=5 {allowed}")),
        ("/off/x.txt", "https://a.example", "405 ".to_owned()),
    ] {
        let reply = ask(&server, &format!("OPTIONS {target}"), &format!("Origin: {origin}\r\n{PREFLIGHT}"));
        assert_eq!(format!("{} {}", reply.status, cors(&reply)), expected, "{target} {origin}");
    }
    for (target, fields, expected) in [
        ("/f/x.txt", "", "200 Allow-Origin=*"),
        ("/f/missing", "Origin: https://a.example\r\n", "404 Allow-Origin=*"),
        ("/any", "Origin: https://a.example\r\n", "403 Allow-Origin=*"),
        ("/some/x.txt", "", "200 Vary=Origin"),
        ("/some/x.txt", "Origin: https://evil.example\r\n", "200 Vary=Origin"),
        ("/some/x.txt", "Origin: https://a.example\r\n", "200 Allow-Origin=https://a.example Vary=Origin"),
        ("/said/x.txt", "Origin: https://a.example\r\n", "200 Allow-Origin=https://c.example Max-Age=5"),
        ("/mixed/x.txt", "", "200 access-control-allow-origin"),
        ("/off/x.txt", "Origin: https://a.example\r\n", "200 "),
    ] {
        let reply = ask(&server, &format!("GET {target}"), fields);
        let seen = match reply.header("access-control-allow-origin") {
            Some("https://d.example") => "access-control-allow-origin".to_owned(),
            _ => cors(&reply),
        };
        assert_eq!(format!("{} {seen}", reply.status), expected, "{target} {fields}");
    }
    let plain = ask(&server, "OPTIONS /f/x.txt", "Origin: https://a.example\r\n");
    assert_eq!(plain.status, 405, "no preflight");
}

#[test]
fn origins_of_a_map_vary() {
    let conf = Conf::workers(1)
        .http("map $http_origin $allowed { default ''; ~^https://.*\\.example$ $http_origin; }")
        .server(
            "add_header Access-Control-Allow-Origin $allowed; location /on/ { cors on; } location /any/ { cors *; } \
             location /one/ { cors on; add_header Access-Control-Allow-Origin https://c.example; } location /off/ { }",
        );
    let server = Setup::new(Product::Drover, conf).start();
    for place in ["on", "any", "one", "off"] {
        server.file(&format!("{place}/x.txt"), "x");
    }
    for (place, origin, expected) in [
        ("on", "https://a.example", "Allow-Origin=https://a.example Vary=Origin"),
        ("on", "https://evil.test", "Vary=Origin"),
        ("any", "https://a.example", "Allow-Origin=https://a.example Vary=Origin"),
        ("any", "https://evil.test", "Allow-Origin=* Vary=Origin"),
        ("one", "https://evil.test", "Allow-Origin=https://c.example"),
        ("off", "https://a.example", "Allow-Origin=https://a.example"),
    ] {
        let fields = format!("Origin: {origin}\r\n");
        assert_eq!(cors(&ask(&server, &format!("GET /{place}/x.txt"), &fields)), expected, "{place} {origin}");
        let reply = ask(&server, &format!("OPTIONS /{place}/x.txt"), &format!("{fields}{PREFLIGHT}"));
        assert_eq!(reply.status, if place == "off" { 405 } else { 204 });
        assert_eq!(reply.header("Vary"), expected.contains("Vary").then_some("Origin"), "{place} {origin}");
    }
}

#[test]
fn a_preflight_is_answered_where_a_script_returns() {
    let conf = "location / { cors *; return 200 text; } location /moved/ { cors *; return 301 /; } \
                location /redirected/ { cors *; rewrite ^ /x redirect; } location /none/ { return 200 text; } \
                location /refused/ { cors *; return 403; } location /gone/ { cors *; return 410 gone; } \
                location /if/ { cors *; if ($request_method = OPTIONS) { return 204; } } \
                location /file/ { cors *; if (!-f $request_filename) { return 302 /; } }";
    let server = started(conf, &[]);
    let allowed = "204 Allow-Origin=* Allow-Methods=GET, HEAD Allow-Headers=range, x-a Max-Age=86400";
    for (target, status) in [("/", 200), ("/moved/", 301), ("/redirected/", 302), ("/if/", 204), ("/file/x", 302)] {
        let preflight =
            ask(&server, &format!("OPTIONS {target}"), &format!("Origin: https://a.example\r\n{PREFLIGHT}"));
        assert_eq!(format!("{} {}", preflight.status, cors(&preflight)), allowed, "{target}");
        let other = ask(&server, &format!("OPTIONS {target}"), "Origin: https://a.example\r\n");
        assert_eq!((other.status, &*cors(&other)), (status, "Allow-Origin=*"), "{target}: no preflight");
    }
    for (target, status) in [("/none/", 200), ("/refused/", 403), ("/gone/", 410)] {
        let reply = ask(&server, &format!("OPTIONS {target}"), &format!("Origin: https://a.example\r\n{PREFLIGHT}"));
        assert_eq!(reply.status, status, "{target}");
    }
    let server = started("cors *; return 301 https://b.example$request_uri;", &[]);
    let preflight = ask(&server, "OPTIONS /x", &format!("Origin: https://a.example\r\n{PREFLIGHT}"));
    assert_eq!(format!("{} {}", preflight.status, cors(&preflight)), allowed, "of the server");
    assert_eq!(ask(&server, "GET /x", "").status, 301);
}
