//! Browsers told apart, and the time in words.

use crate::probe::{Probe, Request, Site, get};

const AGENTS: &[&str] = &[
    "",
    "x",
    "curl/8.5.0",
    "Opera/7.50 (X11; FreeBSD i386; U)  [en]",
    "Mozilla/5.0 (X11; FreeBSD i386; U) Opera 7.50  [en]",
    "Mozilla/4.0 (compatible; MSIE 6.0; X11; FreeBSD i386) Opera 7.50  [en]",
    "Opera/9.01 (X11; FreeBSD 6 i386; U; en)",
    "Opera",
    "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
    "Mozilla/4.0 (compatible; MSIE 5.5; Windows NT 5.0)",
    "Mozilla/4.0 (compatible; MSIE 5.05; Windows NT 5.0)",
    "Mozilla/4.0 (compatible; MSIE 10.6; Windows NT 6.1; Trident/5.0)",
    "Mozilla/4.0 (compatible; MSIE ",
    "MSIE 6.0",
    "MSIE 7",
    "Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.0.0) Gecko/20020610",
    "Mozilla/5.0 (Windows; U; Windows NT 5.1; ru-RU; rv:1.7.8) Gecko/20050511 Firefox/1.0.4",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Macintosh; U; PPC Mac OS X; ru-ru) AppleWebKit/125.2 (KHTML, like Gecko) Safari/125.7",
    "Mozilla/5.0 (Macintosh; U; PPC Mac OS X; en) AppleWebKit/418 (KHTML, like Gecko) Safari/417.9.3",
    "Mozilla/5.0 (compatible; Konqueror/3.1; Linux)",
    "Mozilla/5.0 (compatible; Konqueror/3.5; FreeBSD) KHTML/3.5.1 (like Gecko)",
    "Mozilla/4.72 [en] (X11; U; Linux 2.2.14-5.0 i686)",
    "Mozilla/4.72 ",
    "Mozilla/0.9 something long enough",
    "Mozilla/5.0 something long enough",
    "Links (2.1; Linux)",
    "Lynx/2.8.5rel.1 libwww-FM/2.14",
];

fn server(name: &str, inside: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:%port%; server_name {name}; {inside} \
         location / {{ return 200 \"$modern_browser|$ancient_browser|$msie\"; }} }}\n"
    )
}

/// `modern_browser`, `ancient_browser` and their kin.
pub fn agents() -> Site {
    let listed = "modern_browser msie 5.5; modern_browser gecko 1.0.1; modern_browser opera 9.0; \
                  modern_browser safari 413; modern_browser konqueror 3.2;";
    let http = [
        server("none", ""),
        server("listed", listed),
        server("unlisted", "modern_browser unlisted;"),
        server("both", &format!("{listed} modern_browser unlisted; ancient_browser Links Lynx netscape4;")),
        server("ancient", "ancient_browser netscape4 Links; ancient_browser Lynx; modern_browser unlisted;"),
        server(
            "values",
            &format!("{listed} modern_browser_value a; modern_browser_value new; ancient_browser_value old;"),
        ),
        server("msie", "modern_browser MSIE 5.5; modern_browser msie 10.5.1;"),
        server(
            "inner",
            &format!(
                "{listed} location /own {{ modern_browser gecko 128; return 200 $modern_browser; }} \
                 location /unlisted {{ modern_browser unlisted; return 200 $modern_browser; }} \
                 location /value {{ modern_browser_value \"\"; return 200 \"[$modern_browser]\"; }} \
                 location /set {{ set $msie x; set $modern_browser y; return 200 \"$msie$modern_browser\"; }} \
                 location /if {{ if ($ancient_browser) {{ return 403; }} return 204; }}"
            ),
        ),
        "server { listen 127.0.0.1:%port%; server_name dates; \
         location / { add_header X-Date \"$date_gmt, $date_local\"; return 204; } }\n"
            .to_owned(),
    ]
    .concat();
    let mut probes: Vec<Probe> = Vec::new();
    let mut add = |request: Request| probes.push(request.into());
    for host in ["none", "listed", "unlisted", "both", "ancient", "values", "msie"] {
        add(get("/").host(host));
        AGENTS.iter().for_each(|agent| add(get("/").host(host).with("User-Agent", *agent)));
    }
    for path in ["/own", "/unlisted", "/value", "/set", "/if"] {
        add(get(path).host("inner"));
        AGENTS.iter().for_each(|agent| add(get(path).host("inner").with("User-Agent", *agent)));
    }
    add(get("/").host("dates"));
    Site::new("agents", &http, probes)
}
