//! `limit_req`, `limit_conn` and `limit_rate`. The rates are a request a minute, so that the clock has no part in it;
//! each probe has a client (`?k=`) of its own.

use crate::probe::{Probe, Site, Step, get};
use crate::probes;

/// A request that is sent several times, before the first answer is read.
fn times(target: &str, count: usize) -> Probe {
    let probe = Probe::raw_many("", get(target).bytes().repeat(count), count);
    Probe { name: format!("{count} times {target}"), ..probe }
}

/// Requests one behind the other.
fn each(name: &str, targets: &[&str]) -> Probe {
    let steps = targets.iter().flat_map(|target| [Step::Send(get(target).bytes()), Step::Read { to_head: false }]);
    Probe { name: name.to_owned(), steps: steps.collect() }
}

pub fn request_limits() -> Site {
    let http = "limit_req_zone $arg_k zone=a:32k rate=1r/m; limit_req_zone $arg_j zone=b:32k rate=1r/m; \
        limit_req_zone $arg_k$arg_j zone=both:32k rate=60r/m; limit_req_zone $arg_k zone=unused:1m rate=7; \
        limit_req_zone $arg_s zone=slow:32k rate=2r/s; limit_req_zone $arg_k zone=fast:32k rate=1000000r/s; \
        add_header X-Limit '$limit_req_status' always; \
        server { listen 127.0.0.1:%port%; root %root%; error_page 418 /50x.html; \
        location /plain { limit_req zone=a; try_files /page.html =404; } \
        location /burst { limit_req zone=a burst=2 nodelay; try_files /page.html =404; } \
        location /more { limit_req zone=a burst=5 nodelay; try_files /page.html =404; } \
        location /delay { limit_req zone=slow burst=1; try_files /page.html =404; } \
        location /partly { limit_req zone=slow burst=4 delay=3; try_files /page.html =404; } \
        location /two { limit_req zone=a burst=1 nodelay; limit_req zone=b burst=3 nodelay; \
            try_files /page.html =404; } \
        location /other { limit_req zone=b burst=3 nodelay; limit_req zone=a burst=1 nodelay; \
            try_files /page.html =404; } \
        location /both { limit_req zone=both burst=1 nodelay; try_files /page.html =404; } \
        location /fast { limit_req zone=fast; try_files /page.html =404; } \
        location /dry { limit_req zone=a; limit_req_dry_run on; try_files /page.html =404; } \
        location /dry-delay { limit_req zone=a burst=1; limit_req_dry_run on; try_files /page.html =404; } \
        location /status { limit_req zone=a; limit_req_status 429; try_files /page.html =404; } \
        location /teapot { limit_req zone=a; limit_req_status 418; try_files /page.html =404; } \
        location /page { limit_req zone=a; error_page 503 /50x.html; try_files /page.html =404; } \
        location /busy { limit_req zone=a; error_page 503 = @busy; try_files /page.html =404; } \
        location @busy { limit_req zone=a; return 200 'busy $limit_req_status'; } \
        location /away { limit_req zone=a; error_page 503 =302 http://other/; try_files /page.html =404; } \
        location /denied { limit_req zone=a; deny all; } \
        location /returned { limit_req zone=a; return 200 'x$limit_req_status'; } \
        location /dir/ { limit_req zone=a; } \
        location /if { limit_req zone=a; if ($arg_x) { add_header X-If yes; } try_files /page.html =404; } \
        location /rewritten { limit_req zone=a; rewrite ^ /burst last; } \
        location /missing { limit_req zone=a; error_page 404 /plain; } \
        } \
        server { listen 127.0.0.1:%port%; server_name outer; root %root%; limit_req zone=a; limit_req_status 444; \
        limit_req_log_level info; location / { } \
        location /inner { limit_req zone=b burst=1 nodelay; limit_req_status 500; try_files /page.html =404; } }";
    let long = "k".repeat(3000);
    let outer = |target: &str, count: usize, name: &str| {
        let bytes = get(target).host("outer").bytes().repeat(count);
        Probe { name: name.to_owned(), ..Probe::raw_many("", bytes, count) }
    };
    let probes = probes![
        times("/plain?k=1", 3),
        times("/plain?k=", 3),
        times("/plain", 3),
        each("clients have a count each", &["/plain?k=2a", "/plain?k=2b", "/plain?k=2a", "/plain?k=2b"]),
        each("a zone is shared by locations", &["/plain?k=3", "/burst?k=3", "/burst?k=3", "/burst?k=3", "/plain?k=3"]),
        each("what is refused is not counted", &["/more?k=4", "/more?k=4", "/plain?k=4", "/plain?k=4", "/burst?k=4"]),
        times("/burst?k=5", 4),
        times("/burst?k=6", 1),
        times("/more?k=7", 8),
        times("/two?k=8&j=8", 4),
        times("/two?k=9", 3),
        times("/two?j=10", 6),
        times("/other?k=11&j=11", 4),
        times("/other?k=12", 4),
        times("/other?j=13", 6),
        each(
            "the second limit refuses",
            &[
                "/two?k=14&j=14",
                "/two?k=14b&j=14",
                "/two?k=14c&j=14",
                "/two?k=14d&j=14",
                "/two?k=14e&j=14",
                "/plain?k=14e"
            ]
        ),
        times("/both?k=15&j=15", 3),
        times("/fast?k=16", 5),
        times("/delay?s=17", 2),
        times("/delay?s=17b", 3),
        times("/partly?s=18", 4),
        times("/dry?k=19", 3),
        times("/dry-delay?k=20", 4),
        times("/status?k=21", 2),
        times("/teapot?k=22", 2),
        times("/page?k=23", 2),
        times("/busy?k=24", 3),
        times("/away?k=25", 2),
        times("/denied?k=26", 2),
        times("/returned?k=27", 3),
        times("/dir/?k=28", 2),
        times("/dir/page.html?k=29", 2),
        times("/if?x=1&k=30", 2),
        times("/rewritten?k=31", 4),
        times("/missing?k=32", 2),
        Probe { name: "a key of 3000 bytes".into(), ..times(&format!("/plain?k={long}"), 2) },
        Probe { name: "another of 3000 bytes".into(), ..times(&format!("/plain?k={long}2"), 2) },
        get("/plain?k=35").method("HEAD"),
        get("/plain?k=35"),
        get("/plain?k=36").method("POST").body("abc"),
        get("/plain?k=36").method("POST").body("abcd"),
        get("/plain?k=37").http10(),
        get("/plain?k=37").http10().with("Connection", "keep-alive"),
        get("/burst?k=38").range("bytes=0-1"),
        get("/burst?k=38").with("If-None-Match", "*"),
        get("/burst?k=38&again"),
        get("/burst?k=38&once-more"),
        outer("/page.html?k=40", 1, "outer, first"),
        outer("/page.html?k=40", 1, "outer, refused with 444"),
        outer("/inner?k=41&j=41", 3, "inner limits replace outer ones"),
        outer("/none?k=42", 1, "outer, missing"),
        outer("/none?k=42&x", 1, "outer, missing and refused"),
    ];
    Site::new("request_limits", http, probes)
}

pub fn connection_limits() -> Site {
    let http = "limit_conn_zone $arg_k zone=a:32k; limit_conn_zone $arg_j zone=b:32k; \
        limit_conn_zone $arg_k$arg_j zone=unused:1m; \
        add_header X-Limit '$limit_conn_status' always; \
        server { listen 127.0.0.1:%port%; root %root%; limit_conn a 1; \
        location / { } \
        location /two { limit_conn a 1; limit_conn b 2; limit_conn_status 429; try_files /page.html =404; } \
        location /dry { limit_conn a 1; limit_conn_dry_run on; try_files /page.html =404; } \
        location /none { limit_conn b 65535; try_files /page.html =404; } \
        location /returned { return 200 'x$limit_conn_status'; } \
        location /moved { error_page 404 /two; } \
        location /denied { deny all; } }";
    let long = |len: usize, name: &str| Probe { name: name.into(), ..times(&format!("/?k={}", "k".repeat(len)), 2) };
    let probes = probes![
        times("/?k=1", 5),
        times("/", 2),
        times("/two?k=2&j=2", 4),
        times("/two?j=3", 4),
        times("/dry?k=4", 3),
        times("/none?j=5", 3),
        times("/none?k=6", 2),
        times("/returned?k=7", 2),
        times("/moved?k=8&j=8", 2),
        times("/denied?k=9", 2),
        times("/dir/?k=10", 2),
        long(255, "a key of 255 bytes"),
        long(256, "a key of 256 bytes is not counted"),
        get("/?k=11").method("HEAD"),
        get("/?k=11").method("POST").body("abc"),
        get("/?k=11").http10(),
        get("/?k=11").range("bytes=0-1"),
    ];
    Site::new("connection_limits", http, probes)
}

pub fn rates() -> Site {
    let http = "add_header X-Rate '$limit_rate'; server { listen 127.0.0.1:%port%; root %root%; limit_rate_after 200; \
        location / { limit_rate 1m; } \
        location /slow { limit_rate 300; limit_rate_after 350; try_files /digits.txt =404; } \
        location /asked { limit_rate $arg_rate; limit_rate_after $arg_after; try_files /digits.txt =404; } \
        location /set { set $limit_rate 500k; try_files /digits.txt =404; } \
        location /set-asked { limit_rate 1m; set $limit_rate $arg_rate; try_files /digits.txt =404; } \
        location /zero { limit_rate 1; set $limit_rate 0; try_files /digits.txt =404; } \
        location /returned { set $limit_rate 4k; return 200 'rate $limit_rate'; } \
        location /if { limit_rate 1; if ($arg_x) { limit_rate 0; } try_files /digits.txt =404; } \
        location /if-set { if ($arg_x) { set $limit_rate 2m; } try_files /digits.txt =404; } \
        location /missing { limit_rate 10k; } \
        location /buffered { sendfile off; limit_rate 2m; try_files /large.bin =404; } \
        location /large { limit_rate 2m; limit_rate_after 10k; try_files /large.bin =404; } }";
    let probes = probes![
        get("/"),
        get("/digits.txt"),
        get("/digits.txt").range("bytes=3-7"),
        get("/digits.txt").range("bytes=3-7,9-12"),
        get("/digits.txt").http10(),
        get("/digits.txt").method("HEAD"),
        times("/digits.txt", 3),
        times("/slow", 2),
        get("/asked?rate=10k"),
        get("/asked?rate=10k&after=1"),
        get("/asked"),
        get("/asked?rate=x"),
        get("/asked?rate=-1"),
        get("/asked?rate=1m&after=y"),
        get("/set"),
        times("/set", 2),
        get("/set-asked?rate=5m"),
        get("/set-asked?rate=5q"),
        get("/set-asked"),
        get("/zero"),
        get("/returned"),
        get("/if?x=1"),
        get("/if-set?x=1"),
        get("/if-set"),
        get("/missing"),
        get("/missing").http10(),
        get("/buffered"),
        get("/large"),
        get("/large").range("bytes=100-99999"),
        times("/large", 2),
        get("/dir"),
    ];
    Site::new("rates", http, probes)
}
