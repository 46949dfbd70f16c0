//! Content codings: files that are there in one, and who gets them.

use super::DIGITS_ETAG;
use crate::probe::{Probe, Request, Site, get, head, request};

/// Every form of Accept-Encoding that a client sends, and many that none should.
const ACCEPT: &[&str] = &[
    "gzip",
    "GZIP",
    "gzip, deflate, br",
    "gzip,deflate",
    "deflate, gzip",
    "deflate,gzip",
    "deflate;gzip",
    "br, zstd, gzip;q=0.5",
    "gzip;q=1",
    "gzip;q=1.0",
    "gzip;q=1.000",
    "gzip;q=1.0000",
    "gzip;q=1.001",
    "gzip;q=0.001",
    "gzip;q=0.0001",
    "gzip;q=0.5",
    "gzip;q=0.5,deflate",
    "gzip;q=0.5 ,deflate",
    "gzip;q=0.5;x",
    "gzip;q=.5",
    "gzip;q=0",
    "gzip;q=0.",
    "gzip;q=0.0",
    "gzip;q=0.000",
    "gzip;q=0, gzip",
    "gzip;q=2",
    "gzip;q=-1",
    "gzip;q=",
    "gzip;q",
    "gzip;",
    "gzip; q=0.3",
    "gzip ;q=0.3",
    "gzip ; Q=0.3",
    "gzip;Q=0",
    "gzip;q = 1",
    "gzip;level=1",
    "gzip x",
    "gzip,",
    ",gzip",
    " gzip",
    "x-gzip",
    "xgzip, gzip",
    "gzipped",
    "gzipped, gzip;q=0",
    "gzi",
    "gz",
    "g",
    "",
    "*",
    "*;q=0",
    "gzip;q=0, *",
    "*, gzip",
    "identity",
    "identity;q=0",
    "identity;q=0, gzip",
    "identity, gzip;q=0.1",
    "deflate",
    "br",
    "br;q=0 gzip",
];

const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36";

/// `add` puts the probes that ask `host` for `path` into the list, with every form of Accept-Encoding.
fn every_form(add: &mut impl FnMut(Request), host: &str, path: &str) {
    add(get(path).host(host));
    for accept in ACCEPT {
        add(get(path).host(host).with("Accept-Encoding", *accept));
    }
    add(get(path).host(host).with("Accept-Encoding", "deflate").with("Accept-Encoding", "gzip"));
    add(get(path).host(host).with("Accept-Encoding", "gzip").with("Accept-Encoding", "gzip;q=0"));
}

/// Requests that `gzip_http_version`, `gzip_proxied` and `gzip_disable` tell apart.
fn every_client(add: &mut impl FnMut(Request), host: &str, path: &str) {
    let ask = || get(path).host(host).with("Accept-Encoding", "gzip");
    add(ask().http10());
    add(ask().http10().with("Connection", "keep-alive"));
    add(ask().with("Via", "1.1 proxy"));
    add(ask().with("Via", ""));
    add(ask().with("Via", "1.1 proxy").with("Authorization", "Basic YTpi"));
    for agent in [
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)",
        "Mozilla/4.0 (compatible; MSIE 5.5; Windows 98)",
        "MSIE 7.0; Windows",
        "MSIE 4.01; Opera 7",
        "Old-Browser/1.0",
        CHROME,
    ] {
        add(ask().with("User-Agent", agent));
    }
}

/// Files with a compressed one beside them.
pub fn gzip_static() -> Site {
    let server = |name: &str, inside: &str| {
        format!("server {{ listen 127.0.0.1:%port%; server_name {name}; root %root%; {inside} }}\n")
    };
    let http = [
        server("on", "gzip_static on;"),
        server("vary", "gzip_static on; gzip_vary on; location /coded/off/ { gzip_static off; }"),
        server("always", "gzip_static always; gzip_vary on;"),
        server("old", "gzip_static on; gzip_vary on; gzip_http_version 1.0;"),
        server("proxied", "gzip_static on; gzip_vary on; gzip_proxied any;"),
        server("auth", "gzip_static on; gzip_proxied auth;"),
        server("expired", "gzip_static on; gzip_proxied expired no-cache no-store private; expires -1;"),
        server("none", "gzip_static on; gzip_proxied off any;"),
        server("etag", "gzip_static on; gzip_proxied no_etag no_last_modified;"),
        server("agents", "gzip_static on; gzip_disable msie6 \"old-browser\" ^chrome;"),
        server(
            "inner",
            "gzip_static on; gzip_vary on; error_page 404 /coded/page.html; location /moved/ { return 404; } \
             location /alias/ { alias %root%/coded/; add_header X-A b; expires 1h; } \
             location /try/ { try_files $uri /coded/digits.txt; } location = /coded/ { index digits.txt; } \
             location /none/ { max_ranges 0; alias %root%/coded/; } \
             location /noetag/ { etag off; alias %root%/coded/; }",
        ),
    ]
    .concat();
    let mut probes: Vec<Probe> = Vec::new();
    let mut add = |request: Request| probes.push(request.into());
    for host in ["on", "vary", "always"] {
        every_form(&mut add, host, "/coded/digits.txt");
    }
    for host in ["vary", "old", "proxied", "auth", "expired", "none", "etag", "agents"] {
        every_client(&mut add, host, "/coded/digits.txt");
    }
    for path in [
        "/coded/page.html",
        "/coded/none.txt",
        "/coded/only.txt",
        "/coded/dir.txt",
        "/coded/fifo.txt",
        "/coded/locked.txt",
        "/coded/missing.txt",
        "/coded/off/digits.txt",
        "/coded/digits.txt.gz",
        "/coded/",
        "/coded",
    ] {
        for host in ["on", "vary", "always"] {
            add(get(path).host(host).with("Accept-Encoding", "gzip"));
            add(get(path).host(host));
        }
    }
    for path in [
        "/moved/x",
        "/missing",
        "/alias/digits.txt",
        "/alias/page.html",
        "/try/x",
        "/coded/",
        "/none/digits.txt",
        "/noetag/digits.txt",
    ] {
        add(get(path).host("inner").with("Accept-Encoding", "gzip"));
        add(get(path).host("inner"));
    }
    let coded = |method| request(method, "/coded/digits.txt").host("vary").with("Accept-Encoding", "gzip");
    let etag = "\"2ebc98a1-14\"";
    for request in [
        head("/coded/digits.txt").host("vary").with("Accept-Encoding", "gzip"),
        head("/coded/digits.txt").host("vary"),
        coded("POST"),
        coded("OPTIONS"),
        coded("GET").with("If-None-Match", etag),
        coded("GET").with("If-None-Match", DIGITS_ETAG),
        coded("GET").with("If-None-Match", "*"),
        coded("GET").with("If-Match", etag),
        coded("GET").with("If-Match", "\"x\""),
        coded("GET").with("If-Modified-Since", super::MODIFIED_TEXT),
        coded("HEAD").with("If-None-Match", etag),
        coded("GET").range("bytes=0-3"),
        coded("GET").range("bytes=-3"),
        coded("GET").range("bytes=0-0,4-5"),
        coded("GET").range("bytes=100-"),
        coded("HEAD").range("bytes=0-3"),
        coded("GET").range("bytes=0-3").with("If-Range", etag),
        coded("GET").range("bytes=0-3").with("If-Range", DIGITS_ETAG),
        get("/coded/digits.txt").host("vary").range("bytes=0-3"),
    ] {
        add(request);
    }
    Site::new("gzip_static", &http, probes)
}

fn server(name: &str, inside: &str) -> String {
    format!("server {{ listen 127.0.0.1:%port%; server_name {name}; root %root%; {inside} }}\n")
}

/// Answers compressed on their way, and who gets them.
pub fn gzip() -> Site {
    let proxied = |words: &str, inside: &str| server(words, &format!("gzip_proxied {words}; {inside}"));
    let http = [
        "gzip on; %uncached%\n".to_owned(),
        server("plain", ""),
        server("vary", "gzip_vary on;"),
        server("types", "gzip_types text/css TEXT/plain application/octet-stream;"),
        server("any", "gzip_types *; gzip_min_length 0; gzip_vary on; etag off;"),
        server(
            "long",
            "gzip_min_length 12; gzip_types text/plain; \
             location /longer/ { gzip_min_length 13; alias %root%/; }",
        ),
        server("old", "gzip_http_version 1.0; gzip_vary on; gzip_comp_level 9; gzip_window 4k; gzip_buffers 4 8k;"),
        server(
            "agents",
            "gzip_disable msie6 old-browser ^chrome; \
             location /regex/ { gzip_disable applewebkit; alias %root%/; } \
             location /msie/ { gzip_disable msie6; alias %root%/; } \
             location /two/ { gzip_disable windows; gzip_disable MSIE6 old.*; alias %root%/; location /two/coded/ { \
                 gzip_disable ^$; alias %root%/coded/; } }",
        ),
        server("all", "gzip_proxied any;"),
        proxied("off", ""),
        proxied("auth", ""),
        proxied("expired", "expires -1; location /coded/ { expires 1h; } location /dir/ { expires epoch; }"),
        server("dated", "gzip_proxied expired no-cache; expires modified 1d; etag off;"),
        proxied("no-cache", "expires epoch; location /coded/ { add_header Cache-Control private; }"),
        proxied(
            "no-store",
            "add_header Cache-Control 'private, No-Store'; location /coded/ { expires off; add_header X y; }",
        ),
        proxied("private", "add_header Cache-Control 'max-age=1; private';"),
        proxied("no_last_modified", "location /coded/ { add_header Last-Modified 'Sun, 06 Nov 1994 08:49:37 GMT'; }"),
        proxied("no_etag", "location /coded/ { etag off; }"),
        server(
            "inner",
            "gzip_vary on; gzip_types text/plain text/css; error_page 404 /404.html; error_page 403 /50x.html; \
             location /text { return 200 'a text that is longer than twenty bytes'; default_type text/plain; } \
             location /short { return 200 'nineteen bytes here'; } \
             location /moved { return 301 /page.html; } location /gone { return 410; } \
             location /broken { return 500; } \
             location /denied/ { deny all; } location /page { error_page 404 /missing-page; return 404; } \
             location /named/ { error_page 404 = @text; } location @text { return 200 'a text of a named location'; } \
             location /off/ { gzip off; alias %root%/; } \
             location /if/ { gzip off; if ($arg_gzip) { gzip on; } alias %root%/; } \
             location /fields/ { alias %root%/; expires 1h; add_header X-B b; \
                 add_header X-A $sent_http_content_encoding; } \
             location /none/ { alias %root%/; max_ranges 0; } location /403 { return 403; } \
             location /404 { return 404; } \
             location /etag/ { alias %root%/; etag off; add_header ETag x; } \
             location /created { return 201 'a text, longer than twenty'; }",
        ),
    ]
    .concat();
    let mut probes: Vec<Probe> = Vec::new();
    let mut add = |request: Request| probes.push(request.into());
    for host in ["plain", "vary"] {
        every_form(&mut add, host, "/coded/long.html");
    }
    for host in ["plain", "old", "agents"] {
        every_client(&mut add, host, "/coded/long.html");
    }
    for path in ["/regex/coded/long.html", "/msie/coded/long.html", "/two/dir/page.html", "/two/coded/long.html"] {
        every_client(&mut add, "agents", path);
    }
    for host in ["all", "off", "auth", "expired", "no-cache", "no-store", "private", "no_last_modified", "no_etag"] {
        for path in ["/coded/long.html", "/dir/page.html", "/index.html"] {
            add(get(path).host(host).with("Accept-Encoding", "gzip").with("Via", "a"));
        }
        add(get("/coded/page.html")
            .host(host)
            .with("Accept-Encoding", "gzip")
            .with("Via", "a")
            .with("Authorization", "x"));
    }
    let paths = [
        "/coded/long.html",
        "/coded/page.html",
        "/coded/digits.txt",
        "/index.html",
        "/digits.txt",
        "/style.css",
        "/large.bin",
        "/empty.txt",
        "/noextension",
        "/missing",
        "/coded",
        "/longer/index.html",
        "/longer/noextension",
        "/app.wasm",
    ];
    for host in ["plain", "types", "any", "long"] {
        for path in paths {
            if (host, path) != ("plain", paths[0]) {
                add(get(path).host(host).with("Accept-Encoding", "gzip"));
            }
            add(head(path).host(host).with("Accept-Encoding", "gzip"));
        }
        add(get("/page.html").host(host));
    }
    for path in [
        "/text",
        "/short",
        "/moved",
        "/gone",
        "/broken",
        "/denied/x",
        "/page",
        "/named/x",
        "/off/coded/long.html",
        "/if/coded/long.html",
        "/if/coded/long.html?gzip=1",
        "/fields/coded/long.html",
        "/none/coded/long.html",
        "/403",
        "/404",
        "/etag/coded/long.html",
        "/created",
        "/missing",
    ] {
        add(get(path).host("inner").with("Accept-Encoding", "gzip"));
        add(get(path).host("inner"));
        add(get(path).host("inner").with("Accept-Encoding", "gzip").http10());
    }
    let ask = || get("/coded/long.html").host("dated").with("Accept-Encoding", "gzip");
    for request in [ask(), ask().with("Via", "a")] {
        add(request.clone());
        add(request.clone().with("If-Modified-Since", super::MODIFIED_TEXT));
        add(request.range("bytes=0-3"));
    }
    let etag = "\"2ebc98a1-14000\"";
    let ask = || get("/coded/long.html").host("vary").with("Accept-Encoding", "gzip");
    for request in [
        head("/coded/long.html").host("vary").with("Accept-Encoding", "gzip"),
        request("POST", "/text").host("inner").with("Accept-Encoding", "gzip").body("abc"),
        ask().range("bytes=0-3"),
        ask().range("bytes=1000000-"),
        ask().range("bytes=0-3").with("If-Range", etag),
        ask().with("If-None-Match", etag),
        ask().with("If-None-Match", "W/\"2ebc98a1-14000\""),
        ask().with("If-None-Match", "\"x\""),
        ask().with("If-Match", etag),
        ask().with("If-Match", "\"x\""),
        ask().with("If-Modified-Since", super::MODIFIED_TEXT),
        ask().with("Connection", "close"),
        get("/coded/long.html").host("vary").with("If-None-Match", etag),
        get("/coded/long.html").host("plain").with("Accept-Encoding", "gzip").with("If-None-Match", etag),
    ] {
        add(request);
    }
    let long = get("/coded/long.html").host("vary").with("Accept-Encoding", "gzip").bytes();
    let page = get("/page.html").host("vary").with("Accept-Encoding", "gzip").bytes();
    probes.push(Probe::raw_many("pipelined", [page.clone(), long.clone(), page.clone(), long, page].concat(), 5));
    Site::new("gzip", &http, probes)
}

/// Files that are there as gzip only, decompressed for those who don't take that.
pub fn gunzip() -> Site {
    let http = [
        "gunzip on; gzip_static always;\n".to_owned(),
        server("plain", ""),
        server("vary", "gzip_vary on; gzip on;"),
        server("off", "gunzip off;"),
        server("proxied", "gzip_proxied any; gzip_vary on; gzip_disable old-browser;"),
    ]
    .concat();
    let mut probes: Vec<Probe> = Vec::new();
    let mut add = |request: Request| probes.push(request.into());
    for host in ["plain", "vary"] {
        every_form(&mut add, host, "/coded/real.html");
    }
    for host in ["plain", "proxied"] {
        every_client(&mut add, host, "/coded/real.html");
    }
    let etag = "\"2ebc98a1-";
    for accept in ["gzip", "identity"] {
        let ask = |method| request(method, "/coded/real.html").host("vary").with("Accept-Encoding", accept);
        for request in [
            ask("HEAD"),
            ask("POST"),
            ask("GET").range("bytes=0-3"),
            ask("GET").with("If-None-Match", "*"),
            ask("GET").with("If-None-Match", etag),
            ask("GET").http10(),
            get("/coded/none.txt").host("vary").with("Accept-Encoding", accept),
            get("/coded/real.html").host("off").with("Accept-Encoding", accept),
            get("/coded/missing").host("vary").with("Accept-Encoding", accept),
        ] {
            add(request);
        }
        for path in ["/coded/members.txt", "/coded/members.html"] {
            for host in ["plain", "vary", "off"] {
                let ask = |method| request(method, path).host(host).with("Accept-Encoding", accept);
                for request in [ask("GET"), ask("HEAD"), ask("GET").http10(), ask("GET").range("bytes=0-3")] {
                    add(request);
                }
            }
        }
    }
    Site::new("gunzip", &http, probes)
}
