//! An application.

use super::ranged;
use crate::probe::Site;
use crate::sites::whole::{crossed, from_a_site, head, http10, options, plain, post, tagged};

/// An application below a path, with a worker, hashed names, an environment and probes of a cluster.
pub fn application() -> Site {
    let http = "map $uri $lifetime { default off; ~*\\.(?:css|m?js|svg)$ 365d; ~*^/app/(?:index\\.html)?$ epoch; \
            /app/sw.js -1; ~*\\.txt$ 2h; } \
        map $request_uri $path { ~^(?<bare>[^?]*) $bare; } \
        server { listen 127.0.0.1:%port%; root %root%; index index.html; absolute_redirect off; \
        expires $lifetime; add_header X-Frame-Options SAMEORIGIN; \
        location = / { return 302 /app/; } \
        location ^~ /app/ { alias %root%/; try_files $uri $uri/ /app/index.html; \
            location = /app/env.js { default_type application/javascript; add_header Cache-Control no-store; \
                return 200 'window.env={\"path\":\"$path\"}'; } \
            location ~ '^/app/(?<asset>.+)\\.[0-9a-f]{8}\\.(?<kind>js|css|svg)$' { \
                alias %root%/$asset.$kind; add_header Cache-Control immutable; } } \
        location ~ ^/(?:livez|readyz)$ { access_log off; return 204; } \
        location = /app { return 301 /app/$is_args$args; } \
        location /legacy { return 410; } error_page 410 /page.html; \
        location /shell/ { error_page 404 = /index.html; } \
        location /strict/ { alias %root%/assets/; error_page 404 /404.html; try_files $uri =404; } \
        location /upload { client_max_body_size 5; return 200 $content_length; } \
        location / { limit_except GET { deny all; } try_files $uri =404; } }";
    let targets = [
        "/",
        "/app",
        "/app?tab=1",
        "/app/",
        "/app/index.html",
        "/app/some/route?x=1",
        "/app/env.js?v=2",
        "/app/assets/app.js",
        "/app/assets/app.0a1b2c3d.js",
        "/app/assets/logo.deadbeef.svg",
        "/app/assets/none.deadbeef.svg",
        "/app/assets/app.xyz.js",
        "/app/style.css",
        "/app/dir",
        "/livez",
        "/readyz?full",
        "/legacy/x",
        "/shell/none",
        "/shell/",
        "/strict/app.js",
        "/strict/none.js",
        "/upload",
        "/digits.txt",
        "/missing.txt",
    ];
    Site::new(
        "application",
        http,
        crossed(&targets, &[plain, head, http10, post, options, tagged, ranged, from_a_site]),
    )
}
