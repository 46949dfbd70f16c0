use super::*;

/// The statuses are those of Debian's nginx 1.22.1, which has the directive, with 431 for its 400.
#[test]
fn header_lines_are_counted_by_the_rules_of_the_server_that_is_known_by_then() {
    let driver = Driver::new(
        "max_headers 4; server { listen 80; return 200 d; }
         server { listen 80; server_name b; max_headers 2; return 200 b; }
         server { listen 80; server_name c; max_headers 8; ignore_invalid_headers off; return 200 $http_x_y; }
         server { listen 80; server_name p; max_headers 0; error_page 431 =200 @p; location @p { return 200 page; } }",
        &[],
    );
    for (fields, status, text) in [
        ("Host: d\nA: 1\nB: 2\nC: 3", "200", "d"),
        ("Host: d\nA: 1\nB: 2\nC: 3\nD: 4", "431", ""),
        ("Host: d\nA_: 1\nB: 2\nC: 3\nD: 4", "200", "d"),
        ("Host: b\nA: 1", "200", "b"),
        ("Host: b\nA: 1\nB: 2", "431", ""),
        ("A: 1\nB: 2\nC: 3\nHost: b", "200", "b"),
        ("A: 1\nB: 2\nC: 3\nD: 4\nHost: c", "431", ""),
        ("X_Y: 1\nHost: c\nX_Y: 2\nX-y: 3\nX_Y: 4", "200", "2, 3, 4"),
        ("Host: c\nX_Y: 2\nX-y: 3\nX_Y: 4\nD: 1\nE: 1\nF: 1\nG: 1", "200", "2, 3, 4"),
        ("Host: c\nX_Y: 2\nX-y: 3\nX_Y: 4\nD: 1\nE: 1\nF: 1\nG: 1\nH: 1", "431", ""),
        ("Host: p", "404", ""),
        ("Host: p\nA: 1", "200", "page"),
        ("A: 1\nB: 1\nC: 1\nD: 1\nHost: p", "431", ""),
    ] {
        let reply = driver.ask(&format!("GET / HTTP/1.1\n{fields}\n\n"));
        assert_eq!(reply.status(), status, "{fields}");
        if status == "200" {
            assert_eq!(reply.text, text, "{fields}");
        }
        assert_eq!(
            reply.field("Connection"),
            Some(if status == "431" || text == "page" { "close" } else { "keep-alive" })
        );
    }
    assert_eq!(driver.ask("GET http://p/ HTTP/1.1\nHost: d\n\n").text, "page");
}

#[test]
fn a_thousand_header_lines_are_enough() {
    let driver = Driver::new("server { listen 80; return 200 $http_a999; }", &[]);
    let ask = |count: usize| {
        let lines: String = (1..count).map(|number| format!("A{number}: {number}\n")).collect();
        driver.ask(&format!("GET / HTTP/1.1\nHost: a\n{lines}\n"))
    };
    assert_eq!(ask(1000).text, "999");
    assert_eq!(ask(1001).status(), "431");
}
