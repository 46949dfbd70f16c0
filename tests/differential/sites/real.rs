//! More whole sites, after what 120 real confs say (compression, documentation, mirrors, applications, many hosts,
//! chains of error pages, logs by condition, exports of a blog, containers with a directory of confs).

use super::whole::{crossed, from_a_site, head, http10, in_german, known, options, plain, post, tagged};
use crate::probe::{Probe, Request, Site, get};

fn takes_gzip(request: Request) -> Request {
    request.with("Accept-Encoding", "gzip, deflate, br")
}

fn by_proxy(request: Request) -> Request {
    request.with("Accept-Encoding", "gzip").with("Via", "1.1 cache")
}

fn old_gzip(request: Request) -> Request {
    request.http10().with("Accept-Encoding", "gzip")
}

/// The first byte, which every file of these sites has.
fn ranged(request: Request) -> Request {
    request.range("bytes=0-0")
}

fn two_ranges(request: Request) -> Request {
    request.range("bytes=0-0,-1")
}

fn part_of_gzip(request: Request) -> Request {
    request.with("Accept-Encoding", "gzip").range("bytes=0-9")
}

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

/// Documentation of many versions and languages, with tables of what has moved.
pub fn handbook() -> Site {
    let http = "map $http_accept_language $best { default en; ~^de de; ~^fr fr; } \
        map $cookie_lang $lang { default $best; ~^(?<chosen>en|de|fr)$ $chosen; } \
        map $uri $moved { include %root%/tables/moved.map; } \
        map $http_user_agent $is_bot { default 0; ~*(bot|crawler|spider) 1; } \
        split_clients $remote_addr$uri $variant { 50% .a; * .b; } \
        server { listen 127.0.0.1:%port%; server_name docs.example; return 301 $scheme://localhost$request_uri; } \
        server { listen 127.0.0.1:%port% default_server; server_name localhost; root %root%; \
        index index.html; error_page 404 /404.html; port_in_redirect off; absolute_redirect off; \
        if ($moved) { return 301 $moved$is_args$args; } \
        if ($arg_version ~ ^(\\d+)\\.(\\d+)$) { rewrite ^/(.*)$ /v$1/$1? redirect; } \
        rewrite ^/(?:docs|doc)/(.*)$ /dir/$1 last; \
        rewrite ^/([a-z]+)/page/(\\d+)$ /$1/page.html?n=$2 break; \
        rewrite ^/(.+)\\.php$ /$1 permanent; \
        location = / { add_header Vary Accept-Language; add_header Content-Language $lang; \
            try_files /index.html =404; } \
        location ~ ^/(?<tongue>en|de|fr)(?<rest>/.*)?$ { add_header Content-Language $tongue always; \
            if ($rest = '') { return 302 /$tongue/; } try_files $rest $rest/index.html /dir$rest =404; } \
        location ~ ^/v(?<major>\\d+)/(?<page>.*)$ { set $shown $page; if ($major = 1) { set $shown old-$page; } \
            add_header X-Shown '$major:$shown' always; try_files /dir/$page /dir/$page.html =404; } \
        location /search { if ($is_bot) { return 403; } if ($request_method = POST) { return 405; } \
            if ($arg_q ~* '^(?<term>[\\w ]+)$') { return 200 'found $term\\n'; } return 400; } \
        location /dir/ { add_header X-Bot $is_bot; try_files $uri $uri.html $uri/ =404; } \
        location / { try_files $uri $uri.html $uri/ @not_here; } \
        location @not_here { rewrite ^/help/(.*)$ /guide.html?topic=$1 last; return 404; } }";
    let targets = [
        "/",
        "/page",
        "/moved/here",
        "/moved/there?x=1",
        "/Moved/Here",
        "/moved/7",
        "/moved/x7",
        "/docs/page",
        "/doc/sub/",
        "/doc/",
        "/dir/page/12",
        "/dir/page",
        "/old/index.php?a=b",
        "/en",
        "/de/",
        "/fr/page.html",
        "/de/sub/index.html",
        "/de/none",
        "/v1/page",
        "/v2/page.html",
        "/v3/none",
        "/page?version=2.1",
        "/page?version=x",
        "/search?q=two%20words",
        "/search?q=words",
        "/search?q=%3Cb%3E",
        "/search",
        "/help/me",
        "/nothing/here",
        "/dir/sub",
    ];
    fn bot(request: Request) -> Request {
        request.with("User-Agent", "Googlebot/2.1").with("Cookie", "lang=fr; theme=dark")
    }
    fn docs_host(request: Request) -> Request {
        request.host("docs.example").with("Cookie", "lang=xx")
    }
    Site::new("handbook", http, crossed(&targets, &[plain, head, post, in_german, bot, docs_host, ranged]))
}

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
        request.http10().with("If-Modified-Since", super::MODIFIED_TEXT)
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

/// Hosts by regexes, whose groups name the directory, the redirect and the header.
pub fn hosts_by_pattern() -> Site {
    let http = "map $host $is_test { default 0; ~\\.test$ 1; } map $port_of $suffix { default ''; ~. ':$port_of'; } \
        map $http_host $port_of { default ''; ~:(?<p>\\d+)$ $p; } \
        server { listen 127.0.0.1:%port%; server_name ~^(?<sub>dir|other|bare)\\.(?<zone>dev|test)$; \
            root %root%/$sub; index index.html index.htm; autoindex off; error_page 404 403 @missing; \
            add_header X-Zone '$zone $is_test' always; \
            location @missing { return 404 'nothing for $sub.$zone at $uri\\n'; } \
            location ~ ^/up/(?<file>.*)$ { alias %root%/$file; add_header X-File $file; } } \
        server { listen 127.0.0.1:%port%; server_name '~^(www\\.)(?<rest>.+)$'; \
            return 308 $scheme://$rest$suffix$request_uri; } \
        server { listen 127.0.0.1:%port%; server_name ~^([a-z]+)-([a-z]+)\\.pr\\.example$; root %root%; \
            location / { set $where /$1/$2; rewrite ^ $where$uri break; try_files $uri $uri/index.html =404; } } \
        server { listen 127.0.0.1:%port%; server_name ~^(?<n>\\d+)\\.num\\.example$; \
            if ($n ~ ^0*([1-9]\\d?)$) { return 200 'number $1\\n'; } return 404; } \
        server { listen 127.0.0.1:%port%; server_name example.org *.example.org; root %root%; \
            if ($host != example.org) { rewrite ^(.*)$ $scheme://example.org$1 permanent; } } \
        server { listen 127.0.0.1:%port%; server_name ''; return 400; } \
        server { listen 127.0.0.1:%port% default_server; server_name localhost; root %root%; \
            location = /host { return 200 '$host $server_name $http_host'; } }";
    let hosts = [
        "dir.dev",
        "dir.test",
        "DIR.Test",
        "bare.dev:8080",
        "other.test",
        "none.dev",
        "www.example.com",
        "www.example.com:8080",
        "WWW.Dir.Dev",
        "dir-sub.pr.example",
        "other-none.pr.example",
        "7.num.example",
        "007.num.example",
        "700.num.example",
        "example.org",
        "a.b.example.org.",
        "localhost",
        "else.where:99",
    ];
    let targets = ["/", "/page.html?a=1", "/sub", "/up/digits.txt", "/file.txt", "/none", "/host"];
    let with_host = |host| move |target: &&str| Probe::from(get(target).host(host));
    let mut probes: Vec<Probe> = hosts.iter().flat_map(|host| targets.iter().map(with_host(host))).collect();
    probes.extend(targets.map(|target| Probe::from(get(target).without_host().http10())));
    Site::new("hosts_by_pattern", http, probes)
}

/// Error pages of error pages, in every form, through locations that clients can't ask for.
pub fn failures() -> Site {
    let http = "error_page 404 /errors/404.html; error_page 500 502 503 504 =500 /50x.html; \
        server { listen 127.0.0.1:%port%; root %root%; recursive_error_pages on; \
        location /errors/ { internal; alias %root%/; add_header X-Page '$status' always; } \
        location /first { error_page 404 = @second; return 404; } \
        location @second { error_page 503 = @third; return 503; } \
        location @third { error_page 410 =410 /page.html; return 410; } \
        location /loop { error_page 404 /loop; return 404; } \
        location /twice { error_page 403 /twice/inner; deny all; location /twice/inner { error_page 404 =200 \
            /empty.txt; internal; } } \
        location /flat { recursive_error_pages off; error_page 404 /flat/page; return 404; \
            location /flat/page { error_page 404 /index.html; } } \
        location /code { error_page 401 402 403 =404 /404.html; error_page 405 =200 /page.html; \
            if ($arg_s = 401) { return 401; } if ($arg_s = 402) { return 402; } if ($arg_s = 403) { return 403; } \
            if ($arg_s = 405) { return 405; } if ($arg_s = 502) { return 502; } if ($arg_s = 429) { return 429; } } \
        location /away { error_page 403 https://login.example/?next=$request_uri; deny all; } \
        location /away302 { error_page 403 =307 https://login.example/; deny all; } \
        location /text { error_page 404 = @text; } \
        location @text { default_type text/plain; return 404 'no $uri, status $status\\n'; } \
        location /json { error_page 404 = /json/error; location = /json/error { internal; \
            default_type application/json; return 404 '{\"error\":\"$request_uri\"}'; } } \
        location /try { try_files $uri @tried; } location @tried { error_page 418 = @teapot; return 418; } \
        location @teapot { return 200 tea; } \
        location /range { alias %root%/digits.txt; error_page 416 /404.html; } \
        location /method { error_page 405 @method; } location @method { return 200 'method $request_method\\n'; } \
        location /plain { error_page 404 /nowhere.html; } \
        location /none { error_page 404 =404 /errors/none.html; } } ";
    let mut targets: Vec<String> = [
        "/errors/404.html",
        "/errors/",
        "/missing",
        "/first",
        "/loop",
        "/twice",
        "/twice/inner",
        "/flat",
        "/flat/page",
        "/away?a=b",
        "/away302",
        "/text/x",
        "/json/x?y",
        "/json/error",
        "/try/x",
        "/range",
        "/method/",
        "/plain/x",
        "/none/x",
        "/locked.txt",
        "/50x.html",
    ]
    .map(str::to_owned)
    .to_vec();
    targets.extend([401, 402, 403, 405, 429, 502].map(|status| format!("/code?s={status}")));
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    fn far_range(request: Request) -> Request {
        request.range("bytes=1000-2000")
    }
    Site::new("failures", http, crossed(&targets, &[plain, head, http10, post, far_range, tagged]))
}

/// A log of what went wrong and one of what is slow to guess: lines by condition.
pub fn chosen_lines() -> Site {
    let http = "map $status $is_error { default 1; ~^[23] 0; } \
        map $request_uri $is_noise { default 0; ~^/(?:livez|favicon) 1; } \
        map $is_error$is_noise$http_user_agent $is_logged { default 1; ~^[01]1 0; ~^00kube 0; ~^00.*Bot ''; } \
        log_format brief '$remote_port $status $request_method $uri $is_args$args $body_bytes_sent \
            $sent_http_content_type $http_x_id $is_error$is_noise'; \
        server { listen 127.0.0.1:%port%; root %root%; access_log %dir%/access.log brief if=$is_logged; \
        location /quiet { access_log off; } \
        location /both { access_log %dir%/access.log brief; access_log %dir%/other.log probe if=$is_error; \
            try_files /page.html =404; } \
        location /never { access_log %dir%/access.log brief if=0; return 500; } \
        location /always { access_log %dir%/access.log brief if=yes; return 204; } \
        location /inner { access_log %dir%/access.log brief if=$arg_log; \
            if ($arg_stop) { access_log off; return 403; } rewrite ^ /page.html; } \
        location /livez { return 200 ok; } location = /favicon.ico { empty_gif; } }";
    let targets = [
        "/",
        "/page.html?q=%41",
        "/missing",
        "/livez",
        "/favicon.ico",
        "/quiet",
        "/both",
        "/never",
        "/always",
        "/inner",
        "/inner?log=1",
        "/inner?log=0&stop=1",
        "/dir",
        "/digits.txt",
    ];
    fn kube(request: Request) -> Request {
        request.with("User-Agent", "kube-probe/1.30")
    }
    fn bot(request: Request) -> Request {
        request.with("User-Agent", "GoodBot").with("X-Id", "a \"b\" \\ c")
    }
    Site::new("chosen_lines", http, crossed(&targets, &[plain, head, kube, bot, ranged, post]))
}

/// A blog that was exported to files: its old addresses, feeds and what nobody may ask for.
pub fn exported_blog() -> Site {
    let http = "map $arg_p $post { default ''; 1 /page/; 2 /dir/sub/; ~^\\d+$ /archive/$arg_p/; } \
        server { listen 127.0.0.1:%port%; server_name blog.example localhost; root %root%; index index.html index.htm; \
        absolute_redirect off; error_page 404 /404.html; \
        if ($post) { return 301 $post; } \
        if ($args ~ '^(.*&)?cat=(?<cat>\\d+)') { set $args ''; rewrite ^/$ /category/$cat/ permanent; } \
        rewrite ^/feed/?$ /assets/logo.svg last; rewrite ^/(comments|author)/.*$ / permanent; \
        rewrite '^/(\\d{4})/(\\d{2})/([^/]+)/?$' /posts/$3/?from=$1-$2? permanent; \
        rewrite ^/index\\.php(/.*)?$ $1/ redirect; \
        location = /favicon.ico { log_not_found off; access_log off; } \
        location = /robots.txt { allow all; log_not_found off; } \
        location = /xmlrpc.php { deny all; } \
        location ~* /(?:uploads|files)/.*\\.php$ { deny all; } \
        location ~ /\\.(?!well-known) { deny all; } \
        location ~ \\.php$ { return 410; } \
        location ^~ /wp-content/ { alias %root%/assets/; expires max; add_header Cache-Control public; } \
        location ^~ /wp-includes/ { rewrite ^/wp-includes/(.*)$ /assets/$1 break; expires max; } \
        location ~* ^/wp-(?:admin|login) { return 444; } \
        location /posts/ { rewrite ^/posts/(.+)/$ /$1.html break; } \
        location ~ ^/page/(?<number>\\d+)/$ { try_files /page$number.html /page.html =404; \
            add_header X-Page $number; } \
        location / { if (-d $request_filename) { rewrite ^([^?]*[^/])$ $1/ permanent; } \
            if ($request_uri ~ ^([^?]+)//+(.*)$) { return 301 $1/$2; } \
            try_files $uri $uri/ $uri.html =404; } }";
    let targets = [
        "/",
        "/?p=1",
        "/?p=2&preview=true",
        "/?p=77",
        "/?p=x",
        "/?cat=5",
        "/?a=b&cat=6",
        "/feed",
        "/feed/",
        "/comments/feed/",
        "/author/ann",
        "/2019/07/guide/",
        "/2019/07/guide?x=1",
        "/2019/7/guide/",
        "/index.php",
        "/index.php/2020/page",
        "/favicon.ico",
        "/robots.txt",
        "/xmlrpc.php",
        "/uploads/x.PHP",
        "/contact.php",
        "/.htaccess",
        "/.well-known/none",
        "/wp-content/app.js",
        "/wp-includes/logo.svg",
        "/wp-includes/none.js",
        "/wp-login.php",
        "/wp-admin/",
        "/posts/guide/",
        "/posts/none/",
        "/page/2/",
        "/page/x/",
        "/dir",
        "/dir//sub/",
        "/page",
        "/guide",
        "/none",
    ];
    Site::new("exported_blog", http, crossed(&targets, &[plain, head, post, ranged]))
}

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
pub(super) const FILES: &[(&str, &str)] = &[
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
