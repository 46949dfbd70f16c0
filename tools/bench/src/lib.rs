//! The inputs of the benchmarks, as clients and users write them.

use std::fmt::Write;

/// The head that curl sends.
pub const CURL: &[u8] =
    b"GET /index.html HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n\r\n";

/// The head that a browser sends when it loads a page again.
pub const BROWSER: &[u8] = b"GET /docs/guide/index.html?page=2 HTTP/1.1\r\n\
    Host: www.example.org\r\n\
    Connection: keep-alive\r\n\
    Cache-Control: max-age=0\r\n\
    sec-ch-ua: \"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/142.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-User: ?1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Referer: https://www.example.org/docs/\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
    Cookie: session=4f2c9a7be1d04c55; theme=dark; consent=2026-11-01\r\n\
    If-None-Match: \"6742f1c3-1f40\"\r\n\
    If-Modified-Since: Sun, 24 Nov 2024 09:28:35 GMT\r\n\
    \r\n";

/// The number of requests in [`pipelined`].
pub const BATCH: usize = 16;

/// [`BATCH`] heads of curl in a row, as a pipelining client sends them.
pub fn pipelined() -> Vec<u8> {
    CURL.repeat(BATCH)
}

/// A chunked body of `size` bytes of content, in chunks of `chunk` bytes.
pub fn chunked(size: usize, chunk: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for piece in vec![b'x'; size].chunks(chunk) {
        body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        body.extend_from_slice(piece);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

/// A Range field for a part of a file.
pub const ONE_RANGE: &[u8] = b"bytes=1048576-2097151";

/// A Range field for five parts of a file.
pub const FIVE_RANGES: &[u8] = b"bytes=0-1023, 4096-8191,65536-131071 , 1048576-1052671,-4096";

/// The size of the file that the ranges are parts of.
pub const FILE_SIZE: u64 = 8 << 20;

/// The conf that drover comes with.
pub const STARTING_CONF: &str = include_str!("../../../conf/drover.conf");

/// The types that confs include.
pub const MIME_TYPES: (&str, &str) = ("mime.types", include_str!("../../../conf/mime.types"));

/// A conf with `servers` server blocks and the types.
pub fn large_conf(servers: usize) -> String {
    let mut conf =
        "worker_processes 4;\nevents { worker_connections 4096; }\nhttp {\n    include mime.types;\n".to_owned();
    for n in 0..servers {
        let _ = write!(
            conf,
            "    server {{\n        listen 127.0.0.1:8080;\n\
             \x20       server_name site{n}.example.org *.site{n}.example.org;\n\
             \x20       root /srv/site{n};\n        index index.html index.htm;\n        error_page 404 /404.html;\n\
             \x20       location / {{ try_files $uri $uri/ =404; }}\n\
             \x20       location ^~ /assets/ {{ expires 1y; add_header Cache-Control \"public, immutable\"; }}\n\
             \x20       location ~* \\.(jpe?g|png|webp)$ {{ expires 30d; }}\n\
             \x20       location = /old {{ return 301 https://site{n}.example.org/new; }}\n    }}\n"
        );
    }
    conf + "}\n"
}
