//! Clients with certificates.

use crate::site::{A, Files, LAST, Site, conf};
use crate::support::conf::Conf;
use crate::support::tls::{Authority, Pair, Wish};
use crate::support::tools;

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

/// nginx takes the last fault that OpenSSL finds: want of an issuer comes after the purpose of a certificate alone, and
/// after the length of a chain.
#[test]
fn an_unknown_issuer_counts_before_the_purpose_and_the_depth() {
    let files = Files::new();
    let dir = files.path().display().to_string();
    for (name, text) in [
        ("ca", "basicConstraints=critical,CA:true\nkeyUsage=keyCertSign,digitalSignature\n"),
        ("client", "basicConstraints=CA:false\n"),
        ("server", "extendedKeyUsage=serverAuth\n"),
    ] {
        std::fs::write(files.path().join(format!("{name}.ext")), text).expect("a file");
    }
    let openssl = |args: &str| {
        let args: Vec<String> = args.split(' ').map(|arg| arg.replace('%', &dir)).collect();
        tools::run("openssl", &args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for root in ["root", "stranger"] {
        let end = "-addext keyUsage=keyCertSign,digitalSignature";
        openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -subj /CN={root} -keyout %/{root}.key -out %/{root}.crt {end}"
        ));
    }
    for (name, issuer, ext) in [
        ("int1", "root", "ca"),
        ("int2", "int1", "ca"),
        ("leaf", "int2", "server"),
        ("deep", "int2", "client"),
        ("theirs", "stranger", "server"),
        ("ours", "root", "server"),
    ] {
        openssl(&format!("req -new -newkey rsa:2048 -nodes -subj /CN={name} -keyout %/{name}.key -out %/{name}.csr"));
        let by = format!("-CA %/{issuer}.crt -CAkey %/{issuer}.key -CAcreateserial");
        openssl(&format!("x509 -req -in %/{name}.csr {by} -days 9 -out %/{name}.crt -extfile %/{ext}.ext"));
    }
    let read = |name: &str| std::fs::read_to_string(files.path().join(format!("{name}.crt"))).expect("a certificate");
    for (chain, names) in [
        ("deep.chain", &["deep", "int2", "int1"][..]),
        ("leaf.chain", &["leaf", "int2", "int1"]),
        ("theirs.chain", &["theirs", "stranger"]),
    ] {
        let text: String = names.iter().map(|name| read(name)).collect();
        std::fs::write(files.path().join(format!("{chain}.crt")), text).expect("a chain");
    }
    let rules =
        "ssl_client_certificate %pki%/root.crt; ssl_verify_client optional_no_ca; return 200 $ssl_client_verify;";
    let site = files.start(conf().server(rules));
    for (cert, key, wanted) in [
        ("theirs", "theirs", "FAILED:unable to verify the first certificate"),
        ("theirs.chain", "theirs", "The SSL certificate error"),
        ("ours", "ours", "The SSL certificate error"),
        ("deep.chain", "deep", "FAILED:unable to get local issuer certificate"),
        ("leaf.chain", "leaf", "The SSL certificate error"),
        ("deep", "deep", "FAILED:unable to verify the first certificate"),
    ] {
        let (cert, key) = (site.pki(&format!("{cert}.crt")), site.pki(&format!("{key}.key")));
        let said = site.curl(&["--cert", &cert, "--key", &key], "/");
        assert!(said.contains(wanted), "{cert} {wanted}: {said}");
    }
    site.end();
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

/// Certificates of `openssl x509 -req` without extensions, which rustls' own check refuses to read.
#[test]
fn certificates_of_version_1_are_checked_as_well() {
    let files = Files::new();
    files.authority().sign_version_1("known").write_to(files.path(), "known");
    Authority::new("another").sign_version_1("unknown").write_to(files.path(), "unknown");
    // The name is that of the authority, and the key is not.
    Authority::new("the test's authority").sign_version_1("forged").write_to(files.path(), "forged");
    let rules = |mode: &str| {
        format!(
            "{A} ssl_client_certificate %pki%/ca.crt; ssl_verify_client {mode}; location = /who {{ return 200 \
             \"$ssl_client_verify $ssl_client_s_dn\"; }}"
        )
    };
    let beside = |port: &str, mode: &str| format!("server {{ listen 127.0.0.1:{port} ssl; {} }}", rules(mode));
    let site = files.start(
        Conf::workers(1)
            .listen("127.0.0.1:%port% ssl")
            .server(&rules("on"))
            .http(&beside("%port2%", "optional"))
            .http(&beside("%port3%", "optional_no_ca")),
    );
    let error = "The SSL certificate error";
    for (name, by_mode) in [
        ("known", ["SUCCESS CN=known"; 3]),
        ("unknown", [error, error, "FAILED:unable to verify the first certificate CN=unknown"]),
        ("forged", [error; 3]),
    ] {
        for (port, wanted) in site.ports().into_iter().zip(by_mode) {
            for version in ["1.2", "1.3"] {
                let url = format!("https://localhost:{port}/who");
                let (cert, key) = (site.pki(&format!("{name}.crt")), site.pki(&format!("{name}.key")));
                let limits = ["--tlsv1.2", "--tls-max", version, "--cacert", &site.pki("ca.crt")];
                let pair = ["--cert", &cert, "--key", &key, &url];
                let said = tools::run("curl", &[&["-sS"], &limits[..], &pair[..]].concat());
                assert!(said.contains(wanted), "{name} {version} {wanted}: {said}");
            }
        }
    }
    let log = site.error_log();
    assert!(log.contains("client SSL certificate verify error: (7:certificate signature failure)"), "{log}");
    site.end();
}

/// `openssl req -x509` says of the certificate of one client that it is an authority's.
#[test]
fn a_certificate_that_the_conf_names_itself_will_do() {
    let files = Files::new();
    let client = Authority::new("itself");
    let (own, impostor) = (client.own(), Authority::new("itself").own());
    own.write_to(files.path(), "own");
    let conf = conf().server("ssl_client_certificate %pki%/own.crt; ssl_verify_client on;");
    let site = files.start(conf.server("location = /who { return 200 $ssl_client_verify; }"));
    assert_eq!(ask(&site, Some(&own), "/who"), (200, "SUCCESS".to_owned()));
    assert_eq!(ask(&site, Some(&impostor), "/who").0, 400);
    site.end();
}

#[test]
fn a_server_s_own_certificate_may_be_of_version_1() {
    let files = Files::new();
    files.authority().sign_version_1("localhost").write_to(files.path(), "old");
    files.authority().sign_version_1("localhost").write_to(files.path(), "other");
    let pair = |key: &str| format!("ssl_certificate %pki%/old.crt; ssl_certificate_key %pki%/{key}.key;");
    let text = |key: &str| Conf::workers(1).listen("127.0.0.1:%port% ssl").server(&pair(key));
    let site = files.start(text("old"));
    assert_eq!(site.curl(&[], "/"), "hello");
    site.rewrite_conf(text("other").to_string().replace("%pki%", &site.files().display().to_string()));
    let (code, said) = site.send("reload");
    assert!(code == Some(1) && said.contains("failed (key values mismatch)"), "{said}");
}
