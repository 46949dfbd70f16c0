//! Which header lines count, and which connections are kept.

use crate::probe::{Probe, Site, Step, get, head, request};
use crate::probes;

const HOSTS: [&str; 4] = ["usual", "under", "all", "both"];

const RULES: [&str; 4] = [
    "",
    "underscores_in_headers on;",
    "ignore_invalid_headers off;",
    "underscores_in_headers on; ignore_invalid_headers off;",
];

/// A server for each rule, `default` the first of them.
fn with_default(name: &'static str, default: usize) -> Site {
    let server = |number: usize| {
        format!(
            "server {{ listen 127.0.0.1:%port%; server_name {}; {} error_page 400 =200 @own; \
             location @own {{ return 200 '{0}'; }} \
             location / {{ return 200 '$host [$http_x_y] [$http_range] [$http_content_length] [$http_user_agent] \
             [$http_x_forwarded_for]'; }} }} ",
            HOSTS[number], RULES[number]
        )
    };
    let http: String = (0..4).map(|number| server((number + default) % 4)).collect();
    let mut probes = Vec::new();
    for host in HOSTS {
        for lines in [
            "X_Y: 1",
            "X-Y: 1\r\nX_Y: 2",
            "X_Y: 1\r\nX-Y: 2\r\nx_y: 3",
            "_: 1\r\nX_Y_: 2",
            "_X_Y: 1",
            "X.Y: 1",
            "X_Y.: 1\r\nX-Y: 2",
            "X!Y: 1\r\nX_Y: 2",
            "X_Y:\r\nX-Y: 2",
            "User_Agent: a",
            "User_Agent: a\r\nUser-Agent: b",
            "Content_Length: 5",
            "Content_Length: 5\r\nContent_Length: 6",
            "Ran_ge: bytes=0-1\r\nRange: bytes=0-2",
            "X_Y: 1\r\nContent-Length: x",
            "X_Y: 1\r\nX-Y : 2",
            "X_Forwarded_For: 1\r\nX-Forwarded-For: 2",
        ] {
            for (place, text) in [
                ("behind", format!("GET / HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n\r\n")),
                ("before", format!("GET / HTTP/1.1\r\n{lines}\r\nHost: {host}\r\n\r\n")),
                ("around", format!("GET / HTTP/1.1\r\n{lines}\r\nHost: {host}\r\n{lines}\r\n\r\n")),
                ("target", format!("GET http://{host}/ HTTP/1.1\r\n{lines}\r\nHost: other\r\n\r\n")),
                ("none", format!("GET / HTTP/1.0\r\n{lines}\r\n\r\n")),
            ] {
                probes.push(Probe::raw(&format!("{} {place} {host}", lines.replace("\r\n", " ")), text));
            }
        }
    }
    probes.retain(|probe| !probe.name.contains(" none ") || probe.name.ends_with(" none usual"));
    Site::new(name, &http, probes)
}

/// `underscores_in_headers` and `ignore_invalid_headers`, on both sides of `Host`.
pub fn header_lines() -> Site {
    with_default("header_lines", 0)
}

/// The same behind a default server that takes underscores.
pub fn header_lines_by_default() -> Site {
    with_default("header_lines_by_default", 1)
}

/// `keepalive_disable` by browser, method and location; a location that gives the connection up is not overruled.
pub fn browsers() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; error_page 405 /404.html; \
         location /none/ { keepalive_disable none; alias %root%/; } \
         location /safari/ { keepalive_disable safari; alias %root%/; location /safari/in/ { alias %root%/; } } \
         location /both/ { keepalive_disable msie6 safari; alias %root%/; } \
         location /twice/ { keepalive_disable none; keepalive_disable safari; return 200 twice; } \
         location /last/ { keepalive_timeout 0; rewrite ^/last/(.*)$ /$1 last; } \
         location /first/ { keepalive_requests 1; error_page 404 =200 /page.html; alias %root%/none/; } \
         location /index/ { keepalive_timeout 0; alias %root%/; location = /index/index.html { \
             keepalive_timeout 10 7; alias %root%/index.html; } } \
         location /back/ { error_page 403 = @back; deny all; keepalive_timeout 10 0; } \
         location @back { keepalive_timeout 10 1m5; return 200 back; } \
         location /header/ { keepalive_timeout 10 0; return 200 header; } }";
    let mut probes: Vec<Probe> = Vec::new();
    for agent in [
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)",
        "Mozilla/4.0 (compatible; MSIE 5.5; Windows 98)",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.0)",
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1) Opera 8",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 (KHTML, like Gecko) Version/17 Safari/605",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Chrome/120 Safari/537",
        "Safari/1 Linux",
        "curl/8",
        "",
    ] {
        for place in ["", "none/", "safari/", "safari/in/", "both/", "twice/"] {
            for method in ["GET", "POST"] {
                let request = request(method, &format!("/{place}page.html")).with("User-Agent", agent);
                probes.push(request.named(&format!("{method} /{place}page.html by {agent:?}")));
            }
        }
    }
    probes.extend(probes![
        get("/last/page.html"),
        get("/last/none"),
        get("/first/x"),
        get("/index/"),
        get("/back/"),
        get("/header/"),
    ]);
    Site::new("browsers", http, probes)
}

/// Closes with and without lingering: what the client sees is the same.
pub fn lingering() -> Site {
    let http = "client_max_body_size 10; server { listen 127.0.0.1:%port%; root %root%; \
         location /off/ { lingering_close off; alias %root%/; } \
         location /always/ { lingering_close always; lingering_time 10s; lingering_timeout 2s; alias %root%/; } \
         location /on/ { lingering_time 1m; lingering_timeout 500ms; alias %root%/; } }";
    let mut probes: Vec<Probe> = Vec::new();
    for place in ["off", "always", "on"] {
        let target = format!("/{place}/page.html");
        probes.extend(probes![
            get(&target),
            get(&target).with("Connection", "close"),
            get(&target).http10(),
            request("POST", &target).with("Content-Length", "20"),
            request("POST", &target).body("abc"),
            head(&target).with("Connection", "close"),
        ]);
    }
    Site::new("lingering", http, probes)
}

/// `absolute_redirect`, `server_name_in_redirect` and `port_in_redirect` in all combinations.
pub fn redirect_forms() -> Site {
    let mut http = String::new();
    for bits in 0..8 {
        let flag = |bit: u32, name: &str| format!("{name} {}; ", if bits >> bit & 1 == 1 { "on" } else { "off" });
        let flags = [flag(0, "absolute_redirect"), flag(1, "server_name_in_redirect"), flag(2, "port_in_redirect")];
        http += &format!(
            "server {{ listen 127.0.0.1:%port%; server_name n{bits}.Example; root %root%; {} \
             error_page 404 /moved; error_page 403 http://elsewhere.example/403; \
             location = /moved {{ return 302 /from-error?$args; }} location /return {{ return 301 /to; }} \
             location /scheme {{ return 301 http://Else.Example/x; }} location /relative {{ return 302 to; }} \
             location /denied {{ deny all; }} location /rewrite {{ rewrite ^ /to permanent; }} \
             location /status {{ return 308 /to; }} }} ",
            flags.concat()
        );
    }
    http += "server { listen 127.0.0.1:%port%; server_name \"\"; server_name_in_redirect on; root %root%; } \
        server { listen 127.0.0.1:%port%; server_name ~^r; server_name_in_redirect on; root %root%; } \
        server { listen 127.0.0.1:%port%; server_name *.wild; server_name_in_redirect on; root %root%; } \
        server { listen 127.0.0.1:%port%; server_name .dot; server_name_in_redirect on; root %root%; }";
    let mut probes: Vec<Probe> = Vec::new();
    for bits in 0..8 {
        for target in
            ["/dir", "/dir?a=b", "/none", "/return", "/scheme", "/relative", "/denied", "/rewrite?q", "/status"]
        {
            for host in [format!("N{bits}.example"), format!("n{bits}.example:8080"), format!("n{bits}.example.")] {
                probes.push(get(target).host(&host).into());
            }
        }
        probes.push(get("/dir").host(&format!("n{bits}.example")).http10().into());
    }
    probes.extend(probes![
        get("/dir").without_host().http10(),
        get("/dir").host("regex"),
        get("/dir").host("a.wild"),
        get("/dir").host("dot"),
        get("/dir").host("a.dot"),
        get("/dir").host("unknown"),
        get("/dir").host("[::1]:80"),
        get("http://n3.example/dir").host("other"),
        get("http://n3.example:77/dir").host("other"),
    ]);
    Site::new("redirect_forms", &http, probes)
}

/// `msie_refresh` and `msie_padding` by browser.
pub fn old_browsers() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; msie_refresh on; \
         location /return { return 301 '/to?\"<a>\\'`{|}~^\\\\ x'; } location /found { return 302 http://a.example/; } \
         location /see { return 303 /to; } location /text { return 302 to; } \
         location /off/ { msie_refresh off; alias %root%/; location /off/page { return 301 /to; } } \
         location /padless/ { msie_padding off; alias %root%/none/; } \
         location /error { error_page 404 http://a.example/x; return 404; } \
         location /header { add_header X-A a; add_header X-B b always; etag off; return 301 /to; } }";
    let mut probes: Vec<Probe> = Vec::new();
    for agent in [
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
        "Mozilla/4.0 (compatible; MSIE 9.0; Windows NT 6.1)",
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1) Opera 8",
        "MSIE 6.",
        "Mozilla/5.0 Chrome/120 Safari/537",
        "Mozilla/5.0 Gecko/20100101 Firefox/120",
    ] {
        for target in [
            "/return",
            "/found",
            "/see",
            "/text",
            "/dir",
            "/off/page",
            "/off/dir",
            "/padless/x",
            "/none",
            "/error",
            "/header",
        ] {
            for method in ["GET", "HEAD"] {
                let request = request(method, target).with("User-Agent", agent);
                let steps = Probe::from(request.clone());
                probes.push(Probe { name: format!("{method} {target} by {agent:?}"), ..steps });
            }
        }
    }
    Site::new("old_browsers", http, probes)
}

/// Requests that are refused for their head: the log says what was read of them.
pub fn refused() -> Site {
    let http = "log_format read '$remote_port $status $request_length \"$request\" $request_method \"$uri\" \"$args\" \
                    $request_filename $host [$http_host] [$http_user_agent] [$http_authorization] [$content_length]'; \
                server { listen 127.0.0.1:%port%; server_name first; root %root%; access_log %dir%/access.log read; } \
                server { listen 127.0.0.1:%port%; server_name paged; root %root%; access_log %dir%/access.log read; \
                error_page 400 /told; location = /told { return 200 told; } }";
    let agent = "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)";
    let mut probes = Vec::new();
    for (name, lines) in [
        ("Authorization twice", "Host: first\r\nAuthorization: a\r\nAuthorization: b"),
        ("Content-Length twice", "Host: first\r\nContent-Length: 5\r\nContent-Length: 5"),
        ("Host twice", "Host: first\r\nHost: first"),
        ("Host twice, with a page", "Host: paged\r\nHost: first"),
        ("no Host", "Accept: a"),
        ("empty Host", "Host:"),
        ("invalid Host", "Host: a b"),
        ("invalid length", "Host: first\r\nContent-Length: x"),
        ("two lengths", "Host: first\r\nContent-Length: 1\r\nTransfer-Encoding: chunked"),
        ("space in a name", "Host: first\r\nA b: 1"),
        ("no name", "Host: first\r\n: 1"),
        ("folded", "Host: first\r\n more"),
        ("NUL", "Host: first\r\nX: a\0b"),
    ] {
        for (place, lines) in [
            ("alone", lines.to_owned()),
            ("agent in front", format!("{agent}\r\n{lines}")),
            ("agent behind", format!("{lines}\r\n{agent}")),
        ] {
            for line in ["GET /page.html?q=1 HTTP/1.1", "\r\nPOST http://first/a//b/../%41 HTTP/1.1"] {
                let text = format!("{line}\r\n{lines}\r\n\r\n");
                probes.push(Probe::raw(&format!("{name}, {place}, {}", line.trim()), text));
            }
        }
    }
    for target in ["/../a", "/a%zz"] {
        let text = format!("GET {target} HTTP/1.1\r\nHost: paged\r\n{agent}\r\n\r\n");
        probes.push(Probe::raw(&format!("agent of {target}"), text));
    }
    probes.push(Probe::raw("empty line in front", "\r\nGET /page.html HTTP/1.1\r\nHost: first\r\n\r\n"));
    for (name, text) in [
        ("gone behind the request line", "GET /page.html HTTP/1.1\r\n"),
        ("gone in a name", "GET /page.html HTTP/1.1\r\nHost: first\r\nAcc"),
        ("gone in a value", "\r\n\r\nGET /page.html HTTP/1.1\r\nHost: first\r\nAccept: a"),
    ] {
        let steps = vec![Step::Send(text.into()), Step::ShutdownWrite];
        probes.push(Probe { name: name.to_owned(), steps });
    }
    Site::new("refused", http, probes)
}
