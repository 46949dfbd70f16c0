//! Clients behind proxies: `set_real_ip_from` and its kin, and the PROXY protocol.

use crate::probe::{Probe, Request, Site, Step, get};

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

/// A header of version 2: command and version, family and transport, addresses and ports.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &len, body].concat()
}

/// Headers of the PROXY protocol, good and bad, each with the request in the same piece: nginx waits for no other.
pub fn proxied() -> Site {
    let http = "set_real_ip_from 127.0.0.1; set_real_ip_from 10.0.0.0/8; real_ip_header proxy_protocol; \
        server { listen 127.0.0.1:%port% proxy_protocol; root %root%; \
            location / { } \
            location = /who { return 200 '$remote_addr|$port|$proxy_protocol_addr|$proxy_protocol_port|\
                $proxy_protocol_server_addr|$proxy_protocol_server_port'; } \
            location = /port { return 200 $is_args$remote_port; } } \
        server { listen 127.0.0.1:%port%; server_name second; real_ip_header X-Real-IP; root %root%; \
            location = /who { return 200 '$remote_addr|$proxy_protocol_addr'; } }";
    let lines = [
        "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n",
        "PROXY TCP6 2001:db8::1 ::2 65535 443\r\n",
        "PROXY TCP6 2001:DB8:0:0::1 ::2 65535 443\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n",
        "PROXY TCP4 001.2.3.4 5.6.7.8 009 10\r\n",
        "PROXY TCP4 10.0.0.1 5.6.7.8 9 10\r\n",
        "PROXY TCP4 dead 5.6.7.8 9 10\r\n",
        "PROXY TCP4   9 10\r\n",
        "PROXY TCP4 1.2.3.4:80 5.6.7.8 9 10\r\n",
        "PROXY TCP6 1.2.3.4 ::1 9 10\r\n",
        "PROXY UNKNOWN\r\n",
        "PROXY UNKNOWN 1.2.3.4 5.6.7.8 9 10\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 9 65536\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 -1 10\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 9\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8  9 10\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 9 10 \r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\n",
        "PROXY TCP4 1.2.3.g 5.6.7.8 9 10\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\nPROXY TCP4 9.9.9.9 5.6.7.8 9 10\r\n",
        "PROXY TCP5 1.2.3.4 5.6.7.8 9 10\r\n",
        "PROXY UDP4 1.2.3.4 5.6.7.8 9 10\r\n",
        "PROXY  TCP4 1.2.3.4 5.6.7.8 9 10\r\n",
        "proxy TCP4 1.2.3.4 5.6.7.8 9 10\r\n",
        "\r\nPROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n",
        "",
    ];
    let v4 = [1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 0, 10];
    let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1; 17], &[0xff, 0xff, 1, 0xbb]].concat();
    let tlvs = |tlvs: &[u8]| [&v4[..], tlvs].concat();
    let binary = [
        ("an IPv4 address", v2(0x21, 0x11, &v4)),
        ("an IPv6 address", v2(0x21, 0x21, &v6)),
        ("TLVs", v2(0x21, 0x11, &tlvs(b"\x01\0\x02h2\x04\0\0"))),
        ("bad TLVs", v2(0x21, 0x11, &tlvs(b"\x01\0\x09h2"))),
        ("a local connection", v2(0x20, 0x11, &v4)),
        ("a local connection without addresses", v2(0x20, 0, b"")),
        ("an unknown command", v2(0x25, 0x11, &v4)),
        ("datagrams", v2(0x21, 0x12, &v4)),
        ("no family", v2(0x21, 0, &v4)),
        ("a Unix socket", v2(0x21, 0x31, &[b'/'; 216])),
        ("version 1 in binary", v2(0x11, 0x11, &v4)),
        ("version 3", v2(0x31, 0x11, &v4)),
        ("too few bytes for IPv4", v2(0x21, 0x11, &v4[..11])),
        ("too few bytes for IPv6", v2(0x21, 0x21, &v6[..35])),
        ("more than the buffer holds", v2(0x21, 0x11, &[0; 1100])),
    ];
    let mut probes = Vec::new();
    for line in lines {
        let bytes = [line.as_bytes(), &get("/who").bytes()].concat();
        probes.push(Probe::raw(&format!("{line:?}"), bytes));
    }
    for (name, header) in binary {
        probes.push(Probe::raw(name, [header, get("/who").bytes()].concat()));
    }
    let header = lines[0].as_bytes();
    let two = [header, &get("/who").bytes(), &get("/missing").bytes()].concat();
    probes.push(Probe::raw_many("two requests behind a header", two, 2));
    let second = [header, &get("/who").host("second").with("X-Real-IP", "7.7.7.7").bytes()].concat();
    probes.push(Probe::raw("a server of the same address", second));
    probes.push(Probe { name: "a header, then a request".to_owned(), steps: vec![Step::Send(header.to_vec())] });
    probes.push(Probe::raw("a malformed request", [header, b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"].concat()));
    probes.push(Probe::raw("a port", [lines[2].as_bytes(), &get("/port").bytes()].concat()));
    site("proxied", http, probes)
}
