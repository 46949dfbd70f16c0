//! The h5bp configs.

use super::{by_proxy, old_gzip, part_of_gzip, ranged, takes_gzip, two_ranges};
use crate::probe::Site;
use crate::sites::whole::{crossed, head, in_german, plain, post};

/// The h5bp configs with their compression, caches, policies and blocked files.
pub fn boilerplate() -> Site {
    let http = "%uncached% gzip on; gzip_comp_level 5; gzip_min_length 64; gzip_proxied any; gzip_vary on; \
        gzip_types application/javascript application/json application/wasm image/svg+xml text/css text/plain; \
        charset utf-8; charset_types text/css text/plain application/javascript application/json; \
        map $sent_http_content_type $expires_at { default 1M; '' off; ~*text/html -1; ~*text/plain 2h; \
            ~*text/css 1y; ~*javascript 1y; ~image/ max; application/gzip epoch; } \
        map $sent_http_content_type $referrer { ~*text/(css|html|javascript)|javascript \
            strict-origin-when-cross-origin; } \
        map $sent_http_content_type $opener { ~*text/html 'same-origin'; } \
        map $sent_http_content_type $cacheable { default 'public, immutable'; ~*text/html 'no-cache, private'; } \
        server { listen 127.0.0.1:%port%; server_name localhost; root %root%/coded; server_tokens off; \
        expires $expires_at; add_header Referrer-Policy $referrer always; \
        add_header Cross-Origin-Opener-Policy $opener; add_header Cache-Control $cacheable; \
        add_header X-Content-Type-Options nosniff always; error_page 404 /404.html; \
        location = /404.html { root %root%; internal; } \
        location ~* /\\.(?!well-known\\/) { deny all; } \
        location ~* (?:#.*#|\\.(?:bak|conf|dist|in[ci]|log|orig|sh|sql|sw[op])|~)$ { deny all; } \
        location /off/ { gzip_static on; } \
        location = /real.html { gzip_static always; gunzip on; } \
        location /assets/ { root %root%; access_log off; } \
        location /styles/ { alias %root%/; gzip off; \
            add_header X-Seen '$status $sent_http_content_length $sent_http_content_type'; } \
        location = /data.json { default_type application/json; return 200 '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,\
            16,17,18,19,20,21,22,23,24,25,26]'; } \
        location / { try_files $uri $uri/ =404; } }";
    let targets = [
        "/",
        "/digits.txt",
        "/page.html",
        "/long.html",
        "/real.html",
        "/off/digits.txt",
        "/none.txt",
        "/assets/app.js",
        "/assets/logo.svg",
        "/styles/style.css",
        "/styles/digits.txt",
        "/data.json",
        "/missing.css",
        "/.git/HEAD",
        "/dump.sql",
        "/digits.txt~",
    ];
    let variants = [plain, head, takes_gzip, by_proxy, old_gzip, ranged, two_ranges, part_of_gzip, post, in_german];
    Site::new("boilerplate", http, crossed(&targets, &variants)).measured()
}
