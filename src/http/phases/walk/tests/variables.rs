//! Tests of variables, and of what they may not do to a head.

use super::*;

#[test]
fn variables_reach_redirects_and_added_fields_without_breaking_lines() {
    let conf =
        "server { listen 80; server_name ~^(?<sub>\\w+)\\.test$; location ~ ^/(r)/ { return 302 /$1$uri$is_args$args; }
        location /h { add_header X-Sub \"$sub $arg_a\" always; return 404; } }";
    let driver = Driver::new(conf, &[]);
    let reply = driver.get("/r/x%0d%0aEvil:1?b=2");
    assert_eq!(reply.field("Location"), Some("http://a.test/r/r/x  Evil:1?b=2"));
    assert_eq!(driver.get("/h?a=1").field("X-Sub"), Some("a 1"));
}

#[test]
fn a_redirect_to_an_ipv6_address_has_brackets() {
    let mut driver = Driver::new("server { listen [::1]:8080; return 301 /x; }", &[]);
    driver.conn.local = Some(Box::new(Addr::from("[::1]:8080".parse::<SocketAddr>().unwrap())));
    let location = |request: &str| driver.ask(request).field("Location").map(str::to_owned);
    assert_eq!(location("GET / HTTP/1.0\r\n\r\n").as_deref(), Some("http://[::1]:8080/x"));
    assert_eq!(location("GET / HTTP/1.1\r\nHost: [::2]\r\n\r\n").as_deref(), Some("http://[::2]:8080/x"));
}

#[test]
fn variables_hold_all_lines_of_a_field() {
    let conf = "server { listen 80; root /www; expires 1h; add_header Cache-Control private;
        location /request { return 200 \"$content_type|$http_content_type|$http_x\"; }
        location /sent { add_header X-A a; add_header X-A $arg_b;
            add_header X-Seen \"$sent_http_x_a|$sent_http_cache_control\";
            add_header X-Last \"$sent_http_x_seen|$sent_http_content_type|$sent_http_none\"; } }";
    let driver = Driver::new(conf, &[("/www/sent", FILE)]);
    let reply = driver
        .ask("GET /request HTTP/1.1\r\nHost: a\r\nContent-Type: a\r\nX: 1\r\ncontent-type: b\r\nX: 2\r\nX:\r\n\r\n");
    assert_eq!(reply.text, "a, b|a, b|1, 2, ");
    let reply = driver.get("/sent?b=b");
    assert_eq!(reply.field("X-Seen"), Some("a, b|max-age=3600"));
    assert_eq!(reply.field("X-Last"), Some("a, b|max-age=3600|text/plain|"));
    assert_eq!(driver.get("/sent").field("X-Seen"), Some("a|max-age=3600"), "a line that is not sent");
}

#[test]
fn a_target_that_is_refused_leaves_no_uri() {
    let conf = "server { listen 80; error_page 400 =200 @page; location @page { return 200 [$uri|$args]; } }";
    let driver = Driver::new(conf, &[]);
    for target in ["/a/../../b?q", "/a/b%zz?q", "//a//..//../b?q", "/a%00"] {
        assert_eq!(driver.get(target).text, "[|]", "{target}");
    }
}

#[test]
fn an_unknown_variable_is_an_error_with_a_suggestion() {
    let registry = Registry::new(crate::http::DIRECTIVES);
    let conf = conf::parse(&registry, "http { server { return 200 $remote_adr; } }").unwrap();
    let error = HttpConf::new(&conf).unwrap_err();
    assert_eq!(error.message(), "unknown \"remote_adr\" variable");
    assert_eq!(error.help_text(), Some("did you mean \"$remote_addr\"?"));
}

/// nginx up to 1.29.5 splits at commas as well.
#[test]
fn cookies_are_told_apart_by_semicolons_alone() {
    let driver = Driver::new("server { listen 80; return 200 '$cookie_a|$cookie_b'; }", &[]);
    for (lines, text) in [
        ("Cookie: a=1, b=2; b=3", "1, b=2|3"),
        ("Cookie: x=1, a=2; b=\"4;a=5", "5|\"4"),
        ("Cookie: A=1;;  b = 2; B=3", "1|2"),
        ("Cookie: a=1\nCookie: a=2; b=3", "1|3"),
        ("Cookie: aa=1; a", "|"),
    ] {
        let reply = driver.ask(&format!("GET / HTTP/1.1\nHost: a\n{lines}\n\n"));
        assert_eq!(reply.text, text, "{lines}");
    }
}
