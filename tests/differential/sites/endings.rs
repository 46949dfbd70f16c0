//! The ends of bodies: chunks, trailers, the end of the connection.

use crate::probe::{Probe, Request, Site, get, head, request};

const LOCATIONS: &str = "root %root%; sendfile on; output_buffers 2 512k; error_page 418 /page.html; \
    location /said { return 200 \"a text, with a variable: $uri\"; } location /nothing { return 200; } \
    location /moved { return 301 /page.html; } location /none { return 204; } location /gone { return 410; } \
    location /teapot { return 418; } location /other { return 299 odd; } location /old/ { rewrite ^ /page.html last; } \
    location /dir/ { autoindex on; } ";

fn server(name: &str, inside: &str) -> String {
    format!("server {{ listen 127.0.0.1:%port%; server_name {name}; {LOCATIONS} {inside} }}\n")
}

const PATHS: &[&str] = &[
    "/digits.txt",
    "/empty.txt",
    "/large.bin",
    "/page.html",
    "/said",
    "/nothing",
    "/moved",
    "/none",
    "/gone",
    "/teapot",
    "/other",
    "/old/x",
    "/missing",
    "/dir",
];

fn every_ending(add: &mut impl FnMut(Request), host: &str) {
    for path in PATHS {
        add(get(path).host(host));
        add(get(path).host(host).http10());
        add(get(path).host(host).http10().with("Connection", "keep-alive"));
        add(get(path).host(host).with("Connection", "close"));
        add(head(path).host(host));
    }
    for range in ["bytes=0-9", "bytes=10-", "bytes=0-0,5-9", "bytes=0-0,5-9,90-"] {
        add(get("/digits.txt").host(host).range(range));
        add(get("/digits.txt").host(host).range(range).http10());
    }
    add(get("/large.bin").host(host).range("bytes=1000-290000"));
    add(get("/large.bin").host(host).range("bytes=0-99,1000-290000"));
    add(get("/digits.txt").host(host).with("If-Modified-Since", super::MODIFIED_TEXT));
    add(get("/digits.txt").host(host).with("If-Match", "\"x\"").with("Connection", "close"));
    add(get("/digits.txt").host(host).with("TE", "trailers"));
    add(request("POST", "/digits.txt").host(host).body("abc"));
    add(request("POST", "/said").host(host).body("abc"));
}

/// Fields behind bodies.
pub fn trailers() -> Site {
    let http = [
        server(
            "some",
            "add_trailer X-After $uri; add_trailer X-Empty $arg_none; \
             add_trailer X-Length \"$body_bytes_sent $status\";",
        ),
        server(
            "always",
            "add_trailer X-After \"$sent_http_content_type|$sent_http_x_head\" always; \
             add_header X-Head a;",
        ),
        server("empty", "add_trailer X-After $arg_none; add_trailer X-After \"\" always;"),
        server("twice", "add_trailer X-A 1; add_trailer X-A 2 always; add_trailer X-A 3;"),
        server("off", "chunked_transfer_encoding off; add_trailer X-After a always;"),
        server(
            "inner",
            "add_trailer X-Outer a; location = /digits.txt { add_trailer X-Inner $request_uri; } \
             location = /page.html { add_header X-Head b; } location = /large.bin { chunked_transfer_encoding off; } \
             location /if { if ($arg_a) { add_trailer X-If $arg_a; } try_files /digits.txt =404; } ",
        ),
    ]
    .concat();
    let mut probes: Vec<Probe> = Vec::new();
    let mut add = |request: Request| probes.push(request.into());
    for host in ["some", "always"] {
        every_ending(&mut add, host);
    }
    for host in ["empty", "twice", "off", "inner"] {
        PATHS.iter().for_each(|path| add(get(path).host(host)));
        add(get("/digits.txt").host(host).range("bytes=0-9"));
    }
    add(get("/digits.txt").host("some").range("bytes=200-"));
    add(get("/digits.txt?x=y").host("inner"));
    add(get("/if?a=b%0d%0ac").host("inner"));
    add(get("/if?a=b").host("inner"));
    add(get("/if").host("inner"));
    add(get("/%0d%0aX-Evil:y").host("always"));
    for bytes in [
        "GET /page.html HTTP/1.1\r\nHost: always\r\nBad Field\r\n\r\n",
        "GET /page.html HTTP/1.1\r\nHost: always\r\nHost: b\r\n\r\n",
        "GET / HTTP/2.1\r\nHost: always\r\n\r\n",
        "BAD\r\n\r\n",
    ] {
        probes.push(Probe::raw(bytes, bytes));
    }
    let pipelined = "GET /digits.txt HTTP/1.1\r\nHost: some\r\n\r\n".repeat(3);
    probes.push(Probe::raw_many("three at once", pipelined, 3));
    Site::new("trailers", &http, probes)
}

/// Answers whose length is not known when they begin.
pub fn unchunked() -> Site {
    let gzip = "gzip on; gzip_types text/plain; gunzip on;";
    let http = [
        "%uncached%\n".to_owned(),
        server("chunks", gzip),
        server("plain", &format!("{gzip} chunked_transfer_encoding off;")),
        server(
            "ends",
            &format!(
                "{gzip} add_trailer X-After $uri; add_trailer X-Ratio $gzip_ratio; \
                 add_trailer X-G $sent_http_content_encoding;"
            ),
        ),
        server("both", &format!("{gzip} chunked_transfer_encoding off; add_trailer X-After $uri;")),
        server("packed", "gunzip on; gzip_static always; add_trailer X-After $uri; "),
        server("lists", "add_trailer X-After $uri; location /aliased/ { autoindex on; index none; }"),
        server("listed", "chunked_transfer_encoding off; location /aliased/ { autoindex on; index none; }"),
    ]
    .concat();
    let mut probes: Vec<Probe> = Vec::new();
    let mut add = |request: Request| probes.push(request.into());
    for host in ["chunks", "plain", "ends", "both", "packed", "lists", "listed"] {
        for path in
            ["/digits.txt", "/coded/long.html", "/said", "/missing", "/coded/real.html", "/aliased/", "/empty.txt"]
        {
            if path == "/aliased/" && host == "listed" {
                continue;
            }
            for coding in ["gzip", "identity"] {
                add(get(path).host(host).with("Accept-Encoding", coding));
                // drover's list has a length.
                if path != "/aliased/" || host != "lists" {
                    let old = get(path).host(host).with("Accept-Encoding", coding).http10();
                    add(old.with("Connection", "keep-alive"));
                }
                add(head(path).host(host).with("Accept-Encoding", coding));
            }
        }
        add(get("/digits.txt").host(host).with("Accept-Encoding", "gzip").range("bytes=0-9"));
    }
    Site::new("unchunked", &http, probes).measured()
}
