//! The status page, in a browser.

use crate::support::server::{Product, Server, Setup};
use crate::support::tools;
use crate::{ledger, viewed};

/// The text of the element with this id, up to the next tag.
fn text<'a>(dom: &'a str, id: &str) -> &'a str {
    let at = dom.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("#{id} in {dom}"));
    let from = at + dom[at..].find('>').expect("the tag's end") + 1;
    dom[from..].split('<').next().unwrap_or_default()
}

#[test]
fn the_page_has_a_row_for_every_worker_and_asks_nobody_else() {
    let conf =
        viewed(3).events("worker_connections 256; accept_mutex on;").http("limit_req_zone $uri zone=a:1m rate=1r/m;");
    let server = Server::drover(conf.server("location /limited { limit_req zone=a; try_files /index.html =404; }"));
    server.file("index.html", "hello");
    assert_eq!([(), ()].map(|()| server.connect().get("/limited").status), [200, 503]);
    let run = tools::ab(&["-n100", "-c4", &server.url("/index.html")]);
    assert_eq!(run.failed, 0, "{}", run.report);
    let workers = server.wait_for_workers(3);
    let dom = tools::chromium(&[], &server.url("/status"));
    assert_eq!((text(&dom, "model"), text(&dom, "state")), ("accept_mutex", "live"), "{dom}");
    for worker in &workers {
        assert!(dom.contains(&format!("data-pid=\"{worker}\"")), "a row for {worker} in {dom}");
    }
    assert_eq!(dom.matches("data-pid=").count(), 3);
    assert!(dom.contains("id=\"reason\" hidden"), "the model is the conf's: {dom}");
    assert!(dom.contains(">listens</span>") || dom.contains(">has the mutex</span>"), "someone listens: {dom}");
    let connections: u64 = text(&dom, "connections").parse().unwrap_or_else(|_| panic!("a number in {dom}"));
    assert!(connections >= 1);
    assert_eq!((text(&dom, "limited"), text(&dom, "lost")), ("1", "0"), "{dom}");
    assert!(dom.contains("id=\"limited-item\">") && dom.contains("id=\"lost-item\" hidden"), "{dom}");
    assert!(text(&dom, "files").ends_with(" %") && dom.contains("id=\"files-item\">"), "{dom}");
    // The browser has asked for the page, the icon that every browser asks for, and the numbers, again and again.
    let asked = ledger(&server)["totals"]["requests"].as_u64().expect("a number");
    assert!(asked >= 100 + 4, "{asked} requests");

    let page = server.connect().get("/status");
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"));
    let source = page.text();
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!source.contains(outside), "{outside} in the page");
    }
}

#[test]
fn the_page_names_the_model_that_serves_and_why_it_is_not_the_conf_s() {
    let conf = viewed(2).dispatch("steer fallback=reuseport");
    let refused = ["--bounding-set=-bpf,-sys_admin", "--inh-caps=-all", "--"];
    let server = Setup::new(Product::Drover, &conf).via("setpriv", &refused).start();
    let dom = tools::chromium(&[], &server.url("/status"));
    assert_eq!(text(&dom, "model"), "reuseport");
    assert_eq!(text(&dom, "reason").split(": ").next(), Some("as steer was refused"));
    assert!(!dom.contains("id=\"reason\" hidden"), "{dom}");
}
