//! Directories without an index: listed in four forms, or one of their files drawn; and a pixel.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::set_modified;
use crate::probe::{Site, get, head, request};
use crate::probes;

/// A directory of names that are hard to write, and one of directories only.
pub(super) fn add(root: &Path) {
    let dir = root.join("names");
    fs::create_dir_all(dir.join("sub dir")).expect("mkdir");
    for (letter, len) in [("x", 50), ("y", 49), ("z", 48), ("w", 60)] {
        fs::create_dir(dir.join(letter.repeat(len))).expect("mkdir");
    }
    for name in ["one", "two & three", "q\"uote"] {
        fs::create_dir_all(root.join("dirs").join(name)).expect("mkdir");
    }
    fs::create_dir(root.join("nothing")).expect("mkdir");
    fs::create_dir(root.join("d & <e> é")).expect("mkdir");
    File::create(root.join("d & <e> é/f")).expect("create");
    let plain = ["a", "B", "b b", "c<&\">'", "d?e#f%", "é", "colon:", "~t", ".hidden", "back\\slash", "{}|^`"];
    let control = ["tab\t", "line\nfeed", "bell\x07", "esc\x1b\x1f", "\x08\x0c\r", "del\x7f"];
    let long = [47, 48, 49, 50, 51, 60].map(|n| "n".repeat(n));
    let strange = [45, 47, 50, 51, 96, 100, 102].map(|n| format!("{}<>", "é".repeat(n / 2)));
    let mixed = ["\u{1f600}".repeat(50), "\u{1f600}".repeat(51), "&".repeat(60)];
    let texts = plain.iter().chain(&control).map(|name| name.to_string()).chain(long).chain(strange).chain(mixed);
    let bytes = [b"latin\xe9".to_vec(), b"half\xd0".to_vec(), [&b"\xe9"[..], &[b'l'; 60]].concat()];
    let names = texts.map(String::into_bytes).chain(bytes);
    let sizes = [
        0,
        1,
        9_999,
        10_000,
        10_239,
        10_240,
        10_751,
        10_752,
        1_048_063,
        1_048_064,
        1_048_575,
        1_048_576,
        1_572_863,
        1_572_864,
        1_073_741_823,
        1_073_741_824,
        1_610_612_736,
        99_999_999_999,
    ];
    for (n, name) in names.enumerate() {
        let path = dir.join(OsStr::from_bytes(&name));
        File::create(&path).and_then(|file| file.set_len(sizes[n % sizes.len()])).expect("a file");
        set_modified(&path, 90_000_000 * n as u64);
    }
    symlink("a", dir.join("link")).expect("symlink");
    symlink("sub dir", dir.join("linkdir")).expect("symlink");
    symlink("no/such", dir.join("dangling")).expect("symlink");
    symlink("circle", dir.join("circle")).expect("symlink");
}

pub fn listings() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; autoindex on; \
        location /json/ { alias %root%/; autoindex_format json; autoindex_exact_size off; } \
        location /xml/ { alias %root%/; autoindex_format xml; autoindex_localtime on; } \
        location /jsonp/ { alias %root%/; autoindex_format jsonp; location /jsonp/html/ { alias %root%/; \
        autoindex_format html; } } \
        location /round/ { alias %root%/; autoindex_exact_size off; autoindex_localtime on; } \
        location /off/ { alias %root%/; autoindex off; } \
        location /error/ { alias %root%/; error_page 403 = /json/names/; } \
        location /aged/ { alias %root%/; expires 1h; add_header X-Type $sent_http_content_type; } }";
    let mut probes = Vec::new();
    for place in ["", "/json", "/xml", "/jsonp", "/jsonp/html", "/round", "/off", "/aged"] {
        for path in ["/names/", "/dirs/", "/nothing/", "/d%20&%20%3Ce%3E%20%C3%A9/", "/missing/", "/names/a/", "/"] {
            probes.push(get(&format!("{place}{path}")).http10().into());
        }
    }
    let jsonp = |callback: &str| get(&format!("/jsonp/dirs/?{callback}")).http10();
    probes.extend(probes![
        get("/names").http10(),
        get("/json/names").http10(),
        get("/names/sub%20dir/").http10(),
        get("/names/linkdir/").http10(),
        get("/names/?C=N;O=D").http10(),
        head("/names/").http10(),
        head("/json/dirs/").http10(),
        head("/xml/dirs/").http10(),
        head("/jsonp/dirs/?callback=f").http10(),
        head("/jsonp/dirs/?callback=f%28").http10(),
        head("/json/missing/").http10(),
        request("POST", "/json/dirs/").http10().body("x"),
        request("POST", "/jsonp/dirs/?callback=-").http10().body("x"),
        request("PUT", "/dirs/").http10().body("x"),
        get("/error/dirs/").http10(),
        get("/json/dirs/").http10().range("bytes=0-3"),
        get("/json/dirs/").http10().with("If-Modified-Since", super::MODIFIED_TEXT),
        get("/json/dirs/").http10().with("If-None-Match", "*"),
        jsonp("callback=f"),
        jsonp("callback=a.b_C9"),
        jsonp("callback="),
        jsonp("callback"),
        jsonp("CallBack=up"),
        jsonp("x=1&callback=second&callback=third"),
        jsonp("xcallback=no"),
        jsonp("callback=f()"),
        jsonp("callback=f%2E"),
        jsonp("callback=a-b"),
        jsonp("callback=9"),
        jsonp(&format!("callback={}", "f".repeat(128))).named("a name of 128"),
        jsonp(&format!("callback={}", "f".repeat(129))).named("a name of 129"),
    ]);
    Site::new("listings", http, probes).measured()
}

pub fn random() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; \
        location /bare/ { random_index on; } location /dirs/ { random_index on; } \
        location /one/ { alias %root%/bare/; random_index on; location /one/off/ { alias %root%/dir/; \
        random_index off; } location /one/in/ { alias %root%/bare/; } } \
        location /listed/ { alias %root%/dirs/; random_index on; autoindex on; } \
        location /missing/ { random_index on; } \
        location /sub/ { alias %root%/dir/sub/; random_index on; index nothing.html; } }";
    let probes = probes![
        get("/bare/"),
        get("/bare/?a=b"),
        get("/bare"),
        get("/bare/file.txt"),
        get("/bare/file.txt/"),
        get("/bare/missing/"),
        head("/bare/"),
        get("/bare/").range("bytes=0-1"),
        request("POST", "/bare/").body("x"),
        request("PUT", "/bare/").body("x"),
        request("DELETE", "/bare/"),
        get("/dirs/"),
        get("/dirs/one/"),
        get("/one/"),
        get("/one/off/"),
        get("/one/in/"),
        get("/missing/"),
        get("/sub/"),
    ];
    Site::new("random", http, probes)
}

pub fn pixels() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; \
        location = /p.gif { empty_gif; } \
        location /deep/ { empty_gif; location /deep/er/ { alias %root%/dir/; } \
        if ($arg_x) { add_header X-If $arg_x; } } \
        location /aged/ { empty_gif; expires modified +1h; } \
        location /lost/ { error_page 404 = /p.gif; } location /lost200/ { error_page 404 =200 /p.gif; } \
        location /lost404/ { error_page 404 /p.gif; } \
        location /log/ { empty_gif; if_modified_since before; etag off; } }";
    let since = |date: &str| get("/p.gif").with("If-Modified-Since", date);
    let probes = probes![
        get("/p.gif"),
        get("/p.gif?x=1"),
        get("/p.gif").http10(),
        head("/p.gif"),
        request("POST", "/p.gif").body("x"),
        request("PUT", "/p.gif").body("x"),
        get("/p.gif").range("bytes=0-3"),
        since("Mon, 28 Sep 1970 06:00:00 GMT"),
        since("Mon, 28 Sep 1970 06:00:01 GMT"),
        get("/log/").with("If-Modified-Since", "Mon, 28 Sep 1970 06:00:01 GMT"),
        get("/log/").with("If-Modified-Since", "Mon, 28 Sep 1970 05:59:59 GMT"),
        get("/p.gif").with("If-Unmodified-Since", "Mon, 28 Sep 1970 06:00:00 GMT"),
        get("/p.gif").with("If-None-Match", "\"x\""),
        get("/p.gif").with("If-None-Match", "*"),
        get("/deep/any/thing/"),
        get("/deep/any?x=yes"),
        get("/deep/er/page.html"),
        get("/aged/"),
        get("/lost/x"),
        get("/lost200/x"),
        get("/lost404/x"),
        head("/lost404/x"),
    ];
    Site::new("pixels", http, probes)
}
