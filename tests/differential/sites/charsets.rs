//! Charsets in Content-Type.

use crate::probe::{Site, get, head, request};
use crate::probes;

pub fn charsets() -> Site {
    let http = "map $arg_c $named { default $arg_c; ~^$ off; } \
        server { listen 127.0.0.1:%port%; root %root%; charset utf-8; \
        location /off/ { alias %root%/; charset off; } \
        location /upper/ { alias %root%/; charset utf-8; source_charset UTF-8; } \
        location /koi/ { alias %root%/; charset koi8-r; source_charset KOI8-R; charset_types text/css text/plain; } \
        location /all/ { alias %root%/; charset_types *; } \
        location /named/ { alias %root%/; charset $named; } \
        location /two/ { alias %root%/; charset $named; source_charset koi8-r; } \
        location /if/ { alias %root%/; if ($arg_c) { charset $arg_c; } } \
        location /typed/ { alias %root%/; types { text/html html; \"text/html; charset=x\" txt; } } \
        location /untyped/ { alias %root%/; types { } default_type ''; } \
        location /text { default_type text/plain; return 200 text; } location /json { default_type application/json; \
        return 200 '{}'; } \
        location /moved/ { return 301 /x; } location /found/ { return 302 /x; } location /other/ { return 303 /x; } \
        location /temporary/ { return 307 /x; } location /permanent/ { return 308 /x; } \
        location /empty/ { return 204; } location /gone/ { return 410; } location /said/ { return 404 said; } \
        location /pages/ { error_page 404 /404.html; error_page 403 =200 /50x.html; } \
        location = /p.gif { empty_gif; charset_types image/gif; } }";
    let mut probes = Vec::new();
    for place in ["", "/off", "/upper", "/koi", "/all", "/named", "/typed", "/untyped"] {
        for name in ["/page.html", "/digits.txt", "/style.css", "/app.mjs", "/noextension", "/missing", "/dir"] {
            probes.push(get(&format!("{place}{name}")).into());
        }
    }
    for place in ["/text", "/json", "/moved/", "/found/", "/other/", "/temporary/", "/permanent/", "/empty/", "/gone/"]
    {
        probes.push(get(place).into());
    }
    probes.extend(probes![
        head("/page.html"),
        get("/page.html").http10(),
        get("/page.html").with("If-Modified-Since", super::MODIFIED_TEXT),
        get("/digits.txt").range("bytes=0-3"),
        get("/digits.txt").range("bytes=0-3,10-13"),
        get("/koi/digits.txt").range("bytes=0-3,-5"),
        get("/digits.txt").range("bytes=500-"),
        request("POST", "/page.html").body("x"),
        request("BREW", "/page.html"),
        get("/said/"),
        get("/pages/missing"),
        get("/pages/"),
        get("/p.gif"),
        get("/named/page.html?c=koi8-r"),
        get("/named/page.html?c=x%20y"),
        get("/two/page.html?c=KOI8-r"),
        get("/two/page.html?c=utf-8"),
        get("/two/style.css?c=utf-8"),
        get("/if/page.html"),
        get("/if/page.html?c=latin1"),
        get("/no/such/place"),
    ]);
    Site::new("charsets", http, probes)
}

pub fn charset_lists() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; autoindex on; charset utf-8; \
        location /off/ { alias %root%/; charset off; } location /latin/ { alias %root%/; charset latin1; } \
        location /xml/ { alias %root%/; charset koi8-r; autoindex_format xml; } \
        location /override/ { alias %root%/; autoindex_format xml; override_charset on; charset utf-8; } \
        location /overridden/ { alias %root%/; autoindex_format xml; override_charset on; charset koi8-r; } \
        location /json/ { alias %root%/; autoindex_format json; charset_types application/json; } \
        location /jsonp/ { alias %root%/; autoindex_format jsonp; } }";
    let mut probes = Vec::new();
    for place in ["", "/off", "/latin", "/xml", "/override", "/overridden", "/json", "/jsonp"] {
        for path in ["/names/", "/dirs/", "/nothing/", "/missing/", "/names/?callback=f"] {
            probes.push(get(&format!("{place}{path}")).http10().into());
        }
    }
    probes.extend(probes![head("/names/").http10(), head("/xml/names/").http10()]);
    Site::new("charset_lists", http, probes).measured()
}
