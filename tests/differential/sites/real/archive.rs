//! A mirror.

use super::ranged;
use crate::probe::{Request, Site};
use crate::sites::whole::{crossed, http10, post};

/// A mirror whose directories are listed for people and for programs, and whose downloads have a rate.
pub fn archive() -> Site {
    let http = "open_file_cache max=100 inactive=20s; open_file_cache_valid 30s; open_file_cache_errors on; \
        server { listen 127.0.0.1:%port%; server_name mirror localhost; root %root%; \
        autoindex on; autoindex_exact_size off; autoindex_localtime off; \
        limit_rate 4m; limit_rate_after 64k; sendfile on; sendfile_max_chunk 512k; tcp_nopush on; \
        if_modified_since before; etag off; \
        location = / { autoindex off; index nothing.html; error_page 403 = @welcome; } \
        location @welcome { default_type text/plain; return 200 'this is a mirror\\n'; } \
        location /index/json/ { alias %root%/; autoindex_format json; } \
        location /index/xml/ { alias %root%/; autoindex_format xml; } \
        location /index/jsonp/ { alias %root%/; autoindex_format jsonp; } \
        location /slow/ { alias %root%/; limit_rate $arg_rate; limit_rate_after 0; } \
        location ~ \\.(?:gz|bin)$ { max_ranges 1; add_header Accept-Ranges bytes; expires 30d; } \
        location ~ ^/pool/(?<letter>[a-z])/(?<name>[^/]+)/(?<file>.+)$ { alias %root%/$name/$file; \
            add_header X-Pool $letter; } \
        location /private/ { allow 127.0.0.2; deny all; } \
        location /large { types { } default_type application/x-large; try_files $uri $uri.bin =404; } }";
    let targets = [
        "/",
        "/bare/",
        "/bare",
        "/dirs/",
        "/index/json/bare/",
        "/index/json/bare/file.txt",
        "/index/json/missing/",
        "/index/xml/dirs/",
        "/index/jsonp/dirs/?callback=cb",
        "/index/jsonp/dirs/",
        "/slow/digits.txt?rate=1m",
        "/slow/digits.txt?rate=0",
        "/slow/dir/?rate=64k",
        "/archive.tar.gz",
        "/large.bin",
        "/large",
        "/pool/d/dir/page.html",
        "/pool/b/bare/file.txt",
        "/pool/b/bare/",
        "/pool/9/bare/x",
        "/private/x",
        "/digits.txt",
    ];
    // A list has no length in nginx's HTTP/1.1.
    fn two_parts(request: Request) -> Request {
        request.http10().range("bytes=0-1,5-6")
    }
    fn older(request: Request) -> Request {
        request.http10().with("If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT")
    }
    fn newer(request: Request) -> Request {
        request.http10().with("If-Modified-Since", crate::sites::MODIFIED_TEXT)
    }
    fn one_byte(request: Request) -> Request {
        ranged(request.http10())
    }
    fn old_post(request: Request) -> Request {
        post(request.http10())
    }
    let variants = [http10, newer, older, two_parts, one_byte, old_post];
    Site::new("archive", http, crossed(&targets, &variants)).measured()
}
