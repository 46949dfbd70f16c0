use super::*;

#[test]
fn a_connection_is_kept_as_long_as_its_location_says() {
    let driver = Driver::new(
        "server { listen 80; return 200; location /x { } }
         server { listen 80; server_name time; location / { keepalive_time 1s; return 200; }
            location /short { keepalive_time 999ms; return 200; }
            location /min { keepalive_min_timeout 1s; return 200; }
            location /one { keepalive_requests 1; return 200; } location /two { keepalive_requests 2; return 200; } }",
        &[],
    );
    // The connection was accepted a second ago, and this is its first request.
    let kept = |driver: &Driver, target: &str| {
        driver.ask(&format!("GET {target} HTTP/1.1\r\nHost: time\r\n\r\n")).after == After::KeepAlive
    };
    for (target, is_kept) in [("/", true), ("/short", false), ("/min", true), ("/one", false), ("/two", true)] {
        assert_eq!(kept(&driver, target), is_kept, "{target}");
    }
}

/// A worker that shuts down says so in its last answer; a location that holds its clients gives up none for others.
#[test]
fn the_last_answer_on_a_connection_is_no_promise() {
    let conf = "server { listen 80; location / { return 200; }
        location /held { keepalive_min_timeout 1s; return 200; }
        location /held/none { keepalive_timeout 0; keepalive_min_timeout 1s; return 200; } }";
    let driver = Driver::new(conf, &[]);
    for (leaving, is_full) in [(false, false), (true, false), (false, true)] {
        for (target, is_kept) in [("/", !leaving && !is_full), ("/held", !leaving), ("/held/none", false)] {
            let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            let cx = Cx { leaving, is_full, ..driver.cx(request.as_bytes()) };
            let (mut ex, mut out) = (Exchange::default(), Vec::new());
            assert!(matches!(ex.request(&cx, &mut out), Action::Send(_)));
            assert_eq!(ex.after() == After::KeepAlive, is_kept, "{target} {leaving} {is_full}");
        }
    }
}
