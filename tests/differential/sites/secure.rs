//! TLS: names in hellos and in requests, HTTP where TLS is spoken, clients with certificates, variables.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::version;

use crate::probe::{Probe, Request, Site, Step, get, head, request};
use crate::support::tls::{Authority, Pair, Wish};

struct Pki {
    dir: PathBuf,
    authority: Authority,
    known: Pair,
    unknown: Pair,
}

static PKI: LazyLock<Pki> = LazyLock::new(|| {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("pki-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("mkdir");
    let authority = Authority::new("the test's authority");
    authority.sign(&["a.test", "localhost"]).write_to(&dir, "a");
    authority.sign_rsa(&["a.test", "b.test", "x.b.test"]).write_to(&dir, "b");
    std::fs::write(dir.join("ca.crt"), &authority.pem).expect("write a certificate");
    let (known, unknown) = (authority.sign(&["known"]), Authority::new("another").sign(&["unknown"]));
    Pki { dir, authority, known, unknown }
});

/// The groups are those that nginx's OpenSSL has as well.
fn provider() -> CryptoProvider {
    let groups = vec![kx_group::X25519, kx_group::SECP256R1];
    CryptoProvider { kx_groups: groups, ..default_provider() }
}

/// A client of these versions, without memory.
fn wish(versions: &[&'static rustls::SupportedProtocolVersion], pair: Option<&Pair>) -> Wish {
    Wish::by(provider(), &PKI.authority, versions, pair).without_resumption()
}

fn within(wish: &Wish, request: Request, name: &str) -> Probe {
    let mut probe = request.named(name);
    probe.steps.insert(0, Step::Handshake(wish.clone()));
    probe
}

fn site(name: &'static str, http: &str, probes: Vec<Probe>) -> Site {
    let certificate = |name: &str| {
        let path = PKI.dir.join(name).display().to_string();
        format!("ssl_certificate {path}.crt; ssl_certificate_key {path}.key;")
    };
    let http = http.replace("%a%", &certificate("a")).replace("%b%", &certificate("b"));
    Site::new(name, &http.replace("%pki%", &PKI.dir.display().to_string()), probes)
}

/// Files, errors and redirects within TLS; HTTP where TLS is spoken.
pub fn secure() -> Site {
    let (new, old) = (wish(&[&version::TLS13], None), wish(&[&version::TLS12], None));
    let mut probes = Vec::new();
    for (version, wish) in [("1.3", &new), ("1.2", &old)] {
        let requests = [
            get("/digits.txt"),
            head("/digits.txt"),
            get("/digits.txt").range("bytes=2-4"),
            get("/sub"),
            get("/none"),
            get("/moved"),
            get("/permanent?x"),
            request("POST", "/digits.txt").body("0123456789"),
            get("/digits.txt").http10(),
            get("/digits.txt").with("Connection", "close"),
            get("/").without_host(),
            get("/digits.txt").host("other.test"),
        ];
        for request in requests {
            let text = String::from_utf8_lossy(&request.bytes()).replace("\r\n", " ");
            probes.push(within(wish, request, &format!("{version}: {text}")));
        }
        let two = [get("/digits.txt").bytes(), get("/none").bytes()].concat();
        let mut pipelined = Probe::raw_many(&format!("{version}: two at once"), two, 2);
        pipelined.steps.insert(0, Step::Handshake(wish.clone()));
        probes.push(pipelined);
    }
    let plain = [
        get("/digits.txt"),
        head("/digits.txt"),
        get("/digits.txt").http10(),
        get("/digits.txt").host("page.test"),
        get("/x?y").host("moved.test"),
        get("/").without_host(),
        request("POST", "/").body("0123456789"),
    ];
    probes.extend(plain.map(|request| {
        let name = format!("plain: {}", String::from_utf8_lossy(&request.bytes()).replace("\r\n", " "));
        request.named(&name)
    }));
    probes.push(Probe::raw("plain: no request", "nonsense\r\n\r\n"));
    site(
        "secure",
        "server { listen 127.0.0.1:%port% ssl; %a% root %root%; location = /moved { return 302 /x; } \
           location = /permanent { return 301 $scheme://$host$request_uri; } }\n\
         server { listen 127.0.0.1:%port% ssl; server_name page.test; %a% root %root%; error_page 497 /digits.txt; }\n\
         server { listen 127.0.0.1:%port% ssl; server_name moved.test; %a% \
           error_page 497 https://$host:$server_port$request_uri; }",
        probes,
    )
}

/// The name in the hello, and the one in the request.
pub fn secure_names() -> Site {
    let wish = wish(rustls::ALL_VERSIONS, None);
    let mut probes = Vec::new();
    for name in ["localhost", "a.test", "b.test", "x.b.test"] {
        for host in ["a.test", "b.test", "B.Test", "x.b.test:8443", "y.b.test", "closed.test", "whatever"] {
            probes.push(within(&wish.named(name), get("/").host(host), &format!("{name}, then {host}")));
        }
        probes.push(within(&wish.named(name), get("/").without_host().http10(), &format!("{name}, then none")));
        let bad = Probe::raw("", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
        let steps = [vec![Step::Handshake(wish.named(name))], bad.steps].concat();
        probes.push(Probe { name: format!("{name}, then a bad one"), steps });
    }
    site(
        "secure_names",
        "server { listen 127.0.0.1:%port% ssl; server_name a.test; %a% add_header X-Server a always; \
           return 200 \"$ssl_server_name $server_name\"; }\n\
         server { listen 127.0.0.1:%port% ssl; server_name b.test ~^(?<sub>x)[.]b[.]test$; %b% \
           add_header X-Server b always; error_page 400 421 = /page; \
           location / { return 200 \"b $sub $ssl_server_name\"; } \
           location = /page { return 200 \"page of b, $status\"; } }\n\
         server { listen 127.0.0.1:%port% ssl; server_name closed.test; %b% ssl_verify_client on; \
           ssl_client_certificate %pki%/ca.crt; return 200 closed; }",
        probes,
    )
}

/// Clients with and without certificates.
pub fn secure_clients() -> Site {
    let mut probes = Vec::new();
    let mut servers = String::new();
    for mode in ["on", "optional", "optional_no_ca", "off"] {
        let _ = writeln!(
            servers,
            "server {{ listen 127.0.0.1:%port% ssl; server_name {mode}; %a% ssl_verify_client {mode}; \
             ssl_client_certificate %pki%/ca.crt; location / {{ return 200 \"$ssl_client_verify|$ssl_client_s_dn|\
             $ssl_client_i_dn|$ssl_client_s_dn_legacy|$ssl_client_serial|$ssl_client_fingerprint|$ssl_client_v_start|\
             $ssl_client_v_end|$ssl_client_v_remain|$ssl_client_escaped_cert|$ssl_client_raw_cert|\
             $ssl_client_cert\"; }} }}"
        );
    }
    for (versions, label) in [(&[&version::TLS13][..], "1.3"), (&[&version::TLS12], "1.2")] {
        for (pair, whose) in [(None, "none"), (Some(&PKI.known), "known"), (Some(&PKI.unknown), "unknown")] {
            let wish = wish(versions, pair);
            for host in ["on", "optional", "optional_no_ca", "off"] {
                let name = format!("{label}, {whose}, {host}");
                // No server has this name: the default one asks for a certificate, or does not.
                probes.push(within(&wish.named("localhost"), get("/").host(host), &name));
            }
        }
    }
    site("secure_clients", &servers, probes)
}

/// Variables of the handshake.
pub fn secure_variables() -> Site {
    let mut probes = Vec::new();
    for (versions, label) in [(&[&version::TLS13][..], "1.3"), (&[&version::TLS12], "1.2")] {
        let mut wish = wish(versions, None);
        probes.push(within(&wish, get("/"), &format!("{label}, no protocol")));
        Arc::make_mut(&mut wish.config).alpn_protocols = vec![b"http/1.0".to_vec(), b"http/1.1".to_vec()];
        probes.push(within(&wish.named("a.test"), get("/"), &format!("{label}, http/1.1")));
        let wish = Wish::by(provider(), &PKI.authority, versions, None).named("a.test");
        for n in 0..3 {
            probes.push(within(&wish, get("/reused"), &format!("{label}, session {n}")));
        }
    }
    probes.push(get("/").named("plain"));
    site(
        "secure_variables",
        "server { listen 127.0.0.1:%port% ssl; server_name a.test; %a% error_page 497 =200 /; \
           location / { return 200 \"$scheme|$https|$ssl_protocol|$ssl_cipher|$ssl_ciphers|$ssl_curve|$ssl_curves|\
             $ssl_server_name|$ssl_session_reused|$ssl_alpn_protocol|$ssl_early_data|$ssl_client_verify|\
             $ssl_client_cert\\n\"; } \
           location = /still-open { return 200 open; } \
           location /reused { return 200 \"$ssl_session_reused $ssl_protocol\"; } }",
        probes,
    )
}
