//! Bodies of other uris around an answer's own.

use crate::probe::{Probe, Request, Site, get, head, request};

fn server(name: &str, inside: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:%port%; server_name {name}; root %root%; sendfile on; output_buffers 2 512k; \
         error_page 404 /404.html; location = /kept.html {{ internal; return 200 kept; }} \
         location = /text {{ default_type text/html; return 200 \"text of $uri$is_args$args\"; }} \
         location = /plain {{ default_type text/plain; return 200 plain; }} location = /none {{ return 204; }} \
         location = /made {{ default_type text/html; return 201 made; }} location = /moved {{ return 301 /x; }} \
         location = /teapot {{ error_page 418 =200 /page.html; return 418; }} location = /gone {{ return 410; }} \
         {inside} }}\n"
    )
}

const PATHS: &[&str] = &[
    "/page.html",
    "/digits.txt",
    "/empty.txt",
    "/large.bin",
    "/text",
    "/plain",
    "/none",
    "/made",
    "/moved",
    "/teapot",
    "/gone",
    "/missing",
    "/dir",
    "/dir/",
    "/coded/long.html",
];

/// `add_before_body` and `add_after_body`.
pub fn additions() -> Site {
    let denied = "location = /denied { deny all; return 200 denied; } location = /users { auth_basic x; \
                  auth_basic_user_file %root%/users/htpasswd; return 200 user; }";
    let http = [
        server("both", "add_before_body /guide.html; add_after_body /style.css;"),
        server("before", "add_before_body /guide.html; addition_types text/plain;"),
        server("after", "add_after_body /kept.html; addition_types *;"),
        server("empty", "add_before_body /empty.txt; add_after_body /empty.txt; addition_types *;"),
        server("large", "add_before_body /large.bin; add_after_body /large.bin; addition_types *;"),
        server("lost", "add_before_body /nowhere; add_after_body /dangling.txt;"),
        server("bare", "error_page 404 /nope; add_before_body /nowhere; add_after_body /locked.txt;"),
        server("made", "add_before_body /none; add_after_body /made;"),
        server("moved", "add_before_body /dir; add_after_body /moved;"),
        server(
            "index",
            "add_before_body /dir/; add_after_body /bare/; location /bare/ { autoindex on; autoindex_format json; }",
        ),
        server("guarded", &format!("{denied} add_before_body /denied; add_after_body /users;")),
        server("query", "add_before_body /text?a=b; add_after_body /text;"),
        server("chunks", "add_after_body /guide.html; add_trailer X-After $uri; add_header X-Head $uri;"),
        server("unchunked", "add_after_body /guide.html; chunked_transfer_encoding off;"),
        server("tagged", "add_after_body /guide.html; add_header ETag '\"own\"';"),
        server(
            "nested",
            "add_before_body /guide.html; add_after_body /style.css; location = /page.html { add_before_body \"\"; } \
             location = /inner { add_before_body /text; default_type text/html; return 200 $uri; } \
             location /off/ { add_before_body \"\"; add_after_body \"\"; alias %root%/; } \
             location = /rewritten { rewrite ^ /page.html last; } \
             location = /set { set $x main; add_before_body /say; default_type text/html; return 200 \"[$x $uri]\"; } \
             location = /say { return 200 \"[$x $uri $request_uri $request_method $args]\"; }",
        ),
        server(
            "script",
            "rewrite ^/a$ /guide.html; rewrite ^/b /c last; add_before_body /a; add_after_body /b; \
             location /c { try_files /nope /style.css =404; }",
        ),
        server(
            "named",
            "add_before_body /n; location /n { error_page 404 = @n; return 404; } location @n { return 200 n; }",
        ),
    ]
    .concat();
    let mut probes: Vec<Probe> = Vec::new();
    let mut add = |request: Request| probes.push(request.into());
    for host in [
        "both",
        "before",
        "after",
        "empty",
        "large",
        "lost",
        "bare",
        "made",
        "moved",
        "index",
        "guarded",
        "query",
        "chunks",
        "unchunked",
        "tagged",
        "nested",
        "script",
        "named",
    ] {
        for path in PATHS {
            add(get(path).host(host));
        }
        add(get("/page.html").host(host).http10());
        add(get("/page.html").host(host).http10().with("Connection", "keep-alive"));
        add(get("/text").host(host).http10());
        add(head("/page.html").host(host));
        add(head("/text").host(host));
        add(get("/page.html").host(host).range("bytes=0-3"));
        add(get("/page.html").host(host).range("bytes=100-"));
        add(get("/text?x=y").host(host));
        add(request("POST", "/text").host(host).body("abc"));
        add(request("POST", "/page.html").host(host).body("abc"));
    }
    add(get("/page.html").host("both").with("If-Match", "\"2ebc98a1-c\""));
    add(get("/page.html").host("both").with("If-None-Match", "W/\"2ebc98a1-c\""));
    add(get("/page.html").host("both").with("If-Modified-Since", super::MODIFIED_TEXT));
    for path in ["/off/page.html", "/set", "/say", "/kept.html", "/inner", "/rewritten"] {
        add(get(path).host("nested"));
    }
    let pipelined =
        "GET /page.html HTTP/1.1\r\nHost: both\r\n\r\nGET /digits.txt HTTP/1.1\r\nHost: both\r\n\r\n".repeat(2);
    probes.push(Probe::raw_many("four at once", pipelined, 4));
    Site::new("additions", &http, probes)
}
