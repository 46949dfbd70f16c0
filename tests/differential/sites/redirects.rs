//! What becomes of a uri inside: aliases, the names that index and try_files add.

use crate::probe::{Site, get, head, request};
use crate::probes;

pub fn aliases() -> Site {
    let http = "add_header X-Uri '$uri $is_args$args' always; add_header X-File $request_filename always; \
                server { listen 127.0.0.1:%port%; root %root%; \
                location ~ ^/index/(.*)$ { alias %root%/$1; index nope.html page.html; } \
                location ~ ^/no-index/(.*)$ { alias %root%/$1; index nope.html; } \
                location ~ ^/absolute/(.*)$ { alias %root%/$1; index nope.html /page.html; } \
                location ~ ^/try/(.*)$ { alias %root%/; try_files $1 $1/ =404; } \
                location ~ ^/try-page/(.*)$ { alias %root%/$1; try_files /page.html =404; } \
                location ~ ^/try-uri/(.*)$ { alias %root%/$1; try_files $uri $uri/ =404; } \
                location ~ ^/try-empty/(.*)$ { alias %root%/$1; try_files '' =404; } \
                location ~ ^/dir/(.*)$ { alias %root%/dir/; } \
                location ~ ^/error/(.*)$ { alias %root%/; error_page 405 /try/page.html; try_files $1 =404; } \
                location /prefix/ { alias %root%/; try_files dir/ =404; } \
                location /prefix-page/ { alias %root%/; try_files $uri page.html =404; } \
                location /prefix-named/ { alias %root%/; try_files /prefix-named/page.html $uri/ =404; } \
                location /prefix-slash { alias %root%/dir; try_files $uri /page.html =404; } \
                location = /exact { alias %root%/page.html; try_files '' =404; } \
                location /outer/ { alias %root%/; \
                    location /outer/dir/ { } location = /outer/page.html { } location ~ \\.txt$ { } \
                    location ~ ^/outer/tried/(.*) { try_files $uri $1 =404; } \
                    location ~ ^/outer/own/(.*)$ { alias %root%/dir/$1; } \
                    location /outer/inner/ { alias %root%/dir/; } location /outer/root/ { root %root%; } } \
                location ~ ^/regex/(.*)$ { alias %root%/$1; location ~ page { } } }";
    let targets = [
        "/index/dir/",
        "/index/dir",
        "/index/",
        "/index/dir/page.html",
        "/no-index/dir/",
        "/no-index/none/",
        "/absolute/dir/?a=b",
        "/try/page.html",
        "/try/dir/",
        "/try/dir",
        "/try/none",
        "/try/dir/page.html?a=b",
        "/try-page/dir/",
        "/try-page/dir",
        "/try-page/none",
        "/try-uri/page.html",
        "/try-uri/dir/",
        "/try-empty/page.html",
        "/dir/",
        "/dir/x",
        "/prefix/",
        "/prefix/x?a=b",
        "/prefix-page/",
        "/prefix-page/digits.txt",
        "/prefix-page/none",
        "/prefix-named/x",
        "/prefix-named/dir",
        "/prefix-slash/page.html",
        "/prefix-slash/x",
        "/prefix-slash",
        "/exact",
        "/outer/dir/page.html",
        "/outer/dir/",
        "/outer/page.html",
        "/outer/digits.txt",
        "/outer/bare/file.txt",
        "/outer/tried/page.html",
        "/outer/tried/none",
        "/outer/own/page.html",
        "/outer/inner/page.html",
        "/outer/root/page.html",
        "/outer/style.css",
        "/regex/page.html",
        "/regex/style.css",
        "/regex/dir/page.html",
    ];
    let mut probes: Vec<_> = targets.iter().map(|target| get(target).into()).collect();
    probes.extend(probes![
        request("POST", "/error/page.html").body("x"),
        request("POST", "/try/page.html").body("x"),
        head("/try/page.html"),
    ]);
    Site::new("aliases", http, probes)
}
