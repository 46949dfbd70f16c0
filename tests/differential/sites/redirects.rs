//! Internal redirects: aliases, the names that index and try_files add, error pages and their targets.

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
                location /app/ { alias %root%/dir/; try_files $uri $uri/ /app//app/page.html?$args; } \
                location /trap/ { alias %root%/dir/; try_files $uri /trap/page.html?$args; } \
                location /app-set/ { alias %root%/dir/; set $page /app-set//app-set/page.html; try_files $uri $page; } \
                location /app-index/ { alias %root%/dir/; try_files $uri $uri/index.html $uri/; } \
                location /app-plain/ { alias %root%/dir/; try_files $uri /app-plain/page.html; } \
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
        "/app/none?a=b",
        "/app/page.html",
        "/trap/none?a=b",
        "/app-set/none",
        "/app-index/none",
        "/app-plain/none",
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

pub fn pages() -> Site {
    let http = "add_header X-Uri '$uri $is_args$args $request_method $status' always; \
                server { listen 127.0.0.1:%port%; root %root%; error_page 500 /50x.html; \
                location / { } \
                location /fallback { try_files $uri /login; } \
                location /fallback-own { try_files $uri /login?own; } \
                location /fallback-args { try_files $uri /login?$args&x; } \
                location = /login { return 302 /elsewhere$is_args$args; } \
                location /to-dir { error_page 404 /dir; try_files /none =404; } \
                location /to-login { error_page 404 /login; try_files /none =404; } \
                location /to-login-own { error_page 404 /login?from=$uri; try_files /none =404; } \
                location /to-named { error_page 404 @login; try_files /none =404; } \
                location @login { return 302 /elsewhere$is_args$args; } \
                location /index { index /login; } \
                location /index-query { index nope /login?x; } \
                location = /moved { error_page 301 =200 /page.html; return 301 /x; } \
                location = /moved-own { error_page 301 = /page.html; return 301 /x; } \
                location = /moved-as-is { error_page 301 /page.html; return 301 http://b.example/x; } \
                location = /moved-text { error_page 302 =200 @text; return 302 /x; } \
                location = /moved-missing { error_page 302 /none; return 302 /x; } \
                location = /moved-again { error_page 302 /login; return 302 /x; } \
                location = /moved-away { error_page 302 http://b.example/y; return 302 /x; } \
                location = /moved-303 { error_page 303 307 308 =404 /page.html; return 303 /x; } \
                location = /moved-308 { error_page 303 307 308 /page.html; return 308 /x; } \
                location = /circle { recursive_error_pages on; error_page 302 404 http://b.example/y; return 404; } \
                location /dir { error_page 301 =200 /page.html; } \
                location = /status { error_page 403 @status; return 403; } \
                location = /status-200 { error_page 403 =200 @status; return 403; } \
                location = /status-own { error_page 403 = @status; return 403; } \
                location @status { return 201 '$status $request_method'; } \
                location = /method { error_page 405 =200 @status; } \
                location = /method-page { error_page 405 = /method-text; } \
                location = /method-text { return 200 '$status $request_method'; } \
                location @text { return 200 'text'; } \
                location = /plain { error_page 404 @text; return 404; } \
                location = /plain-200 { error_page 404 =200 @text; return 404; } \
                location = /nowhere { try_files /none @nowhere; } \
                location = /page-nowhere { error_page 404 @nowhere; return 404; } \
                location = /nowhere-recursive { recursive_error_pages on; error_page 500 @nowhere; \
                try_files /none @nowhere; } \
                location = /chosen { set $to @$arg_to; try_files /none $to; } \
                location = /chosen-part { try_files /none @$arg_to; } \
                location = /zero { try_files /none =0; } \
                location = /201 { try_files /none =201; } location = /204 { try_files /none =204; } \
                location = /301 { try_files /none =301; } location = /599 { try_files /none =599; } \
                location = /408 { try_files /none =408; } location = /444 { try_files /none =444; } \
                location = /499 { try_files /none =499; } }";
    let targets = [
        "/fallback?a=b",
        "/fallback-own?a=b",
        "/fallback-args?a=b",
        "/to-dir?a=b",
        "/to-login?a=b",
        "/to-login-own?a=b",
        "/to-named?a=b",
        "/index/?a=b",
        "/index-query/?a=b",
        "/moved",
        "/moved-own",
        "/moved-as-is",
        "/moved-text",
        "/moved-missing",
        "/moved-again",
        "/moved-away",
        "/moved-303",
        "/moved-308",
        "/circle",
        "/dir",
        "/dir?a=b",
        "/status",
        "/status-200",
        "/status-own",
        "/nowhere",
        "/page-nowhere",
        "/nowhere-recursive",
        "/chosen?to=text",
        "/chosen?to=status",
        "/chosen?to=none",
        "/chosen-part?to=text",
        "/chosen-part",
        "/zero",
        "/201",
        "/204",
        "/301",
        "/599",
        "/408",
        "/444",
        "/499",
    ];
    let mut probes: Vec<_> = targets.iter().map(|target| get(target).into()).collect();
    probes.extend(probes![
        get("/plain").with("If-None-Match", "*"),
        get("/plain").with("If-Match", "\"x\""),
        get("/plain").with("If-Match", "*"),
        get("/plain-200").with("If-None-Match", "*"),
        get("/plain-200").with("If-Match", "*"),
        head("/moved"),
        get("/moved").http10().without_host(),
        request("DELETE", "/method"),
        request("POST", "/method").body("x"),
        request("DELETE", "/method-page"),
        request("POST", "/method-page").body("x"),
        request("DELETE", "/moved"),
    ]);
    Site::new("pages", http, probes)
}
