//! Header fields that are added, access that is denied, and the name of the server.

use crate::probe::{Probe, Site, Step, get, head, request};
use crate::probes;

pub fn headers() -> Site {
    let http = "add_header X-Http http; expires 1h; \
                server { listen 127.0.0.1:%port%; root %root%; \
                location / { } \
                location /none/ { alias %root%/; add_header X-Location one; add_header X-Location two; } \
                location /always/ { alias %root%/; add_header X-Always $uri always; add_header X-Plain plain; } \
                location /empty/ { alias %root%/; add_header X-Empty ''; add_header X-Variable $arg_missing; \
                    add_header X-Mixed a$arg_missing; } \
                location /off/ { alias %root%/; expires off; } \
                location /epoch/ { alias %root%/; expires epoch; } \
                location /max/ { alias %root%/; expires max; } \
                location /past/ { alias %root%/; expires -1; } \
                location /zero/ { alias %root%/; expires 0; } \
                location /days/ { alias %root%/; expires 30d; } \
                location /long/ { alias %root%/; expires '1y 2d 3h'; } \
                location /modified/ { alias %root%/; expires modified +1d; } \
                location /modified-dated/ { alias %root%/; etag off; expires modified +2d; } \
                location /modified-past/ { alias %root%/; expires modified -1d; } \
                location /cache/ { alias %root%/; expires 1d; add_header Cache-Control 'public, immutable'; } \
                location /cache-only/ { alias %root%/; expires off; add_header Cache-Control no-store; } \
                location /standard/ { alias %root%/; add_header Last-Modified ''; add_header ETag custom; } \
                location /last-modified/ { alias %root%/; add_header Last-Modified 'Mon, 07 Nov 1994 08:49:37 GMT'; } \
                location /server/ { alias %root%/; add_header Server mine; add_header Date never; } \
                location = /returned { add_header X-Returned yes; return 200 ok; } \
                location = /redirected { add_header X-Redirected yes; return 302 /page.html; } \
                location = /refused { add_header X-Refused yes; add_header X-Refused-Always yes always; return 403; } \
                location = /created { add_header X-Created yes; return 201 ok; } \
                location = /no-content { add_header X-No yes; return 204; } \
                location = /not-modified { add_header X-Not yes; return 304; } \
                location = /temporary { add_header X-Temporary yes; return 307 /page.html; } \
                location = /permanent { add_header X-Permanent yes; return 308 /page.html; } }";
    let probes = probes![
        get("/page.html"),
        get("/missing"),
        get("/dir"),
        get("/none/page.html"),
        get("/none/missing"),
        get("/always/page.html"),
        get("/always/missing"),
        get("/always/dir"),
        head("/always/missing"),
        get("/empty/page.html"),
        get("/empty/page.html?missing=b"),
        get("/epoch/page.html"),
        get("/max/page.html"),
        get("/off/page.html"),
        get("/modified/page.html"),
        get("/modified-past/page.html"),
        get("/cache-only/page.html"),
        get("/standard/page.html"),
        get("/standard/page.html").with("If-None-Match", "custom"),
        get("/last-modified/page.html"),
        get("/server/page.html"),
        get("/refused"),
        get("/epoch/missing"),
        get("/epoch/page.html").range("bytes=0-1"),
        get("/epoch/page.html").range("bytes=0-1,4-5"),
        get("/epoch/page.html").range("bytes=100-"),
        get("/epoch/page.html").with("If-Modified-Since", super::MODIFIED_TEXT),
        get("/page.html").with("If-None-Match", "*"),
        get("/modified/page.html").with("If-None-Match", "*"),
        get("/modified/page.html").with("If-Modified-Since", super::MODIFIED_TEXT),
        get("/modified-past/page.html").with("If-None-Match", "*"),
        get("/modified-dated/page.html"),
        get("/modified-dated/page.html").with("If-None-Match", "*"),
        get("/modified-dated/page.html").with("If-Modified-Since", super::MODIFIED_TEXT),
        get("/modified-dated/page.html").range("bytes=0-1"),
        get("/past/page.html"),
        get("/zero/page.html"),
        get("/days/page.html"),
        get("/long/page.html"),
        get("/cache/page.html"),
        get("/returned"),
        get("/redirected"),
        get("/created"),
        get("/no-content"),
        get("/not-modified"),
        get("/temporary"),
        get("/permanent"),
        request("POST", "/page.html").body("x"),
    ];
    Site::new("headers", http, probes)
}

/// `add_header` in the place of a file's own validators, and who compares with what.
pub fn validators() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; location / { } \
                location /time/ { alias %root%/; add_header Last-Modified 'Mon, 07 Nov 1994 08:49:37 GMT'; } \
                location /no-time/ { alias %root%/; add_header Last-Modified ''; } \
                location /bad-time/ { alias %root%/; add_header Last-Modified yesterday; } \
                location /tag/ { alias %root%/; add_header X-Before b; add_header ETag '\"v1\"'; \
                add_header X-After a; } \
                location /no-tag/ { alias %root%/; add_header ETag ''; } \
                location /two/ { alias %root%/; add_header ETag '\"v0\"'; add_header ETag '\"v1\"'; \
                    add_header Last-Modified 'Mon, 07 Nov 1994 08:49:37 GMT'; add_header Last-Modified $arg_time; } \
                location /off/ { alias %root%/; etag off; add_header ETag '\"v1\"'; } \
                location = /returned { add_header ETag '\"v1\"'; add_header ETag '\"v2\"'; return 200 0123456789; } \
                location /as-304/ { error_page 404 =304 /page.html; } \
                location /as-206/ { error_page 404 =206 /page.html; } \
                location /as-201/ { error_page 404 =201 /page.html; } \
                location /missing/ { error_page 404 /page.html; add_header ETag '\"v1\"'; } \
                location /missing-always/ { add_header ETag '\"v0\"' always; add_header ETag '\"v1\"' always; \
                    add_header ETag '\"v2\"'; } }";
    let (later, own) = ("Mon, 07 Nov 1994 08:49:37 GMT", super::MODIFIED_TEXT);
    let mut probes: Vec<Probe> = Vec::new();
    for place in ["", "/time", "/no-time", "/bad-time", "/tag", "/no-tag", "/two", "/off"] {
        let digits = || get(&format!("{place}/digits.txt"));
        probes.extend(probes![digits(), head(&format!("{place}/digits.txt")), digits().range("bytes=0-1,4-5")]);
        for if_range in [own, later, "yesterday", super::DIGITS_ETAG, "\"v0\"", "\"v1\""] {
            probes.push(digits().range("bytes=0-9").with("If-Range", if_range).into());
        }
        for (name, value) in [
            ("If-None-Match", super::DIGITS_ETAG),
            ("If-None-Match", "\"v1\""),
            ("If-None-Match", "*"),
            ("If-Match", super::DIGITS_ETAG),
            ("If-Match", "\"v1\""),
            ("If-Modified-Since", own),
            ("If-Modified-Since", later),
            ("If-Unmodified-Since", own),
        ] {
            probes.push(digits().with(name, value).into());
        }
    }
    probes.extend(probes![
        get("/two/digits.txt?time=Mon,"),
        get("/returned"),
        get("/returned").with("If-None-Match", "\"v2\""),
        get("/missing/x"),
        get("/missing-always/x"),
        get("/as-304/x"),
        get("/as-206/x"),
        get("/as-201/x"),
        head("/as-304/x"),
    ]);
    Site::new("validators", http, probes)
}

pub fn variables() -> Site {
    let http = "log_format own '$remote_port' ' $status $pipe $request' '_$request_method' ' $gzip_ratio $limit_rate ' \
                    '[$time_local] \"$request_completion\" $http_cookie $http_x_forwarded_for $content_type \
                    $args $query_string $is_args'; \
                server { listen 127.0.0.1:%port%; root %root%; access_log %dir%/access.log own; \
                location / { } \
                location = /fields { return 200 '$http_x_twice|$http_referer|$http_none'; } \
                location = /lists { \
                return 200 '$http_cookie|$cookie_a|$cookie_b|$http_x_forwarded_for|$http_user_agent'; } \
                location = /complete { access_log off; add_header X-Complete [$request_completion]; \
                return 200 [$request_completion]; } \
                location = /complete.html { access_log off; alias %root%/page.html; \
                add_header X-Complete [$request_completion]; } \
                location = /rootless { root $arg_none; if ($document_root ~ ^/.*/$) { return 200 'a slash'; } \
                return 200 [$document_root]; } \
                location = /silent { return 444; } \
                location = /ours { return 200 '$gzip_ratio|$limit_rate|$pipe'; } \
                location /cut/ { rewrite ^/cut(/.*) $1? break; } \
                location /filled/ { rewrite ^/filled(/.*) $1?$arg_x? break; } \
                location /joined/ { rewrite ^/joined(/.*) $1?$arg_x last; } \
                location /set/ { set $args ''; alias %root%/; } \
                location /set-to/ { set $args $arg_x; alias %root%/; } \
                location /tried/ { try_files /nowhere /page.html?$args; } \
                location /lost/ { error_page 404 /page.html; return 404; } \
                location /lost-query/ { error_page 404 /page.html?; return 404; } \
                location /named/ { error_page 404 @named; return 404; } location @named { return 200 named; } }";
    let page = "GET /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let probes = probes![
        get("/ours"),
        get("/complete"),
        get("/complete.html"),
        get("/rootless"),
        get("/rootless?none=/a"),
        get("/rootless?none=a/"),
        get("/fields").with("X-Twice", "1"),
        get("/fields")
            .with("X-Twice", "1")
            .with("X-Twice", "2")
            .with("Referer", "http://a.example/")
            .with("Referer", "http://b.example/"),
        get("/lists").with("Cookie", "b=2; c=4").with("Cookie", "a=3").with("Cookie", "a=1"),
        get("/lists").with("X-Forwarded-For", "1.1.1.1").with("X-Forwarded-For", "2.2.2.2, 3.3.3.3"),
        get("/lists").with("Cookie", "").with("X-Forwarded-For", "").with("X-Forwarded-For", "1.1.1.1"),
        get("/silent"),
        Probe::raw("no method", "nothing to see here\r\n\r\n"),
        get("/missing"),
        Probe::raw_many("three pipelined", page.repeat(3), 3),
        Probe::raw_many("one, then two pipelined", page, 1).then_send(page.repeat(2)).then_read().then_read(),
        Probe::raw_many(
            "two pipelined, with bodies",
            "POST /ours HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc".repeat(2),
            2
        ),
        Probe {
            steps: vec![Step::Send(b"GET / HTTP/1.1\r\nHost: lo".into()), Step::ShutdownWrite],
            ..Probe::raw("abandoned", "")
        },
    ];
    let mut probes = probes;
    let places = ["cut", "filled", "joined", "set", "set-to", "tried", "lost", "lost-query", "named"];
    for path in
        places.map(|place| format!("/{place}/page.html")).iter().map(String::as_str).chain(["/page.html", "/dir"])
    {
        for query in ["", "?", "?a=b", "?x=y"] {
            probes.push(get(&format!("{path}{query}")).into());
        }
    }
    Site::new("variables", http, probes)
}

/// Several lines of one field, in requests and responses, and what a refused target leaves.
pub fn lines() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; error_page 400 =200 /refused; \
                location / { } \
                location = /type { return 200 '$content_type|$http_content_type'; } \
                location = /moved { return 301 https://other.example$request_uri; } \
                location = /refused { return 200 '$uri|$args'; } \
                location /sent/ { alias %root%/; expires 1h; add_header X-A a; add_header X-A b$arg_b; \
                    add_header Cache-Control private; add_header X-None $arg_none; \
                    add_header X-Seen \
                    '$sent_http_x_a|$sent_http_x_none|$sent_http_cache_control|$sent_http_content_type'; \
                    add_header X-Own \
                    '$sent_http_content_length|$sent_http_etag|$sent_http_last_modified|$sent_http_connection'; \
                    add_header X-Later '$sent_http_x_seen|$sent_http_x_last|$sent_http_accept_ranges'; \
                    add_header X-Last last; } } \
                server { listen 127.0.0.1:%port%; server_name moved; return 301 https://other.example$request_uri; }";
    let page = || get("/page.html");
    let probes = probes![
        get("/type").with("Content-Type", "a/b"),
        get("/type").with("Content-Type", "a/b").with("Content-Type", "c/d"),
        get("/sent/page.html"),
        get("/sent/page.html?b=b&none=some"),
        get("/sent/digits.txt").range("bytes=0-9"),
        get("/sent/digits.txt").with("If-None-Match", "*"),
        get("/sent/missing"),
        get("http://moved").host("moved"),
        get("http://moved:80").host("moved"),
        get("http://moved/").host("moved"),
        get("http://moved?q").host("moved"),
        get("http://moved/a?q").host("moved"),
        get("/a/b?q").host("moved"),
        page().with("If-None-Match", "\"x\"").with("If-None-Match", "*"),
        page().with("If-None-Match", "\"x\"").with("If-None-Match", "\"2ebc98a1-c\""),
        page().with("If-Match", "\"x\"").with("If-Match", "\"2ebc98a1-c\""),
        page().with("If-Match", "\"x\"").with("If-Match", "\"y\""),
        page().with("Expect", "x").with("Expect", "100-continue").body("abc"),
        page().with("If-Modified-Since", super::MODIFIED_TEXT).with("If-Modified-Since", super::MODIFIED_TEXT),
        page().with("If-Range", "\"x\"").with("If-Range", "\"x\""),
        page().with("Authorization", "Basic YTpi").with("Authorization", "Basic YTpi"),
        get("/a/../../b?q"),
        get("/a/%zz?q"),
        get("/%00?q"),
    ];
    Site::new("lines", http, probes)
}

/// The answers of `return` and of the pages about the service: silence, conditions, and bodies that go with them.
pub fn texts() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; location / { } \
                location = /text { return 200 text; } location = /stub { stub_status; } \
                location = /407 { return 407; } \
                location = /silent { return 444; } } \
                server { listen 127.0.0.1:%port%; server_name silent; return 444; }";
    let mut probes: Vec<Probe> = Vec::new();
    for target in ["/text", "/stub"] {
        for (name, value) in [
            ("If-None-Match", "*"),
            ("If-Match", "*"),
            ("If-Match", "\"x\""),
            ("If-Unmodified-Since", super::MODIFIED_TEXT),
        ] {
            // The page counts connections, and no two runs have the same: only answers without it can be equal.
            if (target, name, value) != ("/stub", "If-Match", "*") {
                probes.push(head(target).with(name, value).into());
            }
        }
    }
    for (host, target) in [("localhost", "/silent"), ("silent", "/x")] {
        let name = |rest: &str| format!("POST {target}, {rest}");
        let head = format!("POST {target} HTTP/1.1\r\nHost: {host}\r\n");
        for (what, rest) in [
            ("no body", "\r\n"),
            ("a body", "Content-Length: 3\r\n\r\nabc"),
            ("too large a body", "Content-Length: 3000000\r\n\r\nabc"),
            ("a chunk that is none", "Transfer-Encoding: chunked\r\n\r\nno chunk\r\n"),
            ("too large a chunk", "Transfer-Encoding: chunked\r\n\r\nffffff\r\n"),
            ("Expect", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
        ] {
            probes.push(Probe::raw(&name(what), format!("{head}{rest}")));
        }
    }
    probes.push(request("POST", "/text").with("If-None-Match", "*").body("x").into());
    probes.push(get("/407").into());
    Site::new("texts", http, probes)
}

pub fn access() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; \
                location / { } \
                location /denied/ { alias %root%/; deny all; } \
                location /allowed/ { alias %root%/; allow 127.0.0.1; deny all; } \
                location /order/ { alias %root%/; deny 127.0.0.1; allow all; } \
                location /network/ { alias %root%/; allow 127.0.0.0/8; deny all; } \
                location /other-network/ { alias %root%/; allow 10.0.0.0/8; allow 192.168.1.1; deny all; } \
                location /v6/ { alias %root%/; allow ::1; deny all; } \
                location /unix/ { alias %root%/; allow unix:; deny all; } \
                location /none-match/ { alias %root%/; deny 10.0.0.1; } \
                location /outer/ { deny all; location /outer/inner/ { alias %root%/; } \
                    location /outer/open/ { alias %root%/; allow all; } } \
                location /returned/ { deny all; return 200 'returned anyway'; } \
                location /tried/ { deny all; try_files /page.html =404; } }";
    let probes = probes![
        get("/page.html"),
        get("/denied/page.html"),
        get("/denied/missing"),
        get("/denied/"),
        get("/denied"),
        head("/denied/page.html"),
        request("POST", "/denied/page.html").body("x"),
        get("/allowed/page.html"),
        get("/order/page.html"),
        get("/network/page.html"),
        get("/other-network/page.html"),
        get("/v6/page.html"),
        get("/unix/page.html"),
        get("/none-match/page.html"),
        get("/outer/inner/page.html"),
        get("/outer/open/page.html"),
        get("/returned/x"),
        get("/tried/x"),
    ];
    Site::new("access", http, probes)
}

/// `server_tokens off`, and an access log in nginx's own combined format.
pub fn quiet() -> Site {
    let http = "server_tokens off; access_log %dir%/combined.log combined; \
                server { listen 127.0.0.1:%port%; root %root%; location / { } \
                location /silent/ { alias %root%/; access_log off; } \
                location = /loud { server_tokens on; return 403; } }";
    let probes = probes![
        get("/page.html").with("User-Agent", "a \"quoted\" \\ agent").with("Referer", "http://from.example/?a=b"),
        get("/missing"),
        head("/missing"),
        get("/dir"),
        get("/silent/page.html"),
        get("/loud"),
        request("OPTIONS", "/"),
        get("/page.html").host("bad host"),
    ];
    Site::new("quiet", http, probes)
}
