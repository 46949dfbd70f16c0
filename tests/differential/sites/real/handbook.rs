//! Documentation.

use super::ranged;
use crate::probe::{Request, Site};
use crate::sites::whole::{crossed, head, in_german, plain, post};

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
