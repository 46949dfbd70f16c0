//! Whole sites as people write them, each asked many things: the directives of a real conf meet each other here.

use crate::probe::{Probe, Request, Site, get, request};

/// Every target with every variant of a request.
pub(super) fn crossed(targets: &[&str], variants: &[fn(Request) -> Request]) -> Vec<Probe> {
    targets.iter().flat_map(|target| variants.iter().map(|variant| variant(get(target)).into())).collect()
}

pub(super) fn plain(request: Request) -> Request {
    request
}

pub(super) fn head(request: Request) -> Request {
    request.method("HEAD")
}

pub(super) fn http10(request: Request) -> Request {
    request.http10()
}

pub(super) fn post(request: Request) -> Request {
    request.method("POST").body("a=1&b=2")
}

pub(super) fn options(request: Request) -> Request {
    request.method("OPTIONS")
}

pub(super) fn known(request: Request) -> Request {
    request.with("If-Modified-Since", super::MODIFIED_TEXT)
}

pub(super) fn tagged(request: Request) -> Request {
    request.with("If-None-Match", super::DIGITS_ETAG)
}

pub(super) fn ranged(request: Request) -> Request {
    request.range("bytes=2-5")
}

pub(super) fn from_a_site(request: Request) -> Request {
    request.with("Origin", "https://app.example").with("Referer", "https://app.example/page")
}

pub(super) fn in_german(request: Request) -> Request {
    request.with("Accept-Language", "de-AT,de;q=0.8,en;q=0.5")
}

/// A single-page app behind a hardened server block, in the manner of the h5bp configs.
pub fn hardened() -> Site {
    let http = "map $sent_http_content_type $expires_at { default 1M; '' off; ~*text/html -1; text/plain 2h; \
            ~*text/css 1y; ~*javascript 1y; ~image/ max; application/json epoch; } \
        map $sent_http_content_type $policy { ~*text/(html|javascript)|application/pdf|xml \
            \"default-src 'self'; base-uri 'none'\"; } \
        map $sent_http_content_type $framing { ~*text/html DENY; } \
        server { listen 127.0.0.1:%port%; root %root%; index index.html index.htm; \
        expires $expires_at; server_tokens off; \
        add_header X-Content-Type-Options nosniff always; add_header Content-Security-Policy $policy always; \
        add_header X-Frame-Options $framing always; \
        error_page 404 /404.html; error_page 500 502 503 504 /50x.html; \
        location ~* /\\.(?!well-known/) { deny all; } \
        location ~* (?:#.*#|\\.(?:bak|conf|dist|fla|in[ci]|log|orig|psd|sh|sql|sw[op])|~)$ { deny all; } \
        location ~* (.+)\\.(?:\\w+)\\.(bmp|css|cur|gif|ico|jpe?g|m?js|png|svgz?|webp|webmanifest)$ { \
            try_files $uri $1.$2; } \
        location = /404.html { internal; } \
        location /assets/ { access_log off; try_files $uri =404; } \
        location / { try_files $uri $uri/ /index.html; } }";
    let targets = [
        "/",
        "/route/of/the/app?tab=2",
        "/page.html",
        "/digits.txt",
        "/style.css",
        "/style.a1b2c3.css",
        "/assets/app.js",
        "/assets/app.0f9e.js",
        "/assets/missing.js",
        "/assets/logo.svg",
        "/.hidden",
        "/.git/config",
        "/.well-known/security.txt",
        "/backup.sql",
        "/index.html~",
        "/404.html",
        "/dir",
        "/dir/",
        "/bare/",
    ];
    Site::new("hardened", http, crossed(&targets, &[plain, head, http10, post, known, ranged]))
}

/// Versions of a manual: clean names, the newest one, an old tree that has moved.
pub fn manual() -> Site {
    let http = "server { listen 127.0.0.1:%port%; server_name docs.example localhost; root %root%; \
        error_page 404 /404.html; port_in_redirect off; \
        rewrite ^/(.*)/index\\.html?$ /$1/ permanent; rewrite ^/index\\.html?$ / permanent; \
        location = / { return 302 /dir/; } \
        location ~ ^/(?<name>[a-z]+)\\.html$ { return 301 /$name$is_args$args; } \
        location /latest/ { rewrite ^/latest/(.*)$ /dir/$1 last; } \
        location /v1/ { rewrite ^/v1/guide/(\\d+)/?$ /guide?chapter=$1 redirect; \
            rewrite ^/v1/(?<rest>.*)$ /v2/$rest permanent; } \
        location /v2/ { alias %root%/dir/; index index.html; autoindex off; } \
        location /search { if ($arg_q = '') { return 400 'what for?\\n'; } \
            default_type application/json; return 200 '{\"q\":\"$arg_q\"}'; } \
        location /dir/ { try_files $uri $uri.html $uri/ =404; add_header X-Version newest; } \
        location / { try_files $uri $uri.html $uri/ @elsewhere; } \
        location @elsewhere { if ($uri ~ ^/old/(.+)$) { return 301 https://old.example/$1; } return 404; } }";
    let targets = [
        "/",
        "/index.html",
        "/index.htm",
        "/dir/index.html",
        "/dir/sub/index.html?x=1",
        "/guide",
        "/guide.html",
        "/guide.html?print=1",
        "/page",
        "/missing",
        "/missing.html",
        "/latest/",
        "/latest/page",
        "/latest/page.html",
        "/latest/sub",
        "/latest/none",
        "/v1/guide/7",
        "/v1/guide/7/?from=mail",
        "/v1/guide/seven",
        "/v1/other/page",
        "/v2/",
        "/v2/page.html",
        "/v2/sub",
        "/v2/none",
        "/search",
        "/search?q=",
        "/search?q=epoll%20loop",
        "/search?q=a&q=b",
        "/old/manual/1.html",
        "/old/",
        "/dir/sub",
        "/digits.txt",
    ];
    Site::new("manual", http, crossed(&targets, &[plain, head, post, known, ranged]))
}

/// Tenants: one server block for many names, with a directory for each.
pub fn tenants() -> Site {
    let http = "server { listen 127.0.0.1:%port% default_server; server_name _; return 444; } \
        server { listen 127.0.0.1:%port%; server_name ~^www\\.(?<bare>.+)$; return 301 $scheme://$bare$request_uri; } \
        server { listen 127.0.0.1:%port%; server_name ~^(?<tenant>[a-z]+)\\.sites\\.example$; root %root%/$tenant; \
            index index.html index.htm; add_header X-Tenant $tenant; error_page 404 /404.html; \
            location = /404.html { root %root%; internal; } \
            location = /robots.txt { return 200 'User-agent: *\\nDisallow:\\n'; } \
            location / { try_files $uri $uri/ =404; } } \
        server { listen 127.0.0.1:%port%; server_name .shop.example shop.*; root %root%; server_name_in_redirect on; \
            location / { add_header X-Shop $host; } } \
        server { listen 127.0.0.1:%port%; server_name *.wild.example; root %root%; \
            location / { return 200 '$host|$server_name|$http_host\\n'; } } \
        server { listen 127.0.0.1:%port%; server_name localhost ''; root %root%; }";
    let hosts = [
        "dir.sites.example",
        "other.sites.example",
        "DIR.SITES.EXAMPLE:80",
        "none.sites.example",
        "dir0.sites.example",
        "www.shop.example",
        "shop.example",
        "www.dir.sites.example",
        "shop.test",
        "a.shop.example",
        "a.b.wild.example",
        "wild.example",
        "x.wild.example.",
        "localhost",
        "unknown.example",
        "127.0.0.1",
        "[::1]",
    ];
    let targets = ["/", "/page.html", "/sub", "/robots.txt", "/none?x=y", "/404.html", "/dir"];
    let with_host = |host| move |target: &&str| Probe::from(get(target).host(host));
    let probes = hosts.iter().flat_map(|host| targets.iter().map(with_host(host))).collect();
    Site::new("tenants", http, probes)
}

/// 450 pages that have moved: some by a map, some by a rewrite each, some by a location each.
pub fn moved_pages() -> Site {
    let of_map: String = (0..150).map(|n| format!("/old/{n}.php /new/{}; ", n * 7)).collect();
    let of_rewrites: String = (0..150)
        .map(|n| {
            let kind = ["permanent", "redirect", "last"][n % 3];
            format!("rewrite ^/blog/{n}(?:/(.*))?$ /page.html?post={n}&rest=$1 {kind}; ")
        })
        .collect();
    let of_locations: String =
        (0..150).map(|n| format!("location = /shop/{n} {{ return {} /dir/?item={n}; }} ", 301 + n % 2)).collect();
    let http = format!(
        "map $uri $new_page {{ default ''; {of_map} ~^/old/(?<name>[a-z]+)\\.php$ /named/$name; }} \
         server {{ listen 127.0.0.1:%port%; root %root%; if ($new_page) {{ return 301 $new_page; }} \
         {of_rewrites} {of_locations} location /old/ {{ return 410 gone; }} location / {{ }} }}"
    );
    let mut probes = Vec::new();
    for n in (0..160).step_by(7) {
        let targets = [
            format!("/old/{n}.php"),
            format!("/old/{n}.php?id=1"),
            format!("/blog/{n}"),
            format!("/blog/{n}/a%20b/c?q=1"),
            format!("/shop/{n}"),
            format!("/shop/{n}?q=1"),
            format!("/old/{n}.html"),
        ];
        probes.extend(targets.iter().map(|target| get(target).into()));
    }
    probes.extend(["/old/contact.php", "/old/Contact.php", "/old/", "/page.html"].map(|target| get(target).into()));
    Site::new("moved_pages", &http, probes)
}

/// Files for other origins: the answers to preflights, from a map of those who may.
pub fn origins() -> Site {
    let http = "map $http_origin $allowed { default ''; ~^https://([a-z]+\\.)?app\\.example$ $http_origin; \
            http://localhost:3000 $http_origin; } \
        map $request_method $is_preflight { default 0; OPTIONS 1; } \
        server { listen 127.0.0.1:%port%; root %root%; \
        location / { add_header Access-Control-Allow-Origin $allowed; add_header Vary Origin; \
            if ($is_preflight) { add_header Access-Control-Allow-Origin $allowed; \
                add_header Access-Control-Allow-Methods 'GET, OPTIONS'; add_header Access-Control-Max-Age 1728000; \
                add_header Content-Type 'text/plain; charset=utf-8'; add_header Content-Length 0; return 204; } } \
        location /fonts/ { alias %root%/assets/; add_header Access-Control-Allow-Origin *; expires 30d; } \
        location /hot/ { alias %root%/assets/; valid_referers none blocked server_names *.app.example app.example; \
            if ($invalid_referer) { return 403; } } }";
    let origins =
        ["", "https://app.example", "https://a.app.example", "http://localhost:3000", "https://evil.example", "null"];
    let mut probes = Vec::new();
    for origin in origins {
        for target in ["/page.html", "/none", "/fonts/logo.svg", "/hot/logo.svg", "/dir"] {
            for method in ["GET", "HEAD", "OPTIONS", "PUT"] {
                let mut asked = request(method, target);
                if !origin.is_empty() {
                    asked = asked.with("Origin", origin).with("Referer", format!("{origin}/x"));
                }
                probes.push(asked.into());
            }
        }
    }
    Site::new("origins", http, probes)
}

/// A site that is closed for repairs, but for those who repair it; its languages and its visitors' devices.
pub fn repairs() -> Site {
    let http = "map $http_accept_language $lang { default en; ~*^de de; ~*^fr fr; } \
        map $http_user_agent $device { default desktop; '~*(?:iphone|android.*mobile)' phone; ~*bot bot; } \
        map $device$lang $greeting { default 'Hello'; desktopde 'Guten Tag'; phonede 'Hallo'; } \
        geo $may_look { default 0; 127.0.0.2 1; 192.0.2.0/24 1; } \
        server { listen 127.0.0.1:%port%; root %root%; set_real_ip_from 127.0.0.0/8; \
        real_ip_header X-Forwarded-For; real_ip_recursive on; \
        set $closed 0; if (-f $document_root/digits.txt) { set $closed 1; } if ($may_look) { set $closed 0; } \
        if ($uri ~ ^/(?:50x\\.html|status)$) { set $closed 0; } \
        error_page 503 @closed; recursive_error_pages on; \
        location @closed { add_header Retry-After 120 always; try_files /50x.html =503; } \
        location /status { return 200 '$greeting, $lang $device\\n'; } \
        location / { if ($closed) { return 503; } add_header X-Language $lang; \
            try_files /$lang$uri $uri $uri/ =404; } }";
    let mut probes = Vec::new();
    let agents = ["Mozilla/5.0 (iPhone; CPU)", "Mozilla/5.0 (X11; Linux)", "Googlebot/2.1", "Android 14; Mobile"];
    for from in ["", "192.0.2.9", "203.0.113.5", "192.0.2.9, 127.0.0.3", "203.0.113.5, 192.0.2.1", "unknown"] {
        for target in ["/", "/page.html", "/50x.html", "/status", "/none", "/dir"] {
            for (lang, agent) in ["de-AT", "fr;q=0.9", "es", "DE"].into_iter().zip(agents) {
                let mut asked = get(target).with("Accept-Language", lang).with("User-Agent", agent);
                if !from.is_empty() {
                    asked = asked.with("X-Forwarded-For", from);
                }
                probes.push(asked.into());
            }
        }
    }
    Site::new("repairs", http, probes)
}

/// A front end in a container: fragments of several templates in one server.
pub fn container() -> Site {
    let http = "log_format main '$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
            \"$http_referer\" \"$http_user_agent\" \"$http_x_forwarded_for\"'; \
        sendfile on; tcp_nopush on; keepalive_timeout 65; types_hash_bucket_size 128; client_max_body_size 4; \
        server { listen 127.0.0.1:%port%; server_name localhost; access_log %dir%/access.log main; \
        absolute_redirect off; \
        root %root%; index index.html; \
        location = /favicon.ico { log_not_found off; access_log off; return 204; } \
        location = /healthz { access_log off; default_type text/plain; return 200 'ok'; } \
        location = /config.js { add_header Cache-Control 'no-store, must-revalidate' always; etag off; expires off; \
            try_files /assets/app.js =404; } \
        location /static { alias %root%/assets; expires 1y; add_header Cache-Control 'public, immutable'; } \
        location ~* \\.(?:css|js|mjs|wasm|svg|woff2?)$ { expires 7d; etag on; } \
        location ^~ /dir/ { expires -1; } \
        location ~ /\\.ht { deny all; } \
        location /api { return 502 '{\"error\":\"no backend\"}'; default_type application/json; } \
        location /ui { rewrite ^/ui/?(.*)$ /$1 break; try_files $uri /index.html; } \
        location / { if ($request_method !~ ^(?:GET|HEAD|OPTIONS)$) { return 405; } try_files $uri $uri/ /index.html; \
            if ($http_user_agent ~* (?:curl|wget)) { add_header X-Robot yes; } } \
        error_page 500 502 503 504 /50x.html; location = /50x.html { root %root%; } }";
    let targets = [
        "/",
        "/favicon.ico",
        "/healthz",
        "/config.js",
        "/static/logo.svg",
        "/static",
        "/static/",
        "/staticlogo.svg",
        "/style.css",
        "/app.mjs",
        "/app.wasm",
        "/dir",
        "/dir/",
        "/dir/page.html",
        "/.htaccess",
        "/api/users",
        "/ui",
        "/ui/",
        "/ui/page.html",
        "/ui/route",
        "/some/route",
        "/digits.txt",
    ];
    Site::new("container", http, crossed(&targets, &[plain, head, post, options, tagged, ranged, from_a_site]))
}

/// A mirror of packages: large files, indices that must be fresh, names that clients escape.
pub fn mirror() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; server_tokens off; autoindex off; max_ranges 2; \
    merge_slashes off; \
        default_type application/octet-stream; types { text/html html; application/gzip gz; } \
        location ~ (?:^|/)(?:Packages|Release)(?:\\.gz)?$ { expires -1; } \
        location ~ \\.gz$ { add_header X-Kind archive; expires max; } \
        location /pool/ { alias %root%/; } \
        location /by-hash/ { internal; } \
        location = /large { rewrite ^ /large.bin last; } \
        location ~ ^/escaped/(.*)$ { alias %root%/$1; } \
        location / { if_modified_since exact; } }";
    let targets = [
        "/large.bin",
        "/large",
        "/pool/large.bin",
        "/pool//large.bin",
        "/pool/sp%20ace/a%20b.txt",
        "/pool/plus+plus.txt",
        "/pool/caf%C3%A9.txt",
        "/escaped/percent%2541.txt",
        "/escaped/question%3F.txt",
        "/escaped/hash%23.txt",
        "/archive.tar.gz",
        "/by-hash/x",
        "/dists/Release",
        "/empty.txt",
        "/digits.txt",
        "/noextension",
    ];
    fn before(request: Request) -> Request {
        request.with("If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT")
    }
    fn two_ranges(request: Request) -> Request {
        request.range("bytes=0-1,-2")
    }
    fn three_ranges(request: Request) -> Request {
        request.range("bytes=0-1,4-5,-2")
    }
    fn resumed(request: Request) -> Request {
        request.range("bytes=50-").with("If-Range", super::DIGITS_ETAG)
    }
    fn beyond(request: Request) -> Request {
        request.range("bytes=400000-")
    }
    let variants = [plain, head, http10, known, before, ranged, two_ranges, three_ranges, resumed, beyond, in_german];
    Site::new("mirror", http, crossed(&targets, &variants))
}
