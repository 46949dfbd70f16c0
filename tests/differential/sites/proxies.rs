//! Clients behind proxies: `set_real_ip_from` and its kin.

use crate::probe::{Probe, Request, Site, get};

/// The log tells connections apart by the proxy's own port, whatever it says of the client.
fn site(name: &'static str, http: &str, probes: Vec<Probe>) -> Site {
    let port = "map $remote_port:$realip_remote_port $port { ~^(\\d+):\\1$ own; '~^(?<named>\\d*):' $named; }\n";
    let mut site = Site::new(name, &[port, http].concat(), probes);
    site.conf = site.conf.replace(
        "'$remote_port $remote_addr - $remote_user",
        "'$realip_remote_port $remote_addr:$port $realip_remote_addr - $remote_user",
    );
    site
}

/// Chains of proxies, in every field, in servers and in locations.
pub fn realip() -> Site {
    let server = |name: &str, inside: &str| {
        format!(
            "server {{ listen 127.0.0.1:%port%; server_name {name}; root %root%; {inside} \
             location / {{ }} \
             location = /who {{ return 200 '$remote_addr|$port|$realip_remote_addr|$near'; }} }}"
        )
    };
    let locations = "location /in/ { set_real_ip_from 127.0.0.1; alias %root%/; add_header X-Who $remote_addr always; \
             deny 9.9.9.9; location /in/f/ { real_ip_header X-Forwarded-For; alias %root%/; \
                 add_header X-Who $remote_addr always; } } \
         location /out/ { add_header X-Who $remote_addr always; try_files /none /in/page.html; } \
         location /error/ { add_header X-Who $remote_addr; error_page 404 /in/page.html; } \
         location /denied/ { allow 1.2.3.4; deny all; alias %root%/; } \
         location /if/ { set_real_ip_from 127.0.0.1; if ($http_x_real_ip = 1.2.3.4) { set $hit yes; } \
             add_header X-Hit \"$hit $remote_addr\"; alias %root%/; }";
    let all = "set_real_ip_from 127.0.0.1; set_real_ip_from 10.0.0.0/8; set_real_ip_from ::1; \
         set_real_ip_from 2001:db8::/32;";
    let http = [
        "geo $near { default far; 1.2.3.0/24 near; 2001:db8::/32 six; 127.0.0.1 self; }\n".to_owned(),
        server("plain", "set_real_ip_from 127.0.0.1; deny 9.9.9.9;"),
        server("forwarded", &format!("{all} real_ip_header X-Forwarded-For;")),
        server("recursive", &format!("{all} real_ip_header X-Forwarded-For; real_ip_recursive on;")),
        server("field", &format!("{all} real_ip_header X-Client; real_ip_recursive on;")),
        server("lower", &format!("{all} real_ip_header x-forwarded-for; real_ip_recursive on;")),
        server("protocol", &format!("{all} real_ip_header proxy_protocol;")),
        server("untrusted", "set_real_ip_from 10.0.0.0/8; set_real_ip_from unix:;"),
        server("inner", locations),
        server("named", "set_real_ip_from localhost; real_ip_header X-Forwarded-For;"),
    ]
    .concat();
    let values = [
        "1.2.3.4",
        "1.2.3.4:81",
        "1.2.3.4:0",
        "1.2.3.4:65536",
        "1.2.3",
        "9.9.9.9",
        "2001:db8::9",
        "[2001:db9::9]:443",
        "unix:",
        "",
        ",1.2.3.4",
        " , 1.2.3.4 ,, ",
        "unknown",
        "1.2.3.4, 10.0.0.1",
        "5.6.7.8, 1.2.3.4, 10.0.0.1, 10.1.1.1:9",
        "10.3.3.3, 10.0.0.1",
        "1.2.3.4 10.0.0.1",
        "bad, 10.0.0.1",
        "::1, 2001:db8::1",
        "255.255.255.255",
        "001.2.3.04",
    ];
    let mut probes: Vec<Probe> = Vec::new();
    let mut add = |request: Request| probes.push(request.into());
    for value in values {
        for (host, field) in [
            ("plain", "X-Real-IP"),
            ("forwarded", "X-Forwarded-For"),
            ("recursive", "X-Forwarded-For"),
            ("field", "X-Client"),
            ("lower", "X-Forwarded-For"),
        ] {
            add(get("/who").host(host).with(field, value));
        }
    }
    let two =
        |host: &str, field, first: &str, second: &str| get("/who").host(host).with(field, first).with(field, second);
    for (first, second) in [("1.2.3.4", "10.0.0.1"), ("10.0.0.1", "1.2.3.4"), ("1.2.3.4", "x"), ("x", "10.0.0.1")] {
        for host in ["forwarded", "recursive", "lower"] {
            add(two(host, "X-Forwarded-For", first, second));
        }
        add(two("plain", "X-Real-IP", first, second));
        add(two("field", "X-Client", first, second));
    }
    add(get("/who").host("plain").with("X-Forwarded-For", "1.2.3.4"));
    add(get("/who").host("plain"));
    add(get("/page.html").host("plain").with("X-Real-IP", "9.9.9.9"));
    add(get("/missing").host("plain").with("X-Real-IP", "1.2.3.4"));
    add(get("/who").host("protocol").with("X-Real-IP", "1.2.3.4"));
    add(get("/who").host("untrusted").with("X-Real-IP", "1.2.3.4"));
    add(get("/who").host("named").with("X-Forwarded-For", "1.2.3.4"));
    for path in
        ["/in/page.html", "/in/f/page.html", "/out/x", "/error/x", "/denied/page.html", "/if/page.html", "/page.html"]
    {
        for value in ["1.2.3.4", "9.9.9.9"] {
            add(get(path).host("inner").with("X-Real-IP", value).with("X-Forwarded-For", "5.6.7.8"));
        }
    }
    // The address is that of a request, not of the connection.
    let [first, second] =
        ["1.2.3.4", "9.9.9.9"].map(|ip| get("/page.html").host("plain").with("X-Real-IP", ip).bytes());
    let plain = get("/who").host("plain").bytes();
    probes.push(Probe::raw_many("an address for each request", [first, second, plain].concat(), 3));
    probes.push(Probe::raw(
        "a refused request",
        "GET / HTTP/1.1\r\nHost: plain\r\nX-Real-IP: 1.2.3.4\r\nContent-Length: x\r\n\r\n",
    ));
    site("realip", &http, probes)
}
