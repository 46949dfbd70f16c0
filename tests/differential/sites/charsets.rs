//! Charsets: in Content-Type, and in bodies that are converted.

use std::fmt::Write;
use std::path::Path;

use super::{gzip_of, write};
use crate::probe::{Probe, Request, Site, get, head, request};
use crate::probes;

/// The letters of KOI8-R from the byte c0 on.
const KOI: &str = "юабцдефгхийклмнопярстужвьызшэщчъЮАБЦДЕФГХИЙКЛМНОПЯРСТУЖВЬЫЗШЭЩЧЪ";

/// The letters of Windows-1251 from c0 on.
const WIN: &str = "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя";

/// The text in one of the two, whose other characters are ASCII.
fn coded(text: &str, letters: &str) -> Vec<u8> {
    let byte = |c: char| letters.chars().position(|letter| letter == c).map_or(c as u8, |at| 0xc0 + at as u8);
    text.chars().map(byte).collect()
}

/// Files in several charsets, some of them longer than a server's buffers, and tables.
pub fn add(root: &Path) {
    let short = "Привет, мир! Hello.\n";
    let line = |n: u32| {
        format!("<p>{n} Съешь ещё этих мягких французских булок, {}да выпей чаю</p>\n", "-".repeat(n as usize % 7))
    };
    let long: String = (0..2_000).map(line).collect();
    let plain = long.replace('ё', "е");
    write(root, "charsets/koi.txt", &coded(short, KOI));
    write(root, "charsets/koi.html", &coded(&plain, KOI));
    write(root, "charsets/win.html", &coded(&plain, WIN));
    write(root, "charsets/real.html.gz", &gzip_of(&coded(&plain, KOI)));
    write(root, "charsets/utf.txt", short.as_bytes());
    write(root, "charsets/utf.html", long.as_bytes());
    // Characters without a byte, of two, three and four bytes, which lie across the ends of buffers at all places.
    let many: String = (0..30_000_u32).map(|n| ["ж", "é", "€", "😀", "x"][(n * n / 3 % 5) as usize]).collect();
    write(root, "charsets/many.txt", many.as_bytes());
    let far = format!("{}Привет", "a plain text ".repeat(100));
    write(root, "charsets/far.txt", far.as_bytes());
    write(root, "charsets/koi-far.txt", &coded(&far, KOI));
    write(root, "charsets/ascii.txt", "0123456789".repeat(10_000).as_bytes());
    let broken =
        b"\xd0\xbf\xff \xc0\x80 \xd0a \xe2\x82b \xe0\x80\x80 \xed\xa0\x80 \xf0\x8f\xbf\xbf \xf7\xbf\xbf\xbf \x80 \
        \xe2\x82";
    write(root, "charsets/broken.txt", broken);
    write(root, "charsets/empty.html", b"");
    write(root, "charsets/404.html", "<p>Нет</p>\n".as_bytes());
    let entries = |letters: &str| {
        letters.chars().enumerate().fold(String::new(), |mut text, (at, letter)| {
            let hex: String = letter.to_string().bytes().map(|byte| format!("{byte:02X}")).collect();
            let _ = writeln!(text, "    {:x} {hex} ; # {letter}", 0xc0 + at);
            text
        })
    };
    write(root, "charsets/koi-utf", format!("charset_map koi8-r UTF-8 {{\n{}}}\n", entries(KOI)).as_bytes());
    let more = "88 E282AC; a8 D081; B8 D191;\n";
    write(root, "charsets/win-utf", format!("charset_map windows-1251 utf-8 {{ {more}{}}}\n", entries(WIN)).as_bytes());
    let pairs: String =
        coded(KOI, KOI).iter().zip(coded(KOI, WIN)).map(|(koi, win)| format!("{koi:X} {win:02x};\n")).collect();
    // The last two entries make bytes of ASCII other ones.
    write(
        root,
        "charsets/koi-win",
        format!("charset_map KOI8-R Windows-1251 {{ {pairs} 21 2a; 0a3 b8; }}\n").as_bytes(),
    );
}

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

const TABLES: &str = "include %root%/charsets/koi-utf; include %root%/charsets/win-utf; \
    include %root%/charsets/koi-win; \
    charset_map x-none utf-8 { } charset_map x-swap x-paws { 61 62; 62 61; 80 81; 81 80; }\n";

const FILES: &[&str] = &[
    "koi.txt",
    "koi.html",
    "win.html",
    "utf.txt",
    "utf.html",
    "many.txt",
    "far.txt",
    "ascii.txt",
    "empty.html",
    "missing",
    "",
];

/// Bodies between charsets, both ways.
pub fn charset_maps() -> Site {
    let location = |name: &str, inside: &str| format!("location /{name}/ {{ alias %root%/charsets/; {inside} }}\n");
    let own = |to: &str| format!("source_charset $arg_s; charset {to};");
    let http = [
        TABLES.to_owned(),
        "map $arg_c $named { default $arg_c; ~^$ off; } server { listen 127.0.0.1:%port%; root %root%; \n".to_owned(),
        location("koi-utf", "source_charset koi8-r; charset utf-8;"),
        location("utf-koi", "source_charset UTF-8; charset koi8-r;"),
        location("koi-win", "source_charset koi8-r; charset windows-1251;"),
        location("win-koi", "source_charset windows-1251; charset KOI8-R;"),
        location("win-utf", "source_charset windows-1251; charset utf-8;"),
        location("utf-win", "source_charset utf-8; charset windows-1251;"),
        location("utf-none", "source_charset utf-8; charset x-none;"),
        location("swap", "source_charset x-swap; charset x-paws; charset_types *;"),
        location("named", "source_charset koi8-r; charset $named;"),
        location("source", &own("utf-8")),
        location("types", "source_charset koi8-r; charset utf-8; charset_types text/css;"),
        location("plain", "source_charset koi8-r;"),
        location("pages", "source_charset utf-8; charset koi8-r; error_page 404 /koi-pages/404.html;"),
        location("koi-pages", "source_charset utf-8; charset koi8-r;"),
        location("if", "source_charset koi8-r; if ($arg_c) { charset utf-8; }"),
        location("no-etag", "source_charset koi8-r; charset utf-8; etag off; max_ranges 0;"),
        "location /texts/ { source_charset utf-8; charset koi8-r; default_type text/plain; \
         location /texts/a { return 200 'Привет, жé€😀!'; } location /texts/b { return 200 ''; } \
         location /texts/c { return 404 'Нет'; } location /texts/d { return 301 /x; } \
         location /texts/e { return 307 /x; } location /texts/f { return 204; } location /texts/g { return 500; } \
         location /texts/h { return 302 /x; } location /texts/i { default_type image/x; return 200 'Привет'; } \
         location /texts/j { default_type ''; return 200 'Привет'; } } \
         location /bytes/ { source_charset koi8-r; charset windows-1251; default_type text/plain; \
         location /bytes/a { return 200 'Hello!'; } location /bytes/b { return 403; } } \
         location /lists/ { autoindex on; alias %root%/; source_charset utf-8; charset koi8-r; \
         location /lists/xml/ { alias %root%/; autoindex_format xml; override_charset on; charset koi8-r; } } }"
            .to_owned(),
    ]
    .concat();
    let mut probes = Vec::new();
    for place in ["koi-utf", "utf-koi", "koi-win", "win-koi", "win-utf", "utf-win", "utf-none", "swap"] {
        for file in FILES {
            let fits = match place {
                // nginx leaves bytes that become `?` as they are, up to the first character that takes more bytes.
                "koi-utf" => !matches!(*file, "win.html" | "utf.txt" | "utf.html" | "many.txt" | "far.txt"),
                "win-utf" => !matches!(*file, "koi.txt" | "koi.html" | "utf.txt" | "utf.html" | "many.txt" | "far.txt"),
                _ => true,
            };
            if fits {
                probes.push(get(&format!("/{place}/{file}")).into());
            }
        }
    }
    for file in ["koi.txt", "koi-far.txt", "koi.html"] {
        probes.push(get(&format!("/koi-utf/{file}?far")).into());
    }
    let every = |file: &str, ask: &dyn Fn(&str) -> Request| -> Vec<Probe> {
        probes![
            ask(file).method("HEAD"),
            ask(file).http10(),
            ask(file).http10().with("Connection", "keep-alive"),
            ask(file).method("HEAD").http10(),
            ask(file).range("bytes=2-9"),
            ask(file).range("bytes=-5"),
            ask(file).range("bytes=0-3,7-9"),
            ask(file).range("bytes=9999999-"),
            ask(file).with("If-Modified-Since", super::MODIFIED_TEXT),
            ask(file).with("If-None-Match", "*"),
            ask(file).range("bytes=0-3").with("If-Range", super::MODIFIED_TEXT),
        ]
    };
    for file in ["/koi-utf/koi.html", "/utf-koi/utf.txt", "/koi-win/koi.txt", "/koi-win/koi.html", "/swap/ascii.txt"] {
        probes.extend(every(file, &get));
    }
    for text in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        let ask = get(&format!("/texts/{text}"));
        probes.extend(probes![ask.clone(), ask.clone().http10(), ask.method("HEAD")]);
    }
    for c in ["utf-8", "UTF-8", "koi8-r", "windows-1251", "x-none", "unknown", "off", "", "utf-8%20"] {
        probes.push(get(&format!("/named/koi.txt?c={c}")).into());
        probes.push(get(&format!("/source/koi.txt?s={c}")).into());
    }
    let pipelined = |path: &str| get(path).bytes();
    let several = ["/koi-utf/koi.txt", "/utf-koi/utf.html", "/koi-win/koi.txt", "/texts/a"].map(pipelined).concat();
    probes.extend(probes![
        get("/utf-koi/broken.txt"),
        get("/utf-none/broken.txt"),
        get("/types/koi.txt"),
        get("/types/koi.html"),
        get("/plain/koi.txt"),
        get("/pages/missing"),
        get("/koi-pages/404.html"),
        get("/if/koi.txt"),
        get("/if/koi.txt?c=1"),
        get("/no-etag/koi.txt"),
        get("/bytes/a"),
        get("/bytes/b"),
        get("/lists/names/").http10(),
        get("/lists/xml/names/").http10(),
        request("POST", "/koi-utf/koi.txt").body("x"),
        Probe::raw_many("several at once", several, 4),
    ]);
    Site::new("charset_maps", &http, probes)
}

/// Charsets beside gzip: made behind the table, undone before it, or there already.
pub fn charset_codings() -> Site {
    let server = |name: &str, inside: &str| {
        format!("server {{ listen 127.0.0.1:%port%; server_name {name}; root %root%/charsets; {inside} }}\n")
    };
    let http = [
        TABLES.to_owned(),
        "map $arg_c $named { default $arg_c; ~^$ koi8-r; } gzip_vary on; %uncached%\n".to_owned(),
        "source_charset koi8-r; charset utf-8;\n".to_owned(),
        server("gzip", "gzip on; gzip_types text/plain;"),
        server("bytes", "gzip on; charset windows-1251; gzip_min_length 30; gzip_types text/plain;"),
        server(
            "back",
            "gzip on; source_charset utf-8; charset koi8-r; gzip_min_length 30; gzip_types text/plain; \
            location /text { default_type text/plain; return 200 'Привет, жé€'; }",
        ),
        server("static", "gzip_static on;"),
        server("always", "gzip_static always;"),
        server("gunzip", "gzip_static always; gunzip on;"),
        server("undone", "gzip_static always; gunzip on; gzip on; charset windows-1251;"),
        server("same", "gzip_static always; gunzip on; charset koi8-r;"),
        server("unknown", "gzip_static always; charset $named;"),
    ]
    .concat();
    let mut probes = Vec::new();
    for host in ["gzip", "bytes", "back", "static", "always", "gunzip", "undone", "same", "unknown"] {
        let files: &[&str] = match host {
            "back" => {
                &["/utf.txt", "/utf.html", "/many.txt", "/far.txt", "/ascii.txt", "/empty.html", "/missing", "/text"]
            }
            "gzip" | "bytes" => &["/koi.txt", "/koi.html", "/ascii.txt", "/empty.html", "/missing"],
            _ => &["/real.html", "/missing"],
        };
        for file in files {
            for accept in ["gzip", "identity"] {
                let ask = || get(file).host(host).with("Accept-Encoding", accept);
                probes.extend(probes![ask(), ask().method("HEAD"), ask().http10(), ask().range("bytes=0-3"),]);
            }
        }
    }
    for host in ["static", "always"] {
        let ask = get("/real.html").host(host).with("Accept-Encoding", "gzip");
        probes.push(ask.with("If-None-Match", "*").into());
    }
    for c in ["koi8-r", "utf-8", "unknown"] {
        probes.push(get(&format!("/real.html?c={c}")).host("unknown").into());
    }
    Site::new("charset_codings", &http, probes)
}
