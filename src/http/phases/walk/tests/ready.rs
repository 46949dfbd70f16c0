use super::*;

/// A driver whose server has one file.
fn driver(conf: &str) -> Driver {
    Driver::new(&format!("server {{ listen 80; root /www; {conf} }}"), &[("/www/a.html", FILE)])
}

fn is_kept(driver: &Driver) -> bool {
    driver.files["/www/a.html"].ready(true).get().is_some()
}

#[test]
fn a_head_is_kept_where_nothing_changes_it() {
    for conf in ["", "add_header X y; expires max;", "charset utf-8;", "etag off; server_tokens off;", "gunzip on;"] {
        let driver = driver(conf);
        let first = driver.get("/a.html").head;
        assert!(is_kept(&driver), "{conf}");
        assert_eq!(driver.get("/a.html").head, first, "{conf}");
    }
    for conf in [
        "add_header X $uri;",
        "expires 1h;",
        "userid on;",
        "gzip on;",
        "etag content;",
        "charset $arg_charset;",
        "source_charset utf-8;",
        "add_trailer X y;",
        "cors on;",
        "location / { } location /b { add_header X $sent_http_etag; }",
    ] {
        let driver = driver(conf);
        driver.get("/a.html");
        assert!(!is_kept(&driver), "{conf}");
    }
}

#[test]
fn a_head_that_is_kept_is_for_its_uri_location_and_fate_alone() {
    let mut driver = driver("location = /x.css { alias /www/a.html; } location /deep/ { alias /www/; etag off; }");
    let first = driver.get("/a.html").head;
    assert!(first.contains("text/html") && first.contains("ETag"));
    assert!(!driver.get("/x.css").head.contains("text/html"));
    assert!(!driver.get("/deep/a.html").head.contains("ETag"));
    let close = "GET /a.html HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(driver.ask(close).head, first.replace("keep-alive", "close"));
    assert_eq!(driver.ask(close).head, first.replace("keep-alive", "close"));
    driver.clock.set(2_000, 1_700_000_001_000);
    assert_eq!(driver.get("/a.html").head, first.replacen("22:13:20", "22:13:21", 1), "its Date is the time");
    let part = driver.ask("GET /a.html HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2\r\n\r\n");
    assert_eq!((part.status(), part.field("Content-Length")), ("206", Some("2")));
}

#[test]
fn a_time_that_has_not_come_is_said_anew() {
    let mut driver = driver("");
    driver.clock.set(1_000, 1_600_000_000_000);
    let reply = driver.get("/a.html");
    assert_eq!(reply.field("Last-Modified"), reply.field("Date"));
    assert!(!is_kept(&driver));
}
