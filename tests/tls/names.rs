//! The server's name in a hello, and the one in a request.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::site::{A, Files, Site};
use crate::support::conf::Conf;

fn three() -> Site {
    let files = Files::new();
    files.authority().sign(&["b.test", "*.c.test"]).write_to(files.path(), "b");
    files.start(
        Conf::workers(1)
            .listen("127.0.0.1:%port% ssl default_server")
            .server(&format!("{A} server_name a.test; return 200 \"a $ssl_server_name\";"))
            .http(
                "server { listen 127.0.0.1:%port% ssl; server_name b.test *.c.test; ssl_certificate %pki%/b.crt; \
                 ssl_certificate_key %pki%/b.key; return 200 \"b $ssl_server_name\"; }\n\
                 server { listen 127.0.0.1:%port% ssl; server_name none.test; ssl_reject_handshake on; }",
            ),
    )
}

#[test]
fn the_hello_names_the_certificate_and_the_request_the_server() {
    let site = three();
    for (name, host, said) in [
        ("a.test", "a.test", "a a.test"),
        ("b.test", "b.test", "b b.test"),
        ("x.c.test", "x.c.test", "b x.c.test"),
        ("b.test", "a.test", "a b.test"),
        ("a.test", "b.test", "b a.test"),
        ("localhost", "whatever", "a localhost"),
        ("b.test", "whatever", "a b.test"),
    ] {
        // rustls has checked that the certificate is one for the name.
        let mut client = site.wish().named(name).connect(site.addr());
        client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(client.response().expect("an answer").text(), said, "{name}, {host}");
    }
    let old = site.s_client(&["-servername", "B.TEST"], "GET / HTTP/1.0\r\nHost: B.test\r\n\r\n");
    assert!(old.contains("b B.TEST") && old.contains("CN = b.test"), "{old}");
    let none = site.s_client(&["-noservername"], "GET / HTTP/1.0\r\n\r\n");
    assert!(none.contains("CN = localhost"), "{none}");
    site.end();
}

#[test]
fn handshakes_of_a_name_can_be_rejected() {
    let site = three();
    let talk = site.s_client(&["-servername", "none.test"], "");
    assert!(talk.contains("unrecognized name"), "{talk}");
    assert!(site.error_log().contains("handshake rejected while SSL handshaking"), "{}", site.error_log());
    assert_eq!(site.sums().tls_failures[2], 1);
    site.end();
}

/// A relative name of a file starts at the conf's directory, also where it begins with the client's name. Workers read
/// it, and may.
#[test]
fn the_hello_s_name_is_a_part_of_the_file_s() {
    for (pattern, sandbox) in
        [("$ssl_server_name", "calls"), ("${ssl_server_name}", "on"), ("./$ssl_server_name", "on")]
    {
        let conf = Conf::workers(1)
            .main(&format!("sandbox {sandbox};"))
            .listen("127.0.0.1:%port% ssl")
            .server(&format!("ssl_certificate {pattern}.crt; ssl_certificate_key {pattern}.key; return 200 there;"));
        let site = Site::new(conf);
        site.authority.sign(&["x.test"]).write_to(site.dir(), "x.test");
        fs::set_permissions(site.dir().join("x.test.key"), fs::Permissions::from_mode(0o644)).expect("chmod");
        let mut client = site.wish().named("x.test").connect(site.addr());
        client.send("GET / HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n");
        assert_eq!(client.response().expect("an answer").text(), "there", "{pattern}");
        drop(client);
        assert!(!site.error_log().contains("[crit]"), "{}", site.error_log());
    }
}
