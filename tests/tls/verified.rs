//! Clients with certificates.

use crate::site::{A, Files, LAST, Site, conf};
use crate::support::conf::Conf;
use crate::support::tls::{Authority, Pair, Wish};

fn ask(site: &Site, pair: Option<&Pair>, target: &str) -> (u16, String) {
    let mut client = Wish::of(&site.authority, rustls::ALL_VERSIONS, pair).connect(site.addr());
    let answer = client.get(target);
    (answer.status, answer.text())
}

#[test]
fn a_certificate_is_asked_for_and_checked() {
    let shown = "location = /who { return 200 \"$ssl_client_verify $ssl_client_s_dn\"; }";
    for (mode, without, stranger) in [("on", 400, 400), ("optional", 200, 400), ("optional_no_ca", 200, 200)] {
        let files = Files::new();
        let known = files.authority().sign(&["known"]);
        let unknown = Authority::new("another").sign(&["unknown"]);
        let site = files.start(
            conf().server(&format!("ssl_client_certificate %pki%/ca.crt; ssl_verify_client {mode};")).server(shown),
        );
        assert_eq!(ask(&site, Some(&known), "/who"), (200, "SUCCESS CN=known".to_owned()), "{mode}");
        let (status, text) = ask(&site, None, "/who");
        assert_eq!(status, without, "{mode}: {text}");
        assert!(text.contains("No required SSL certificate was sent") || text.starts_with("NONE"), "{mode}: {text}");
        let (status, text) = ask(&site, Some(&unknown), "/who");
        assert_eq!(status, stranger, "{mode}: {text}");
        assert!(text.contains("The SSL certificate error") || text.starts_with("FAILED:"), "{mode}: {text}");
        site.end();
    }
}

#[test]
fn another_server_s_rules_can_t_be_avoided_by_the_host() {
    let files = Files::new();
    let site = files.start(
        Conf::workers(1)
            .listen("127.0.0.1:%port% ssl")
            .server(&format!("{A} server_name localhost; return 200 open;"))
            .http(&format!(
                "server {{ listen 127.0.0.1:%port% ssl; server_name a.test; {A} ssl_client_certificate %pki%/ca.crt; \
                 ssl_verify_client on; return 200 closed; }}"
            )),
    );
    let ask = |name: &'static str, host: &str| {
        let mut client = site.wish().named(name).connect(site.addr());
        client.send(LAST.replace("localhost", host));
        client.response().expect("an answer").status
    };
    assert_eq!(ask("localhost", "localhost"), 200);
    assert_eq!(ask("localhost", "a.test"), 421);
    assert_eq!(ask("a.test", "a.test"), 400);
    assert_eq!(ask("a.test", "localhost"), 200);
    let log = site.error_log();
    assert!(log.contains("client attempted to request the server name different from the one that was negotiated"));
    site.end();
}
