//! A container with a directory of confs.

use super::{ranged, takes_gzip};
use crate::probe::Site;
use crate::sites::whole::{crossed, head, http10, in_german, known, options, plain, post, tagged};

/// The default.conf of an image, which is a directory of fragments.
pub fn fragments() -> Site {
    let http = "%uncached% map $http_upgrade $connection_upgrade { default upgrade; '' close; } \
        include %root%/conf.d/*.conf; \
        server { listen 127.0.0.1:%port%; server_name localhost; \
        include %root%/snippets/root.inc; include %root%/snippets/errors.inc; \
        location / { root %root%; index index.html index.htm; include %root%/snippets/cache.inc; \
            add_header X-Upgrade $connection_upgrade; } \
        location /docs { alias %root%/dir; include %root%/snippets/cache.inc; include %root%/snippets/none*.inc; } \
        include %root%/snippets/places/[a-z]*.inc; }";
    let targets = [
        "/",
        "/page.html",
        "/digits.txt",
        "/style.css",
        "/assets/app.js",
        "/docs",
        "/docs/",
        "/docs/page.html",
        "/health",
        "/version",
        "/.env",
        "/secret/file.txt",
        "/none",
        "/50x.html",
        "/dir",
        "/teapot",
    ];
    let variants = [plain, head, takes_gzip, http10, known, tagged, ranged, post, options, in_german];
    Site::new("fragments", http, crossed(&targets, &variants)).measured()
}

/// The files that [`fragments`] includes, and a table for [`handbook`].
pub(in crate::sites) const FILES: &[(&str, &str)] = &[
    ("conf.d/10-gzip.conf", "gzip on;\r\ngzip_min_length 20;\r\ngzip_types text/css application/javascript;\r\n"),
    (
        "conf.d/20-log.conf",
        "# a map for all servers\nmap $http_x_request_id $trace{default $http_x_request_id;'' none;}\n\
         add_header X-Trace $trace;\n",
    ),
    ("conf.d/README", "no conf\n"),
    ("snippets/root.inc", "charset utf-8;\nserver_tokens off;\nkeepalive_timeout 65;\n"),
    (
        "snippets/errors.inc",
        "error_page 404 /404.html;\nerror_page 500 502 503 504 /50x.html;\nlocation = /404.html { internal; }\n\
         location = /50x.html {\n    root /nowhere;\n}\n",
    ),
    ("snippets/cache.inc", "expires 1h;\nadd_header Cache-Control \"public\";\nadd_header X-Trace $trace always;\n"),
    ("snippets/places/health.inc", "location = /health { access_log off; return 200 \"ok\\n\"; }\n"),
    (
        "snippets/places/rest.inc",
        "location = /version{default_type application/json;return 200 '{\"version\":\"1.2.3\"}';}\n\
         location ~ /\\. { deny all; }\nlocation ^~ /secret/ { return 404; }\nlocation /teapot { return 418; }\n",
    ),
    ("snippets/places/_off", "nonsense;\n"),
    (
        "tables/moved.map",
        "default '';\n/moved/here /dir/;\n/moved/there \"/guide\";\n~^/moved/(?<id>\\d+)$ /page?id=$id;\n",
    ),
];
