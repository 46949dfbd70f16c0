//! Clients that are marked by a cookie.

use crate::probe::{Probe, Request, Site, get, head};

const GOOD: &str = "fwAAAUvCYwhBeQDeAwMDAg==";
const MARKED: &str = "fwAAAUvCYwhBeQDeAwMDAgA=";
const OTHER: &str = "fwAAAUvCYwhBeQDeAwMDAgB=";

fn server(name: &str, inside: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:%port%; server_name {name}; root %root%; error_page 404 /404.html; \
         add_header X-Uid \"$uid_got\"; add_header X-Uid \"$uid_set\"; {inside} }}\n"
    )
}

/// `userid` in its modes and forms.
pub fn marked() -> Site {
    let http = [
        server("on", "userid on;"),
        server("v1", "userid v1;"),
        server("log", "userid log;"),
        server("off", "userid off;"),
        server("service", "userid on; userid_service 305419896;"),
        server("v1service", "userid v1; userid_service 4294967297;"),
        server(
            "all",
            "userid on; userid_name id; userid_domain example.com; userid_path /a; userid_expires max; \
             userid_p3p 'policyref=\"/w3c/p3p.xml\", CP=\"CUR\"'; userid_flags secure httponly samesite=lax; \
             location /none { userid_domain none; userid_p3p none; userid_flags off; userid_expires off; \
                 return 200 none; } \
             location /far { userid_expires 20y; return 200 far; } location /day { userid_expires 24h; return 200; } \
             location /strict { userid_flags samesite=strict secure; return 200; } \
             location /both { userid_flags httponly; userid_flags samesite=none; return 200; } \
             location /zero { userid_expires 0; return 200; }",
        ),
        server("mark", "userid on; userid_mark A; userid_expires max;"),
        server("equals", "userid on; userid_mark =;"),
        server(
            "reset",
            "userid on; userid_mark A; set $uid_reset $arg_reset; location /map { set $uid_reset \"\"; } \
             location /no { set $uid_reset 0; return 200; }",
        ),
        server("gzip", "userid on; gzip on; gzip_types text/plain; %uncached%"),
        server(
            "inner",
            "location /a { userid on; return 200 a; } location /b { userid v1; userid_name b; return 403; } \
             location /dir/ { userid on; } location /moved { userid on; return 301 /x; } \
             location /if { userid on; if ($uid_set) { return 200 $uid_got; } return 204; } \
             location /named { userid on; try_files /nope @n; } location @n { userid on; return 200 \"\"; }",
        ),
    ]
    .concat()
    .replace("%uncached%", "");
    let mut probes: Vec<Probe> = Vec::new();
    let mut add = |request: Request| probes.push(request.into());
    let cookies = [
        format!("uid={GOOD}"),
        format!("uid={MARKED}"),
        format!("uid={OTHER}"),
        format!("a=b; UID={GOOD}; c=d"),
        format!("a=b;uid={}", &GOOD[..22]),
        "uid=short".to_owned(),
        "uid=".to_owned(),
        "uid=AAAAAAAAAAAAAAAAAAAAAA==".to_owned(),
        "uid=fwAA=====================".to_owned(),
        "uid=fwAAAUvCYwhBeQDeAwMD!g==".to_owned(),
        format!("uid=\"{GOOD}\""),
        format!("uid=x; uid={GOOD}"),
        format!("id={GOOD}"),
        format!("xuid={GOOD}"),
    ];
    for host in ["on", "v1", "log", "off", "service", "v1service", "all", "mark", "equals", "reset", "gzip"] {
        for path in ["/digits.txt", "/missing", "/dir"] {
            add(get(path).host(host));
            add(head(path).host(host));
        }
        add(get("/digits.txt").host(host).with("If-Modified-Since", super::MODIFIED_TEXT));
        add(get("/digits.txt").host(host).range("bytes=0-9"));
        for cookie in &cookies {
            add(get("/digits.txt").host(host).with("Cookie", cookie));
        }
        add(get("/digits.txt").host(host).with("Cookie", "a=b").with("Cookie", format!("uid={GOOD}")));
        add(get("/digits.txt").host(host).with("Accept-Encoding", "gzip"));
    }
    for path in ["/none", "/far", "/day", "/strict", "/both", "/zero"] {
        add(get(path).host("all"));
        add(get(path).host("all").with("Cookie", format!("id={GOOD}")));
    }
    for target in ["/digits.txt?reset=0", "/digits.txt?reset=1", "/digits.txt?reset=log", "/digits.txt?reset=00", "/no"]
    {
        for cookie in &cookies[..3] {
            add(get(target).host("reset").with("Cookie", cookie));
        }
        add(get(target).host("reset"));
    }
    for path in ["/a", "/b", "/dir/", "/dir/none", "/moved", "/if", "/named"] {
        add(get(path).host("inner"));
        add(get(path).host("inner").with("Cookie", format!("uid={GOOD}; b={OTHER}")));
    }
    Site::new("marked", &http, probes).measured()
}
