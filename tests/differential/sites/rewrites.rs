//! The scripts of servers and locations: `rewrite`, `if`, `set`, `break`, `return`.

use crate::probe::{Probe, Site, get, head, request};
use crate::probes;

fn all(targets: &[&str]) -> Vec<Probe> {
    targets.iter().map(|target| get(target).into()).collect()
}

/// Chains of `rewrite`, its flags, and what becomes of the query.
pub fn rewrites() -> Site {
    let http = "add_header X-Uri '$uri $is_args$args' always; add_header X-File $request_filename always; \
                server { listen 127.0.0.1:%port%; root %root%; recursive_error_pages on; \
                rewrite ^/server/last/(.*)$ /loc/$1 last; rewrite ^/server/break/(.*)$ /loc/$1 break; \
                rewrite ^/server/plain/(.*)$ /server/next/$1; rewrite ^/server/next/(.*)$ /$1; \
                rewrite ^/server/query$ /page.html?own=1; rewrite ^/server/drop$ /page.html?; \
                rewrite ^/server/moved/(.*)$ /$1 permanent; rewrite ^/server/away/(.*)$ https://b.example/$1; \
                rewrite ^/SERVER /page.html; rewrite (?i)^/any/case$ /page.html; \
                rewrite ^/server/inner/(.*)$ /inner/$1; \
                rewrite '^/n/(?<year>\\d{4})/(?<month>\\d\\d)$' /named/$month-$year last; \
                location / { } location /loc/ { return 200 'loc $uri $args'; } \
                location /named/ { return 200 '$year $month $1'; } \
                location /inner/ { internal; return 200 inner; } \
                location /last/ { rewrite ^/last/(.*)$ /$1 last; return 200 unreached; } \
                location /break/ { rewrite ^/break/(.*)$ /$1 break; return 200 unreached; } \
                location /plain/ { rewrite ^/plain/(.*)$ /$1; return 200 reached; } \
                location /chain/ { rewrite ^/chain/(.*)$ /chain/a/$1; rewrite ^/chain/a/(.*)$ /dir/$1; } \
                location /chain-break/ { rewrite ^/chain-break/(.*)$ /dir/$1; break; return 200 unreached; } \
                location /circle { rewrite ^ /circle/x last; } \
                location /circle-page { error_page 500 /page.html; rewrite ^ /circle-page last; } \
                location /ten/ { rewrite ^/ten/x(.*)$ /ten/$1 last; rewrite ^ /page.html break; } \
                location /query/ { rewrite ^/query/own$ /page.html?a=1; rewrite ^/query/drop$ /page.html?; \
                rewrite ^/query/two$ /page.html??; rewrite ^/query/both$ /page.html?a=1&b=$arg_x? break; \
                rewrite ^/query/args$ /page.html?$args; rewrite ^/query/twice$ /page.html?u=$args&x; \
                rewrite ^/query/empty$ /page.html?$arg_none; rewrite ^/query/mark$ /page.html?a?b; \
                rewrite ^/query/variable$ /page.html?u=$uri; } \
                location /redirect/ { rewrite ^/redirect/302$ /page.html redirect; \
                rewrite ^/redirect/301$ /page.html permanent; rewrite ^/redirect/http$ http://b.example/x; \
                rewrite ^/redirect/https$ https://b.example/x last; rewrite ^/redirect/scheme$ $scheme://b.example/x; \
                rewrite ^/redirect/break$ http://b.example/x break; rewrite ^/redirect/perm$ http://b.example/x \
                permanent; \
                rewrite ^/redirect/own$ /page.html?a=1 redirect; rewrite ^/redirect/drop$ /page.html? redirect; \
                rewrite ^/redirect/args$ /page.html?q=$arg_q? redirect; rewrite ^/redirect/rel$ page.html redirect; \
                rewrite ^/redirect/uri/(.*)$ /x/$uri redirect; rewrite ^/redirect/group/(.*)$ /x/$1 redirect; \
                rewrite ^/redirect/query/(.*)$ /x?u=$1 redirect; rewrite ^/redirect/ftp$ ftp://b.example/ redirect; \
                rewrite ^/redirect/percent$ /a%2fb%20c%3fd%3Fe%zz?%41 redirect; \
                rewrite ^/redirect/percents$ /%3fa%41%e9%2 redirect; rewrite ^/redirect/odd$ /%g1%4z%3Fx%41 redirect; \
                rewrite ^/redirect/args-var$ /x$is_args$args redirect; } \
                location /escape/ { rewrite ^/escape/path/(.*)$ /loc/$1 last; \
                rewrite ^/escape/query/(.*)$ /loc/x?q=$1 last; rewrite ^/escape/uri/(.*)$ /loc/x?q=$uri last; } \
                location /bare { rewrite ^/bare$ bare/file.txt break; } \
                location /relative { rewrite ^ page.html last; } \
                location /nothing { rewrite ^ $arg_u break; } location /nothing-page { error_page 500 /page.html; \
                rewrite ^ $arg_u last; } \
                location /groups { rewrite ^/groups/(a)?(b)?(.*)$ /loc/[$1][$2][$3][$4] last; } \
                location /stale { rewrite ^/stale/(.*)$ /s/$1; rewrite ^/none/(.*)$ /x; return 200 '[$1]'; } \
                location /fresh { rewrite ^/fresh/(.*)$ /s/$1; return 200 '[$1]'; } \
                location /ungrouped { rewrite ^/ungrouped/(.*)$ /s/$1; rewrite ^/s /t; return 200 '[$1]'; } \
                location /types/ { types { text/plain html; } rewrite ^/types/(.*)$ /$1 break; } \
                location /moved-page { error_page 302 =200 /page.html; rewrite ^ /x redirect; } \
                location /failed { error_page 404 /fallback/x; rewrite ^ /none break; } \
                location /fallback/ { rewrite ^ /page.html break; } \
                location /failed-moved { error_page 404 /to-moved; rewrite ^ /none break; } \
                location /to-moved { rewrite ^ /elsewhere redirect; } \
                location /failed-named { error_page 404 @named; rewrite ^ /none break; } \
                location @named { rewrite ^/(.*)$ /dir/ last; } \
                location /pretty { try_files $uri @pretty; } location @pretty { rewrite ^/pretty/(.*)$ /$1.html \
                break; } \
                location /alias/ { alias %root%/dir/; rewrite ^/alias/x$ /alias/page.html break; \
                rewrite ^/alias/y$ /alias/page.html; break; } \
                location /alias-index/ { alias %root%/dir/; rewrite ^/alias-index/x$ /alias-index/ break; } \
                location /alias-try/ { alias %root%/dir/; rewrite ^/alias-try/x$ /alias-try/page.html break; \
                try_files $uri =404; } \
                location /alias-page/ { alias %root%/dir/; error_page 500 /page.html; rewrite ^ /alias-page/x break; } \
                location /alias-error/ { error_page 404 /alias/page.html; rewrite ^ /none break; } \
                location /alias-last/ { rewrite ^/alias-last/(.*)$ /alias/$1 last; } \
                location /alias-named/ { alias %root%/; error_page 404 @alias; rewrite ^ /none break; return 404; } \
                location @alias { rewrite ^ /alias/page.html break; } \
                rewrite ^/server-alias/(.*)$ /alias/$1 break; \
                location /body { rewrite ^ /page.html break; } }";
    let mut probes = all(&[
        "/server/last/x?a=b",
        "/server/break/x?a=b",
        "/server/plain/page.html",
        "/server/query",
        "/server/query?a=b",
        "/server/drop?a=b",
        "/server/moved/x?a=b",
        "/server/away/x?a=b",
        "/server/away/a%20b+c?a=b",
        "/SERVER/x",
        "/server/inner/x",
        "/inner/x",
        "/ANY/case",
        "/n/2024/05",
        "/last/page.html?a=b",
        "/last/none",
        "/last/dir",
        "/last/dir/",
        "/last/last/page.html",
        "/last/break/page.html",
        "/break/page.html?a=b",
        "/break/dir",
        "/break/dir/",
        "/plain/page.html",
        "/chain/page.html",
        "/chain/",
        "/chain-break/page.html",
        "/circle",
        "/circle-page",
        "/ten/",
        "/ten/xxxxxxxxx",
        "/ten/xxxxxxxxxx",
        "/ten/xxxxxxxxxxx",
        "/query/own",
        "/query/own?x=y",
        "/query/drop?x=y",
        "/query/two?x=y",
        "/query/both?x=y",
        "/query/args?x=y",
        "/query/twice?x=y",
        "/query/twice",
        "/query/empty?x=y",
        "/query/empty",
        "/query/mark?x=y",
        "/query/variable?x=y",
        "/redirect/302?x=y",
        "/redirect/301",
        "/redirect/http?x=y",
        "/redirect/https?x=y",
        "/redirect/scheme",
        "/redirect/break?x=y",
        "/redirect/perm?x=y",
        "/redirect/own?x=y",
        "/redirect/drop?x=y",
        "/redirect/args?q=a%20b",
        "/redirect/rel?x=y",
        "/redirect/uri/a",
        "/redirect/uri/a%20b+c",
        "/redirect/group/a",
        "/redirect/group/a+b",
        "/redirect/group/a%20b%2Bc%26d%3Be%25f%3Fg",
        "/redirect/group/caf%C3%A9",
        "/redirect/group/%7E%21",
        "/redirect/query/a%20b&c",
        "/redirect/query/a&c",
        "/redirect/ftp?x=y",
        "/redirect/percent?x=y",
        "/redirect/percents?x=y",
        "/redirect/odd?x=y",
        "/redirect/args-var?x=y",
        "/escape/path/a%20b%3Fc",
        "/escape/path/a+b",
        "/escape/query/a%20b%3Fc&d",
        "/escape/query/a+b&d",
        "/escape/query/ab&d",
        "/escape/uri/a%20b",
        "/escape/query/x?y%20+z",
        "/bare",
        "/relative",
        "/nothing",
        "/nothing?u=/page.html",
        "/nothing-page",
        "/groups/",
        "/groups/a",
        "/groups/abc",
        "/groups/b",
        "/stale/x",
        "/fresh/x",
        "/ungrouped/x",
        "/types/page.html",
        "/types/style.css",
        "/moved-page",
        "/failed",
        "/failed-moved",
        "/failed-named",
        "/pretty/page",
        "/pretty/none",
        "/alias/x",
        "/alias/y",
        "/alias/page.html",
        "/alias-index/x",
        "/alias-index/",
        "/alias-try/x",
        "/alias-try/page.html",
        "/alias-page/",
        "/alias-error/",
        "/alias-last/page.html",
        "/alias-last/x",
        "/alias-named/x",
        "/server-alias/page.html",
        "/server-alias/z",
    ]);
    probes.extend(probes![
        head("/last/page.html"),
        request("POST", "/last/page.html").body("x"),
        request("POST", "/redirect/302").body("x"),
        request("POST", "/server/moved/x").body("x"),
        request("POST", "/server/last/x").body("x"),
        request("DELETE", "/break/page.html"),
        request("POST", "/body").body("body"),
        get("/redirect/302").http10().without_host(),
        get("/break/page.html").range("bytes=0-3"),
        get("/break/page.html").with("If-None-Match", "*"),
        Probe::raw_many(
            "two rewritten requests on one connection",
            "GET /last/page.html?a HTTP/1.1\r\nHost: a\r\n\r\nGET /stale/x HTTP/1.1\r\nHost: a\r\n\r\n",
            2
        ),
    ]);
    Site::new("rewrites", http, probes)
}

/// `if` in all its forms.
pub fn conditions() -> Site {
    let http = "add_header X-Outer '$uri'; \
                server { listen 127.0.0.1:%port%; root %root%; set $zero 0; set $zeros 00; set $empty ''; \
                set $word abc; \
                set $dir dir; \
                if ($arg_server) { return 403 \"server $arg_server\"; } if ($arg_move) { rewrite ^ /page.html; } \
                if ($arg_deny = yes) { return 403; } if ($arg_close) { return 444; } \
                if (-f $document_root/$arg_file) { return 200 \"server file $arg_file\"; } \
                if ($request_method = OPTIONS) { return 204; } \
                if ($http_user_agent ~* (bot|spider)) { set $robot $1; return 200 \"robot $robot\"; } \
                location / { } \
                location = /holds { if ($zero) { return 200 zero; } if ($empty) { return 200 empty; } \
                if ($arg_x) { return 200 'x=$arg_x'; } if ($zeros) { return 200 zeros; } return 200 none; } \
                location = /is { if ($arg_x = abc) { return 200 abc; } if ($arg_x = '') { return 200 'nothing'; } \
                if ($arg_x != $word) { return 200 'not $word'; } } \
                location = /is-spaced { if ( $arg_x = 'a b' ) { return 200 spaced; } \
                if ( $word = $arg_x) { return 200 same; } \
                if ($arg_x = \"$word-$word\") { return 200 twice; } return 200 none; } \
                location = /like { if ($arg_x ~ ^A(.*)$) { return 200 'A[$1]'; } \
                if ($arg_x ~* ^b(.*)$) { return 200 'b[$1]'; } \
                if ($arg_x !~ ^c) { return 200 'not c [$1]'; } if ($arg_x !~* D) { return 200 'no d'; } \
                return 200 'c and d'; } \
                location = /named { if ($arg_x ~ (?<first>.)(?<second>.)?) { return 200 '[$first][$second]'; } \
                return 200 'no [$first]'; } \
                location ~ ^/f/(.*)$ { if (-f $document_root/$1) { return 200 'file $1'; } return 200 none; } \
                location ~ ^/d/(.*)$ { if (-d $document_root/$1) { return 200 'dir $1'; } return 200 none; } \
                location ~ ^/e/(.*)$ { if (-e $document_root/$1) { return 200 'there $1'; } return 200 none; } \
                location ~ ^/x/(.*)$ { if (-x $document_root/$1) { return 200 'executable $1'; } return 200 none; } \
                location ~ ^/nf/(.*)$ { if (!-f $document_root/$1) { return 200 'no file $1'; } return 200 file; } \
                location ~ ^/nd/(.*)$ { if (!-d $document_root/$1) { return 200 'no dir $1'; } return 200 dir; } \
                location ~ ^/ne/(.*)$ { if (!-e $document_root/$1) { return 200 'not there $1'; } return 200 there; } \
                location ~ ^/nx/(.*)$ { if (!-x $document_root/$1) { return 200 'not executable $1'; } return 200 x; } \
                location /several/ { set $r ''; if (-d $document_root/dir) { set $r a$r; } \
                if (!-e $document_root/none) { set $r b$r; } \
                if (-f $document_root/none) { set $r c$r; } if (-f $document_root/page.html) { set $r d$r; } \
                return 200 $r; } \
                location /none-at-all { if (-f '') { return 200 found; } if (!-f $empty) { return 200 'not found'; } } \
                location /wp/ { if (!-e $request_filename) { rewrite ^ /page.html last; } } \
                location /wp-break/ { if (!-f $request_filename) { rewrite ^/wp-break/(.*)$ /$1 break; } } \
                location /header { add_header X-Location yes; if ($arg_a) { add_header X-If a; } \
                if ($arg_b) { add_header X-If b; } \
                rewrite ^ /page.html break; } \
                location /header-none { add_header X-Location yes; if ($arg_a) { set $unused 1; } \
                rewrite ^ /page.html break; } \
                location /expires { expires 1h; if ($arg_a) { expires epoch; } rewrite ^ /page.html break; } \
                location /root { if ($arg_a) { root %root%/$dir; } rewrite ^ /page.html break; } \
                location /pages { error_page 404 /page.html; if ($arg_a) { error_page 404 =200 /guide.html; } \
                rewrite ^ /none break; } \
                location /try { try_files /page.html =404; if ($arg_a) { set $unused 1; } } \
                location /try-set { set $unused 2; try_files /page.html =404; } \
                location /alias/ { alias %root%/dir/; if ($arg_a) { add_header X-If a; } } \
                location /alias-root/ { alias %root%/dir/; if ($arg_a) { root %root%; } } \
                location ~ ^/alias-regex/(.*)$ { alias %root%/dir/$1; if ($arg_a) { add_header X-If $1; } } \
                location /break/ { if ($arg_a) { break; } rewrite ^ /page.html break; } \
                location /nested/ { location ~ \\.html$ { if ($arg_a) { return 200 'nested'; } } \
                if ($arg_a) { return 200 outer; } } \
                location /named-error { error_page 404 @fallback; if ($arg_a) { return 404; } return 403; } \
                location @fallback { if ($arg_a = 2) { return 200 'fallback two'; } return 200 'fallback $arg_a'; } \
                location /log { access_log off; if ($arg_a) { access_log %dir%/access.log probe; } \
                rewrite ^ /page.html break; } \
                location /sent { sendfile off; if ($arg_a) { sendfile on; } rewrite ^ /large.bin break; } \
                location /status { stub_status; if ($arg_a) { return 200 'no status'; } } \
                location /denied { deny all; if ($arg_a) { return 200 'not denied'; } \
                if ($arg_b) { add_header X-If b; } } \
                location /closed { if ($arg_a) { return 444; } return 200 open; } \
                location /slash { if ($uri !~ /$) { rewrite ^(.*)$ $1/ permanent; } return 200 slash; } \
                location /host { if ($host != www.a.test) { return 301 $scheme://www.a.test$request_uri; } \
                return 200 www; } \
                location /method { if ($request_method !~ ^(GET|HEAD)$) { return 405; } return 200 ok; } \
                location /cookie { if ($http_cookie ~* 'id=([^;]+)(?:;|$)') { set $id $1; } return 200 '[$id]'; } \
                location /index/ { index page.html; if ($arg_a) { rewrite ^ /dir/ break; } } }";
    let mut targets = vec![
        "/?server=1".to_owned(),
        "/?server=0".to_owned(),
        "/?server=".to_owned(),
        "/?move=1&x=y".to_owned(),
        "/?deny=yes".to_owned(),
        "/?deny=no".to_owned(),
        "/?close=1".to_owned(),
        "/?file=page.html".to_owned(),
        "/?file=none".to_owned(),
    ];
    for (path, queries) in [
        ("/holds", &["", "?x=0", "?x=1", "?x=00"][..]),
        ("/is", &["", "?x=abc", "?x=abcd", "?x=ab"]),
        ("/is-spaced", &["", "?x=abc", "?x=abc-abc", "?x=a%20b"]),
        ("/like", &["", "?x=Abc", "?x=abc", "?x=Bcd", "?x=c", "?x=cD", "?x=cd"]),
        ("/named", &["", "?x=a", "?x=ab"]),
    ] {
        targets.extend(queries.iter().map(|query| format!("{path}{query}")));
    }
    for test in ["f", "d", "e", "x", "nf", "nd", "ne", "nx"] {
        for file in
            ["page.html", "dir", "dir/", "none", "page.html/x", "fifo", "link.txt", "dangling.txt", "locked.txt", ""]
        {
            targets.push(format!("/{test}/{file}"));
        }
        targets.push(format!("/{test}/{}", "x".repeat(300)));
    }
    for path in
        ["/header", "/header-none", "/expires", "/root", "/pages", "/try", "/try-set", "/log", "/sent", "/status"]
    {
        targets.extend([path.to_owned(), format!("{path}?a=1"), format!("{path}?b=1"), format!("{path}?a=1&b=1")]);
    }
    targets.retain(|target| !target.starts_with("/status") || target.ends_with("a=1"));
    let others = [
        "/several/",
        "/none-at-all",
        "/wp/x",
        "/wp/",
        "/wp-break/page.html",
        "/wp-break/none",
        "/wp-break/dir/",
        "/alias/page.html",
        "/alias/page.html?a=1",
        "/alias-root/page.html?a=1",
        "/alias-regex/page.html?a=1",
        "/alias-regex/none?a=1",
        "/break/x?a=1",
        "/break/x",
        "/nested/x.html?a=1",
        "/nested/x?a=1",
        "/named-error",
        "/named-error?a=1",
        "/named-error?a=2",
        "/denied",
        "/denied?a=1",
        "/denied?b=1",
        "/closed",
        "/closed?a=1",
        "/slash",
        "/slash/",
        "/slash/a%20b",
        "/host",
        "/host?a=b",
        "/method",
        "/cookie",
        "/index/",
        "/index/?a=1",
    ];
    targets.extend(others.map(str::to_owned));
    let mut probes: Vec<_> = targets.iter().map(|target| get(target).into()).collect();
    probes.extend(probes![
        request("OPTIONS", "/x"),
        request("POST", "/method").body("x"),
        request("POST", "/closed?a=1").body("x"),
        request("POST", "/?deny=yes").body("x"),
        request("POST", "/holds?x=1").body("x"),
        get("/").with("User-Agent", "SomeBot/1"),
        get("/").with("User-Agent", "a spider"),
        get("/host").host("www.a.test"),
        get("/cookie").with("Cookie", "a=b; id=42; c=d"),
        get("/cookie").with("Cookie", "a=b"),
        head("/f/page.html"),
        head("/header?a=1"),
        get("/sent?a=1").range("bytes=5-9"),
    ]);
    Site::new("conditions", http, probes)
}

/// `set`, named groups, and the variables of both in texts, logs and error pages.
pub fn sets() -> Site {
    let http = "log_format sets '$remote_port a=$a b=\"$b\" unset=\"$unset\" g=\"$g\" $status $body_bytes_sent'; \
                server { listen 127.0.0.1:%port%; root %root%; access_log %dir%/access.log sets; \
                set $a server; set $Mixed Case; \
                location / { } \
                location = /outer { return 200 '$a [$b] $mixed $MIXED'; } \
                location = /own { set $a location; set $b \"$a-$uri\"; return 200 '$a $b'; } \
                location = /order { return 200 '$a'; set $a late; } \
                location = /again { set $b 1; set $b ${b}2; set $b $b$b; return 200 $b; } \
                location = /args { set $args 'x=1&y=2'; return 200 '$args $arg_x $arg_y $is_args $query_string'; } \
                location = /args-none { set $args ''; return 200 '[$args][$is_args]'; } \
                location = /args-more { set $args $args&z=1; rewrite ^ /page.html break; add_header X-Args $args; } \
                location = /args-moved { set $args z=1; rewrite ^ /page.html redirect; } \
                location = /header { set $http_x_own set; return 200 '$http_x_own'; } \
                location = /header-read { return 200 '$http_x_own'; } \
                location = /argument { if ($arg_q = '') { set $arg_q default; } return 200 '$arg_q'; } \
                location ~ ^/g/(?<g>[^/]*)/(.*)$ { return 200 '$g $2 $1'; } \
                location ~ ^/gs/(?<g>[^/]*)/ { set $g set-$g; return 200 '$g'; } \
                location ~ ^/quoted/(.*)$ { set $b $1; return 200 '$b $1'; } \
                location ~ ^/quoted-later/(.*)$ { rewrite ^/quoted-later/(.*)$ /q/$1; set $b $1; return 200 '$b'; } \
                location ~ ^/quoted-not/(.*)$ { rewrite ^/none$ /q; set $b $1; return 200 '[$b]'; } \
                location ~ ^/quoted-if/(.*)$ { if ($uri = /quoted-if/$1) { return 200 same; } return 200 differs; } \
                location = /setter { set $unset x; return 200 '[$unset]'; } \
                location = /unset { return 200 '[$unset][$unset]'; } \
                location = /failed { set $b failed; error_page 404 /page; return 404; } \
                location = /page { return 200 'page $a $b'; } \
                location = /kept { set $b kept; rewrite ^ /page last; } \
                location = /named { set $b named; error_page 404 @page; return 404; } \
                location @page { return 200 'named $b'; } \
                location = /indexed/ { set $b indexed; index page.html /page; alias %root%/none/; } \
                location = /number { set $b 007; if ($b = 7) { return 200 equal; } return 200 '$b'; } \
                location = /add { set $b ''; add_header X-B $b; add_header X-Unset $unset; return 200 x; } \
                location = /loop { set $b $b$arg_x; rewrite ^ /loop last; } }";
    let mut probes = all(&[
        "/outer",
        "/own",
        "/order",
        "/again",
        "/args?a=b",
        "/args-none?a=b",
        "/args-more",
        "/args-more?a=b",
        "/args-moved?a=b",
        "/header",
        "/header-read",
        "/argument",
        "/argument?q=x",
        "/g/a/b",
        "/gs/a/b",
        "/quoted/a",
        "/quoted/a%20b",
        "/quoted/a+b",
        "/quoted/a&b;c",
        "/quoted/a%26b;c",
        "/quoted-later/a%20b",
        "/quoted-not/a%20b",
        "/quoted-if/a",
        "/quoted-if/a%20b",
        "/unset",
        "/setter",
        "/failed",
        "/page",
        "/kept",
        "/named",
        "/indexed/",
        "/number",
        "/add",
        "/loop?x=y",
        "/page.html",
    ]);
    probes.extend(probes![
        get("/header").with("X-Own", "client"),
        get("/header-read").with("X-Own", "client"),
        head("/own"),
        Probe::raw_many(
            "what one request sets the next does not see",
            "GET /own HTTP/1.1\r\nHost: a\r\n\r\nGET /outer HTTP/1.1\r\nHost: a\r\n\r\n",
            2
        ),
    ]);
    Site::new("sets", http, probes)
}

/// A site that has moved: hundreds of redirects in one server, as they are generated.
pub fn moves() -> Site {
    let mut http = "server { listen 127.0.0.1:%port%; root %root%; ".to_owned();
    for i in 0..450 {
        http += &match i % 5 {
            0 => format!("rewrite ^/old/{i}/?$ /new/{i}.html permanent; "),
            1 => format!("rewrite ^/old/{i}/(.*)$ /new/{i}/$1 permanent; "),
            2 => format!("rewrite ^/old/{i}$ https://b.example/{i}? redirect; "),
            3 => format!("if ($uri = /old/{i}) {{ return 301 /new/{i}$is_args$args; }} "),
            _ => format!("rewrite ^/old/{i}$ /page.html last; "),
        };
    }
    http += "location / { } }";
    let numbers = [0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104, 445, 446, 447, 448, 449, 450];
    let tails = ["", "/", "/x?a=b", "?a=b"];
    let targets = numbers.iter().flat_map(|i| tails.iter().map(move |tail| format!("/old/{i}{tail}")));
    let mut probes: Vec<Probe> = targets.map(|target| get(&target).into()).collect();
    probes.extend(probes![get("/page.html"), head("/old/0"), request("POST", "/old/0").body("x")]);
    Site::new("moves", &http, probes)
}
