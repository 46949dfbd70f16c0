//! Tests of conditions and ranges, for files and for texts.

use super::*;

#[test]
fn preconditions_and_ranges_choose_the_answer() {
    let driver = Driver::new("server { listen 80; root /www; }", &[("/www/a", FILE)]);
    let with = |field: &str| driver.ask(&format!("GET /a HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"));
    assert_eq!(with("If-None-Match: \"6553f100-a\"").status(), "304");
    assert_eq!(with("If-None-Match: \"x\"\r\nIf-None-Match: \"6553f100-a\"").status(), "304");
    assert_eq!(with("If-Match: \"x\"").status(), "412");
    assert_eq!(with("If-Match: \"x\"\r\nIf-Match: \"6553f100-a\"").status(), "200");
    assert_eq!(with("Range: bytes=2-3").body, Body::File { start: 2, end: 4 });
    assert_eq!(with("Range: bytes=20-").field("Content-Range"), Some("bytes */10"));
    let reply = with("Range: bytes=0-1,4-5");
    let Body::Parts { parts, close } = reply.body else { panic!("{reply:?}") };
    let length: u64 = parts.iter().map(|part| part.head.len() as u64 + part.end - part.start).sum::<u64>();
    let head = &reply.head;
    let said = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    assert_eq!(said, (length + close.len() as u64).to_string());
}

/// A client knows the validators that were sent, not those of the file.
#[test]
fn conditions_and_ranges_go_by_the_validators_that_are_sent() {
    let time = "Mon, 07 Nov 1994 08:49:37 GMT";
    let conf = format!(
        "server {{ listen 80; root /www; location /own {{ }}
        location /said {{ add_header ETag '\"v1\"'; add_header Last-Modified '{time}'; }}
        location /two {{ add_header ETag '\"v0\"'; add_header ETag '\"v1\"'; add_header Last-Modified x;
            add_header Last-Modified '{time}'; }}
        location /off {{ etag off; add_header ETag '\"v1\"'; add_header Last-Modified '{time}' always; }}
        location /none {{ add_header ETag ''; add_header Last-Modified ''; }}
        location /gone {{ add_header ETag '\"v1\"'; add_header ETag $arg_e; add_header Last-Modified '{time}';
            add_header Last-Modified x; }} }}"
    );
    let targets = ["/own", "/said", "/two", "/off", "/none", "/gone"];
    let paths = ["/www/own", "/www/said", "/www/two", "/www/off", "/www/none", "/www/gone"];
    let driver = Driver::new(&conf, &paths.map(|path| (path, FILE)));
    let (own_tag, own_time) = ("\"6553f100-a\"", "Tue, 14 Nov 2023 22:13:20 GMT");
    let status = |target: &str, fields: &str| {
        let reply = driver.ask(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
        reply.status().to_owned()
    };
    for target in targets {
        let (tag, date) = match target {
            "/own" => (Some(own_tag), Some(own_time)),
            "/none" | "/gone" => (None, None),
            _ => (Some("\"v1\""), Some(time)),
        };
        let sent = driver.get(target);
        let lines = |name: &str| sent.head.lines().filter(|line| line.starts_with(name)).count();
        let sent_time = if target == "/gone" { Some("x") } else { date };
        assert_eq!((sent.field("ETag"), sent.field("Last-Modified")), (tag, sent_time), "{target}");
        assert_eq!((lines("ETag"), lines("Last-Modified")), (tag.iter().count(), sent_time.iter().count()), "{target}");
        for other in [own_tag, "\"v0\"", "\"v1\""] {
            let same = tag == Some(other);
            let part = status(target, &format!("Range: bytes=0-1\r\nIf-Range: {other}"));
            assert_eq!(part == "206", same, "{target} If-Range: {other}");
            assert_eq!(status(target, &format!("If-None-Match: {other}")) == "304", same, "{target} {other}");
            assert_eq!(status(target, &format!("If-Match: {other}")) == "200", same, "{target} {other}");
        }
        for other in [own_time, time] {
            let same = date == Some(other);
            let part = status(target, &format!("Range: bytes=0-1\r\nIf-Range: {other}"));
            assert_eq!(part == "206", same, "{target} If-Range: {other}");
            assert_eq!(status(target, &format!("If-Modified-Since: {other}")) == "304", same, "{target} {other}");
        }
        let unmodified = status(target, &format!("If-Unmodified-Since: {time}"));
        assert_eq!(unmodified, if date == Some(own_time) { "412" } else { "200" }, "{target}");
    }
}

/// Without `always` add_header says nothing with most errors, and so takes nothing away from them.
#[test]
fn what_add_header_does_not_say_it_does_not_replace() {
    let conf =
        "server { listen 80; root /www; error_page 404 /404.html; add_header ETag '\"v1\"'; add_header Allow GET;
        location /always { error_page 404 /always.html; } location /always.html { add_header ETag '\"v1\"' always; } }";
    let driver = Driver::new(conf, &[("/www/404.html", FILE), ("/www/always.html", FILE)]);
    assert_eq!(driver.get("/none").field("ETag"), Some("\"6553f100-a\""));
    assert_eq!(driver.get("/always/none").field("ETag"), Some("\"v1\""));
    let refused = driver.ask("PUT /404.html HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((refused.status(), refused.field("Allow")), ("405", Some("GET, HEAD")));
}

/// A text made here has no validators of its own; the pages about the service are such texts.
#[test]
fn conditions_count_for_texts() {
    let conf = "server { listen 80; location /text { return 200 text; } location /stub { stub_status; }
        location /tagged { add_header ETag '\"v1\"'; return 200 text; } location /created { return 201 text; } }";
    let driver = Driver::new(conf, &[]);
    let ledger = crate::shm::Ledger::create().unwrap();
    let status = |method: &str, target: &str, field: &str| {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
        let cx = Cx { ledger: Some(&ledger), ..driver.cx(request.as_bytes()) };
        let (mut ex, mut out) = (Exchange::default(), Vec::new());
        assert!(matches!(ex.request(&cx, &mut out), Action::Send(Body::None)));
        ex.status()
    };
    for target in ["/text", "/stub"] {
        for (field, expected) in [
            ("If-None-Match: *", 304),
            ("If-None-Match: \"x\"", 200),
            ("If-Match: *", 200),
            ("If-Match: \"x\"", 412),
            ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 200),
            // RFC 9110, 13.1.4: without a date of its own the answer can't be compared with one.
            ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 200),
        ] {
            assert_eq!(status("GET", target, field), expected, "{target} {field}");
            assert_eq!(status("HEAD", target, field), expected, "HEAD {target} {field}");
        }
    }
    assert_eq!(status("POST", "/text", "If-None-Match: *"), 412);
    assert_eq!(status("GET", "/tagged", "If-None-Match: \"v1\""), 304);
    assert_eq!(status("GET", "/tagged", "If-Match: \"v1\""), 200);
    assert_eq!(status("GET", "/created", "If-None-Match: *"), 201);
}

/// nginx clears the head before it makes a 412 (ngx_http_clean_header).
#[test]
fn a_page_in_the_place_of_a_redirect_leaves_no_location_when_its_condition_fails() {
    let conf = "server { listen 80; root /www; error_page 301 =200 /a; location /old { return 301 /new; } }";
    let driver = Driver::new(conf, &[("/www/a", FILE)]);
    let with = |field: &str| driver.ask(&format!("GET /old HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"));
    let page = with("X: y");
    assert_eq!((page.status(), page.field("Location")), ("200", Some("http://a/new")));
    let failed = with("If-Match: \"x\"");
    assert_eq!((failed.status(), failed.field("Location")), ("412", None));
}
