//! Variables that the conf defines: `map`, `split_clients`, `geo`, and `$invalid_referer`.

use crate::probe::{Probe, Site, get};
use crate::probes;

/// Keys and values of all kinds, and how long a value is kept.
pub fn maps() -> Site {
    let http = r#"
        map $http_x_key $plain { other 1; a one; "a b" two; A2 three; "" none; \default word; \~x tilde;
            \hostnames host; \include inc; ~ever regex; include %root%/tables/keys.map; default "none of them"; }
        map $http_x_key $empty { a one; }
        map $http_x_key $fits { ~^(?<first>[a-z]+)-(\d+)$ "$2/$first/$1"; ~*^UP "up $http_x_key"; ~^t(.*)e$ <$1>;
            ~^Case c; t-1 exact; default "no $uri"; }
        map $fits$plain $chained { ~^12/ from-regex; "no /chainednone" from-none; default "[$fits][$plain]"; }
        map "$arg_a:$arg_b" $pair { 1:2 "one two"; ":" neither; default "$arg_b:$arg_a"; }
        map $uri $kept { default $uri; }
        map $uri $fresh { volatile; default $uri; }
        map $kept $kept_of_kept { volatile; default "$kept $fresh"; }
        map $lb $la { default "a$http_x_key"; }
        map $la $lb { default b; }
        map $http_x_key $http_own { default own; }
        map $http_x_key $twice { default first; }
        map $http_x_key $twice { default second; }
        map $http_x_key $Mixed { default mixed; }
        map constant $fixed { constant yes; default no; }
        map $FIRST $group { default none; tom found; }
        server { listen 127.0.0.1:%port%; root %root%;
            location / { }
            location = /plain { return 200 "$plain|$empty|$http_own|$twice|$mixed|$MIXED|$fixed"; }
            location = /fits { return 200 "$fits|$1|$2|$first|$group"; }
            location = /chained { return 200 "$chained"; }
            location = /pair { return 200 "$pair"; }
            location = /cycle { return 200 "$la|$lb"; }
            location ~ ^/loc/(.*)$ { return 200 "$plain|$1|$fits|$1"; }
            location /kept/ { try_files /none$kept$fresh$kept_of_kept /after; }
            location = /after { return 200 "$kept|$fresh|$kept_of_kept"; }
            location = /error { error_page 404 /after; try_files /none$kept =404; }
        }"#;
    let keys = [
        "",
        "a",
        "A",
        "a b",
        "a2",
        "A2",
        "default",
        "~x",
        "\\~x",
        "hostnames",
        "include",
        "included",
        "INCLUDED",
        "never",
        "tom-12",
        "Tom-12",
        "upper",
        "UPPER",
        "trace",
        "te",
        "t-1",
        "T-1",
        "case",
        "Case",
        "other",
        "inc%20luded",
    ];
    let mut probes = Vec::new();
    for place in ["/plain", "/fits", "/chained", "/loc/x", "/cycle"] {
        probes.push(get(place).into());
        for key in keys {
            probes.push(get(place).with("X-Key", key).into());
        }
    }
    probes.extend(probes![
        get("/pair"),
        get("/pair?a=1&b=2"),
        get("/pair?a=2&b=1"),
        get("/pair?b=2"),
        get("/kept/x"),
        get("/error"),
        get("/after"),
    ]);
    let two = "GET /kept/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /after HTTP/1.1\r\nHost: a\r\n\r\n";
    probes.push(Probe::raw_many("nothing is kept for the next request", two, 2));
    Site::new("maps", http, probes)
}

/// `hostnames`: masks, and which wins.
pub fn map_hosts() -> Site {
    let http = r#"
        map $http_x_host $mask { hostnames; default none; example.org exact; *.example.org below; .example.com both;
            www.* front; www.example.* longer; *.www.example.net deep; ~^re(.*)$ regex$1; \.dotted escaped; "" empty;
            mail.example.org mail; *.net any; }
        map $http_x_host $plain { default none; *.example.org star; .example.com dot; www.* tail; example.org. dotted;
            ~\.$ "ends in a dot"; }
        map $host $by_host { hostnames; default other; .localhost local; *.site site; }
        server { listen 127.0.0.1:%port%; return 200 "$mask|$plain|$by_host"; }"#;
    let hosts = [
        "example.org",
        "EXAMPLE.org",
        "example.org.",
        "a.example.org",
        "a.b.example.org",
        ".example.org",
        "example.com",
        "x.example.com",
        "example.com.",
        "www.x",
        "www.example.x",
        "www.example.net",
        "a.www.example.net",
        "www.",
        "www",
        "www.example",
        "rest",
        "dotted",
        ".dotted",
        "x.dotted",
        "mail.example.org",
        "net",
        "a.net",
        "*.example.org",
        ".example.com",
        "www.*",
        "",
        ".",
        "..",
    ];
    let mut probes: Vec<Probe> = hosts.iter().map(|host| get("/").with("X-Host", *host).into()).collect();
    probes.extend(probes![
        get("/").host("a.site"),
        get("/").host("A.Site:80"),
        get("/").host("site"),
        get("/").host("x.localhost.")
    ]);
    Site::new("map_hosts", http, probes)
}

/// The uses of maps in real confs: caching by type and by name, headers, redirects, roots, log lines.
pub fn map_sites() -> Site {
    let http = r#"
        map $sent_http_content_type $expires { default off; text/html epoch; text/css max; ~image/ max;
            ~*JavaScript epoch; application/octet-stream bad; }
        map $sent_http_content_type $csp { ~*text/html "default-src 'self'"; }
        map $uri $immutable { ~^/assets/ "public, immutable"; default ""; }
        map $uri $moved { /old/1 /new/1; /old/2 https://other.example/2; ~^/old/(?<rest>.+)$ /rest/$rest?$args; }
        map $arg_lang $dir { default ""; d /dir; o /other; }
        map $http_user_agent $is_bot { default 0; ~*bot 1; "" 1; }
        map $status $logged { ~^[23] 0; default 1; }
        map $request_method:$is_bot $line { GET:0 "person reads"; GET:1 'bot "reads"'; default "$request_method"; }
        log_format table '$remote_port $line $logged $is_bot $moved $status';
        server { listen 127.0.0.1:%port%; root %root%; access_log %dir%/access.log table;
            expires $expires; add_header Content-Security-Policy $csp; add_header Cache-Control $immutable;
            add_header X-Bot $is_bot always;
            location / { }
            location /old/ { return 301 $moved; }
            location /by/ { alias %root%$dir/; }
            location /errors { access_log %dir%/access.log table if=$logged; return 200 "quiet"; }
            location /rooted { root %root%$dir; try_files /page.html =404; }
        }"#;
    let mut probes = Vec::new();
    for target in [
        "/",
        "/page.html",
        "/style.css",
        "/app.mjs",
        "/assets/app.js",
        "/assets/logo.svg",
        "/assets/none",
        "/missing",
        "/old/1",
        "/old/2",
        "/old/x/y?a=b",
        "/old/",
        "/OLD/1",
        "/Old/1",
        "/by/page.html",
        "/by/page.html?lang=d",
        "/by/index.htm?lang=o",
        "/rooted?lang=d",
        "/rooted?lang=o",
        "/rooted",
        "/errors",
        "/dir",
    ] {
        probes.push(get(target).into());
        probes.push(get(target).with("User-Agent", "GoogleBot/1").into());
        probes.push(get(target).with("User-Agent", "a person").into());
        probes.push(crate::probe::head(target).with("User-Agent", "a person").into());
    }
    Site::new("map_sites", http, probes)
}

/// Which of the values a text draws.
pub fn splits() -> Site {
    let http = r#"
        split_clients "$arg_k" $tenths { 10% a; 10% b; 20% c; 0.5% d; 33.33% e; .17% f; * rest; }
        split_clients "${arg_k}AAA" $holes { 25% "one  $arg_k"; 25% two; }
        split_clients $arg_k $whole { 50% left; 50% right; }
        split_clients $arg_k $early { 1% first; * all; }
        server { listen 127.0.0.1:%port%; return 200 "$tenths|$holes|$whole|$early"; }"#;
    let mut probes: Vec<Probe> = (0..120).map(|n| get(&format!("/?k={n}")).into()).collect();
    for text in ["", "a", "ab", "abc", "abcd", "abcde", "192.0.2.1", "%FF%00", "a\u{e9}"] {
        probes.push(get(&format!("/?k={text}x{}", text.len())).into());
        probes.push(get(&format!("/x?k={text}")).into());
    }
    Site::new("splits", http, probes)
}

/// Nets, of addresses of all kinds.
pub fn geos() -> Site {
    let http = r#"
        geo $client { default other; 127.0.0.0/8 local; }
        geo $arg_ip $net { default none; include %root%/tables/nets.geo; 10.1.2.0/24 deep; 10.1.2.3 one;
            10.1.2.128/25 upper;
            2001:db8:1::/48 "six one"; ::1 loop; 192.0.2.0/24 gone; delete 192.0.2.0/24; 0.0.0.0/1 low;
            255.255.255.255 last; }
        geo $arg_ip $no_default { 10.0.0.0/8 "$uri"; }
        geo $forwarded { default no; proxy 127.0.0.0/8; proxy 10.0.0.0/8; proxy 2001:db8::/32; 1.2.3.0/24 yes;
            127.0.0.1 me; 10.0.0.0/8 ten; ::1 loop; 2001:db8::/32 six; }
        geo $recursive { default no; proxy_recursive; proxy 127.0.0.0/8; proxy 10.0.0.0/8; proxy 2001:db8::/32;
            1.2.3.0/24 yes; 127.0.0.1 me; 10.0.0.0/8 ten; 10.9.0.0/16 nine; ::1 loop; 2001:db8::/32 six; }
        server { listen 127.0.0.1:%port%; return 200 "$client|$net|$no_default|$forwarded|$recursive"; }"#;
    let addresses = [
        "",
        "10.0.0.1",
        "10.1.0.0",
        "10.1.2.0",
        "10.1.2.3",
        "10.1.2.127",
        "10.1.2.128",
        "10.1.255.255",
        "11.0.0.0",
        "9.255.255.255",
        "192.0.2.1",
        "127.255.255.255",
        "128.0.0.0",
        "255.255.255.255",
        "255.255.255.254",
        "0.0.0.0",
        "::1",
        "::2",
        "2001:db8::1",
        "2001:db8:1::",
        "2001:db8:1:ffff::",
        "2001:db9::",
        "::ffff:10.1.2.3",
        "::ffff:0a01:0203",
        "010.001.002.003",
        "10.1.2",
        "10.1.2.3:80",
        "[::1]",
        "10.1.2.3.4",
        "10..2.3",
        "text",
        "10.1.2.256",
    ];
    let mut probes: Vec<Probe> = addresses.iter().map(|ip| get(&format!("/?ip={ip}")).into()).collect();
    let chains = [
        "1.2.3.4",
        "10.0.0.1",
        "1.2.3.4, 10.0.0.1",
        "10.0.0.1, 1.2.3.4",
        "10.9.0.1, 10.0.0.1",
        "1.2.3.4,10.0.0.1,10.9.9.9",
        "5.5.5.5, 10.0.0.1",
        "unknown, 10.0.0.1",
        "unknown",
        "1.2.3.4:80",
        "[::1]:80",
        "::1",
        "2001:db8::5",
        "1.2.3.4, 2001:db8::5",
        "1.2.3.4, 10.0.0.1 , ",
        "1.2.3.4  10.0.0.1",
        "127.0.0.1",
        "1.2.3.4, 127.0.0.1, 10.0.0.1",
        "::ffff:1.2.3.4",
        "1.2.3.4, unknown, 10.0.0.1",
    ];
    probes.extend(chains.iter().map(|chain| Probe::from(get("/").with("X-Forwarded-For", *chain))));
    Site::new("geos", http, probes)
}

/// `ranges`, which may lie in each other and reach over nets.
pub fn geo_ranges() -> Site {
    let http = r#"
        geo $arg_ip $range { ranges; default none; 10.0.0.0-10.0.0.255 a; 10.0.0.10-10.0.0.20 b; 10.0.0.0-10.0.0.4 c;
            10.0.0.250-10.0.0.255 d; 10.0.0.15-10.0.0.15 e; 10.1.0.0-10.3.255.255 wide; 10.2.255.0-10.2.255.255 inside;
            192.0.2.0-192.0.2.255 gone; delete 192.0.2.0-192.0.2.255; 255.255.255.255-255.255.255.255 x; }
        geo $arg_ip $bare { ranges; 10.0.0.0-10.0.0.255 a; }
        server { listen 127.0.0.1:%port%; return 200 "$range|$bare"; }"#;
    // nginx does not take the last address for one.
    let http = http.replace(" 255.255.255.255-255.255.255.255 x;", " 255.255.0.0-255.255.255.254 last;");
    let addresses = [
        "",
        "9.255.255.255",
        "10.0.0.0",
        "10.0.0.4",
        "10.0.0.5",
        "10.0.0.9",
        "10.0.0.10",
        "10.0.0.14",
        "10.0.0.15",
        "10.0.0.16",
        "10.0.0.20",
        "10.0.0.21",
        "10.0.0.249",
        "10.0.0.250",
        "10.0.0.255",
        "10.0.1.0",
        "10.1.0.0",
        "10.2.0.1",
        "10.2.254.255",
        "10.2.255.0",
        "10.2.255.255",
        "10.3.0.0",
        "10.3.255.255",
        "10.4.0.0",
        "192.0.2.1",
        "255.255.255.254",
        "255.255.255.255",
        "::1",
        "::ffff:10.0.0.10",
        "text",
    ];
    let probes = addresses.iter().map(|ip| get(&format!("/?ip={ip}")).into()).collect();
    Site::new("geo_ranges", &http, probes)
}

/// Where a request may come from.
pub fn referers() -> Site {
    let http = r#"
        server { listen 127.0.0.1:%port%; server_name own.example .wide.example ~^re\d+\.example$;
            valid_referers none blocked server_names *.good.example www.* good.example/path ~\.search\. Plain.Example;
            add_header X-Invalid "[$invalid_referer]" always;
            location / { return 200 "[$invalid_referer]"; }
            location /strict { valid_referers good.example; return 200 "[$invalid_referer]"; }
            location /regex { valid_referers ~^only\.example/a good.example; return 200 "[$invalid_referer]"; }
            location /blocked { valid_referers blocked good.example; return 200 "[$invalid_referer]"; }
            location /names { valid_referers none server_names; location /names/in { valid_referers x.example;
                return 200 "[$invalid_referer]"; } return 200 "[$invalid_referer]"; }
        }
        server { listen 127.0.0.1:%port%; server_name none.example; return 200 "[$invalid_referer]"; }
        server { listen 127.0.0.1:%port%; valid_referers server_names; return 200 "[$invalid_referer]"; }"#;
    let referers = [
        "",
        "-",
        "x",
        "http://",
        "http://x",
        "http://a.b.c",
        "ftp://own.example/",
        "http://own.example",
        "http://own.example/",
        "https://own.example:8443/x",
        "HTTPS://OWN.EXAMPLE/",
        "http://x.own.example/",
        "http://wide.example/",
        "http://x.wide.example/",
        "http://re12.example/",
        "http://re.example/",
        "http://good.example/",
        "http://good.example/path",
        "http://good.example/pathology",
        "http://good.example:80/path",
        "http://good.example/Path",
        "http://good.example",
        "http://a.good.example/",
        "http://www.anything/",
        "http://www.anything",
        "https://www.search.de/q",
        "http://x.example/?.search.",
        "http://plain.example/",
        "http://only.example/a",
        "http://only.example/b",
        "http:///own.example",
        "http://user@own.example/",
        "http://own.example?x",
        "//own.example/x",
        "http://x.example/",
    ];
    let mut probes = Vec::new();
    for place in ["/", "/strict", "/regex", "/blocked", "/names", "/names/in"] {
        probes.push(get(place).host("own.example").into());
        for referer in referers {
            probes.push(get(place).host("own.example").with("Referer", referer).into());
        }
    }
    let long = format!("http://{}/", "a".repeat(257));
    probes.push(get("/").host("own.example").with("Referer", long).named("a long host"));
    for host in ["none.example", "nameless"] {
        for referer in ["http://own.example/", "http:///xxxxxxx", "x"] {
            probes.push(get("/").host(host).with("Referer", referer).into());
        }
    }
    Site::new("referers", http, probes)
}

/// Tables and scripts together: what `if`, `set`, `rewrite` and `return` make of a table's value.
pub fn decisions() -> Site {
    let http = r#"
        map $http_user_agent $is_bad { default 0; ~*(?<bot>bot|crawler) 1; }
        map $uri $moved { /old/1 /page.html; ~^/old/(?<rest>.+)$ /new/$rest; default ""; }
        map $arg_k $class { default other; ~^(.)(.)$ "$2$1"; s set; }
        geo $arg_ip $inside { default 0; 10.0.0.0/8 1; }
        split_clients $arg_k $half { 50% left; * right; }
        server { listen 127.0.0.1:%port%; root %root%;
            if ($is_bad) { return 403 "$bot"; }
            if ($moved) { rewrite ^ $moved permanent; }
            location / { }
            location /images/ { valid_referers none blocked good.example;
                if ($invalid_referer) { return 403 "[$invalid_referer]"; } return 200 "[$invalid_referer]"; }
            location /set { set $class given; return 200 "$class|$1"; }
            location /late { set $kept $class; set $class later; return 200 "$kept|$class|$half"; }
            location /captured { if ($uri ~ ^/(cap)(tured)) { set $x "$1-$class-$1"; } return 200 "$x|$1|$2"; }
            location /inside { if ($inside) { return 200 in; } if ($half = left) { return 200 left; } return 200 out; }
        }"#;
    let mut probes = Vec::new();
    for target in [
        "/page.html",
        "/old/1",
        "/old/x",
        "/images/a",
        "/set?k=ab",
        "/late?k=ab",
        "/late?k=s",
        "/late?k=q",
        "/captured",
        "/captured?k=q",
        "/inside?ip=10.1.1.1",
        "/inside?k=1",
        "/inside?k=2",
        "/inside?k=7",
    ] {
        probes.push(get(target).into());
        probes.push(get(target).with("User-Agent", "a Crawler").into());
        probes.push(get(target).with("Referer", "http://bad.example/").into());
        probes.push(get(target).with("Referer", "http://good.example/").into());
    }
    Site::new("decisions", http, probes)
}
