//! Which location, which file: locations, try_files, returns, error pages.

use crate::probe::{Site, get, head, request};
use crate::probes;

pub fn spa() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; index index.html index.htm; \
                location / { try_files $uri $uri/ /index.html; } \
                location /assets/ { try_files $uri =404; } \
                location /docs/ { alias %root%/; try_files $uri $uri.html $uri/ =404; } \
                location /clean/ { try_files /guide.html =404; } \
                location /code/ { try_files $uri =503; } \
                location /named/ { try_files $uri @fallback; } \
                location @fallback { return 200 'fallback $uri\\n'; } \
                location /args/ { try_files $uri /page.html?from=$uri&$args; } \
                location /dirs/ { try_files $uri/ /page.html; } \
                location /loop/ { try_files $uri /loop/again; } \
                location = /exact { try_files /missing /digits.txt; } \
                location /only-dir/ { alias %root%/; try_files $uri/ =404; } }";
    let probes = probes![
        get("/"),
        get("/page.html"),
        get("/some/route"),
        get("/some/route?query=1"),
        get("/dir"),
        get("/dir/"),
        get("/other/"),
        get("/bare/"),
        get("/bare"),
        head("/some/route"),
        get("/assets/app.js"),
        get("/assets/missing.js"),
        get("/assets/"),
        get("/assets"),
        get("/docs/page.html"),
        get("/docs/guide"),
        get("/docs/dir"),
        get("/docs/missing"),
        get("/clean/anything"),
        get("/code/missing"),
        get("/named/missing"),
        get("/named/mis%20sing?x"),
        request("POST", "/named/missing").body("abc"),
        request("POST", "/some/route").body("abc"),
        get("/args/x?y=z"),
        get("/dirs/x"),
        get("/loop/x"),
        get("/exact"),
        get("/only-dir/dir"),
        get("/only-dir/page.html"),
        get("/locked/file.txt"),
        get("/locked.txt"),
        get("/page.html/"),
        get(&format!("/{}", "b".repeat(300))),
    ];
    Site::new("spa", http, probes)
}

pub fn errors() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; \
                error_page 404 /404.html; error_page 500 502 503 504 /50x.html; error_page 405 =200 /page.html; \
                location / { } \
                location /to-200/ { error_page 404 =200 /page.html; } \
                location /to-own/ { error_page 404 = /page.html; } \
                location /to-own-return/ { error_page 404 = /teapot; } \
                location = /teapot { return 418 'short and stout'; } \
                location /to-named/ { error_page 404 @missing; } \
                location /to-named-200/ { error_page 404 =200 @missing; } \
                location /to-named-own/ { error_page 404 = @missing; } \
                location @missing { return 410 'gone for $uri\\n'; } \
                location /to-url/ { error_page 404 http://elsewhere.example/$uri; } \
                location /to-url-301/ { error_page 404 =301 http://elsewhere.example/moved; } \
                location /to-missing/ { error_page 404 /not/there.html; } \
                location /to-variable/ { error_page 404 /$arg_page.html; } \
                location /forbidden/ { error_page 403 /404.html; return 403; } \
                location /both/ { error_page 403 404 =200 /page.html; deny all; } \
                location /fail/ { return 503; } \
                location /gone/ { return 410; } \
                location /own-set/ { error_page 410 /page.html; } \
                location /nested/ { error_page 403 /page.html; location /nested/inner/ { } \
                    location /nested/own/ { error_page 404 /50x.html; } } \
                location /internal-redirect/ { error_page 404 /to-200/again; } \
                location /guarded/ { internal; location ~ txt$ { } location /guarded/inner/ { } \
                    location = /guarded/exact { return 200 x; } } }";
    let probes = probes![
        get("/missing"),
        get("/missing?query"),
        head("/missing"),
        request("POST", "/page.html").body("x"),
        request("POST", "/missing").body("x"),
        request("PUT", "/missing").body("x"),
        get("/to-200/x"),
        head("/to-200/x"),
        get("/to-own/x"),
        get("/to-own-return/x"),
        get("/to-named/x"),
        get("/to-named/x?y=z"),
        get("/to-named-200/x"),
        get("/to-named-own/x"),
        get("/to-url/x"),
        get("/to-url-301/x"),
        get("/to-missing/x"),
        get("/to-variable/x?page=page"),
        get("/to-variable/x?page=nope"),
        get("/forbidden/x"),
        get("/both/x"),
        get("/fail/x"),
        head("/fail/x"),
        get("/gone/x"),
        get("/own-set/x"),
        get("/nested/x"),
        get("/nested/inner/x"),
        get("/nested/own/x"),
        get("/internal-redirect/x"),
        get("/guarded/x"),
        get("/guarded/a.txt"),
        get("/guarded/inner/x"),
        get("/guarded/exact"),
        get("/404.html"),
        get("/locked.txt"),
        get("/bare/"),
        get("/missing").range("bytes=0-3"),
        get("/missing").with("If-None-Match", "*"),
        get("/missing").with("If-Modified-Since", super::MODIFIED_TEXT),
        get("/to-200/x").with("If-Modified-Since", super::MODIFIED_TEXT),
        get("/to-200/x").range("bytes=0-3"),
    ];
    Site::new("errors", http, probes)
}

pub fn returns() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; server_name localhost; \
                location = /200 { return 200; } location = /200-text { return 200 'text\\n'; } \
                location = /200-empty { return 200 ''; } \
                location = /200-variables { \
                return 200 '$request_method $uri $args $host $scheme $server_name $status\\n'; } \
                location = /200-braces { return 200 '${uri}x${args}'; } \
                location = /200-json { default_type application/json; return 200 '{\"a\":1}'; } \
                location = /201 { return 201 created; } location = /204 { return 204; } \
                location = /204-text { return 204 text; } \
                location = /205 { return 205 reset; } location = /299 { return 299 odd; } \
                location = /300 { return 300; } location = /301 { return 301 /page.html; } \
                location = /302 { return 302 /page.html?x=$arg_x; } \
                location = /302-host { return 302 http://$host$request_uri; } \
                location = /303 { return 303 /page.html; } location = /304 { return 304; } \
                location = /307 { return 307 https://elsewhere.example$request_uri; } \
                location = /308 { return 308 /page.html; } \
                location = /301-none { return 301; } location = /relative { return 301 page.html; } \
                location = /url { return https://elsewhere.example/; } location = /scheme { return 302 $scheme://x/; } \
                location = /400 { return 400; } location = /401 { return 401; } location = /402 { return 402; } \
                location = /403 { return 403; } location = /403-text { return 403 no; } \
                location = /404 { return 404; } \
                location = /404-text { default_type text/html; return 404 '<b>404</b>'; } \
                location = /405 { return 405; } \
                location = /406 { return 406; } location = /408 { return 408; } location = /409 { return 409; } \
                location = /410 { return 410; } location = /411 { return 411; } location = /412 { return 412; } \
                location = /413 { return 413; } location = /414 { return 414; } location = /415 { return 415; } \
                location = /416 { return 416; } location = /418 { return 418; } location = /421 { return 421; } \
                location = /429 { return 429; } location = /431 { return 431; } location = /444 { return 444; } \
                location = /451 { return 451; } location = /499 { return 499; } \
                location = /500 { return 500; } location = /501 { return 501; } location = /502 { return 502; } \
                location = /503 { return 503; } location = /504 { return 504; } location = /505 { return 505; } \
                location = /507 { return 507; } location = /599 { return 599; } location = /999 { return 999; } }";
    let codes = [
        "200",
        "200-text",
        "200-empty",
        "200-variables",
        "200-braces",
        "200-json",
        "201",
        "204",
        "204-text",
        "205",
        "299",
        "300",
        "301",
        "302",
        "302-host",
        "303",
        "304",
        "307",
        "308",
        "301-none",
        "relative",
        "url",
        "scheme",
        "400",
        "401",
        "402",
        "403",
        "403-text",
        "404",
        "404-text",
        "405",
        "406",
        "408",
        "409",
        "410",
        "411",
        "412",
        "413",
        "414",
        "415",
        "416",
        "418",
        "421",
        "429",
        "431",
        "444",
        "451",
        "499",
        "500",
        "501",
        "502",
        "503",
        "504",
        "505",
        "507",
        "599",
        "999",
    ];
    let mut probes: Vec<_> = codes.iter().map(|code| get(&format!("/{code}")).into()).collect();
    probes.extend(probes![
        get("/200-variables?a=b&c=d"),
        get("/302?x=%20y"),
        get("/302-host?q").host("Some.Host:99"),
        head("/200-text"),
        head("/301"),
        head("/403"),
        head("/204"),
        request("POST", "/200-text").body("abc"),
        request("POST", "/301").body("abc"),
        request("DELETE", "/200-text"),
        request("OPTIONS", "/204"),
        get("/301").http10(),
        get("/301").http10().without_host(),
        get("/200-text").range("bytes=0-1"),
        get("/200-text").with("If-None-Match", "*"),
        get("/301").host("a.example:1234"),
        get("/404").with("User-Agent", "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)"),
        get("/404").with("User-Agent", "Mozilla/5.0 Chrome/120"),
        get("/403-text").http10(),
    ]);
    Site::new("returns", http, probes)
}

pub fn locations() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; \
                location / { return 200 'root'; } \
                location = / { return 200 'exact root'; } \
                location = /exact { return 200 'exact'; } \
                location /prefix { return 200 'prefix'; } \
                location /prefix/longer { return 200 'longer'; } \
                location ^~ /static/ { return 200 'no regex'; } \
                location ^~ /static/nested/ { location ~ \\.png$ { return 200 'nested regex'; } \
                return 200 'nested static'; } \
                location ~ \\.png$ { return 200 'png'; } \
                location ~* \\.(jpe?g|gif)$ { return 200 'picture $1'; } \
                location ~ ^/user/(?<name>[a-z]+)/(\\d+)$ { return 200 'user $name $1 $2'; } \
                location ~ ^/first { return 200 'first'; } \
                location ~ ^/first/second { return 200 'second'; } \
                location ~^/glued$ { return 200 'glued'; } \
                location ~ '^/quoted{1,2}$' { return 200 'quoted'; } \
                location ~ /\\.(?!well-known) { return 404; } \
                location /slash/ { return 200 'slash'; } \
                location /outer/ { location /outer/inner/ { return 200 'inner'; } \
                location ~ \\.txt$ { return 200 'outer txt'; } \
                    location = /outer/exact { return 200 'outer exact'; } return 200 'outer'; } \
                location /aliased { alias %root%/aliased; } \
                location /alias-dir/ { alias %root%/dir/; } \
                location = /alias-file { alias %root%/digits.txt; } \
                location ~ ^/regex-alias/(.*)\\.x$ { alias %root%/$1.html; } \
                location /rooted/ { root %root%/dir/sub/..; } \
                location /up/ { alias %root%/aliased/; index file.txt; } \
                location /missing-root/ { root %root%/nope; } \
                location '/with space/' { return 200 'space'; } \
                location /CaSe { return 200 'case'; } }";
    let probes = probes![
        get("/"),
        get("/?x"),
        get("/x"),
        get("/exact"),
        get("/exact/"),
        get("/exactly"),
        get("/exact?x"),
        get("/prefix"),
        get("/prefixed"),
        get("/prefix/x"),
        get("/prefix/longer"),
        get("/prefix/longe"),
        get("/prefix/longer.png"),
        get("/static/a.png"),
        get("/static/nested/a.png"),
        get("/static/nested/a.gif"),
        get("/a.png"),
        get("/a.PNG"),
        get("/a.jpg"),
        get("/a.JPEG"),
        get("/a.gif?x"),
        get("/user/anna/42"),
        get("/user/anna/x"),
        get("/user/%61nna/42"),
        get("/first/second"),
        get("/glued"),
        get("/quote"),
        get("/quotedd"),
        get("/.git/config"),
        get("/.well-known/x"),
        get("/x/.htaccess"),
        get("/slash"),
        get("/slash/"),
        get("/slash/x"),
        get("/outer/"),
        get("/outer"),
        get("/outer/inner/x"),
        get("/outer/inner"),
        get("/outer/x.txt"),
        get("/outer/exact"),
        get("/outer/a.png"),
        get("/aliased/file.txt"),
        get("/aliased"),
        get("/aliased/"),
        get("/aliasedx"),
        get("/alias-dir/page.html"),
        get("/alias-dir/"),
        get("/alias-dir"),
        get("/alias-dir/sub"),
        get("/alias-dir/../page.html"),
        get("/alias-file"),
        get("/regex-alias/page.x"),
        get("/regex-alias/dir/page.x"),
        get("/regex-alias/missing.x"),
        get("/rooted/x"),
        get("/up/"),
        get("/missing-root/"),
        get("/missing-root/x"),
        get("/with%20space/"),
        get("/CaSe"),
        get("/case"),
    ];
    Site::new("locations", http, probes)
}
