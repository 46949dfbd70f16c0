//! The clients that people have.

use crate::site::{LAST, Site, conf};
use crate::support::tools;

const SHOWN: &str = "location = /shown { return 200 \"$scheme $https $ssl_protocol $ssl_cipher $ssl_curve \
                     $ssl_server_name $ssl_session_reused $ssl_alpn_protocol $ssl_client_verify\\n\"; }";

#[test]
fn curl_gets_files_of_all_sizes() {
    let site = Site::new(conf().server(SHOWN).server("gzip on; gzip_min_length 1; gzip_types text/plain;"));
    assert_eq!(site.curl(&[], "/"), "hello");
    let sizes = [1, 16_383, 16_384, 16_385, 100_000, 1 << 20, (9 << 20) + 7];
    for size in sizes {
        let content: Vec<u8> = (0..size).map(|n: usize| (n * 31 % 251) as u8).collect();
        site.file(&format!("{size}.bin"), &content);
        site.file(&format!("{size}.txt"), &content);
        for (name, args) in [("bin", &[][..]), ("txt", &["--compressed"]), ("bin", &["--tls-max", "1.2"])] {
            let out = site.dir().join("out");
            let path = out.display().to_string();
            site.curl(&[args, &["-o", &path]].concat(), &format!("/{size}.{name}"));
            assert!(std::fs::read(&out).expect("a file") == content, "{size} bytes, {args:?}");
        }
        let part = site.curl(&["-r", "0-0"], &format!("/{size}.bin"));
        assert_eq!(part.len(), 1);
    }
    let shown = |args: &[&str]| site.curl(args, "/shown");
    assert_eq!(
        shown(&["--tls-max", "1.2"]),
        "https on TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384 X25519 localhost . http/1.1 NONE\n"
    );
    assert_eq!(
        shown(&["--curves", "P-256"]),
        "https on TLSv1.3 TLS_AES_256_GCM_SHA384 prime256v1 localhost . http/1.1 NONE\n"
    );
    let twice = site.curl(&["-w", "%{num_connects}"], "/[1-1]");
    assert!(twice.contains("404"), "{twice}");
    site.end();
}

#[test]
fn small_and_large_records_carry_the_same() {
    for size in ["1k", "4k", "16k", "64k"] {
        let site = Site::new(conf().server(&format!("ssl_buffer_size {size}; sendfile on;")));
        let content = vec![b'x'; 300_000];
        site.file("x", &content);
        let got = site.curl(&[], "/x");
        assert!(got.as_bytes() == content, "{size}: {} bytes", got.len());
        site.end();
    }
}

#[test]
fn openssl_agrees_on_versions_and_groups() {
    let site = Site::new(conf());
    for (args, said) in [
        (&["-tls1_2"][..], "TLSv1.2"),
        (&["-tls1_3"], "TLSv1.3"),
        (&["-groups", "X25519"], "X25519"),
        (&["-groups", "P-256"], "ECDH, prime256v1, 256 bits"),
        (&["-groups", "P-384"], "ECDH, secp384r1, 384 bits"),
    ] {
        let talk = site.s_client(args, LAST);
        assert!(talk.contains(said), "{args:?}: {said}\n{talk}");
        assert!(talk.contains("Verify return code: 0 (ok)") && talk.contains("closed\n"), "{args:?}\n{talk}");
        assert!(talk.contains("HTTP/1.1 200 OK") && talk.contains("hello"), "{args:?}\n{talk}");
    }
    let sums = site.sums();
    assert_eq!((sums.tls_handshakes, sums.tls_resumed), ([1, 4], 0));
    assert_eq!(sums.tls_failures.iter().sum::<u64>(), 0);
    let old = site.s_client(&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "");
    assert!(old.contains("alert"), "{old}");
    assert_eq!(site.sums().tls_failures[4], 1, "nothing in common");
    let metrics = site.curl(&[], "/metrics");
    for line in
        ["drover_tls_handshakes_total{version=\"1.2\"} 1", "drover_tls_failures_total{reason=\"nothing_common\"} 1"]
    {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    site.end();
}

#[test]
fn openssl_resumes_sessions_of_any_worker() {
    let site = Site::new(conf().with_workers(4));
    for version in ["-tls1_2", "-tls1_3"] {
        let session = site.dir().join("session").display().to_string();
        let first = site.s_client(&[version, "-sess_out", &session], LAST);
        assert!(first.contains("New, "), "{first}");
        for _ in 0..10 {
            let next = site.s_client(&[version, "-sess_in", &session], LAST);
            assert!(next.contains("Reused, ") && next.contains("hello"), "{version}\n{next}");
        }
    }
    let sums = site.sums();
    assert_eq!(sums.tls_resumed, 20);
    let times = [&sums.tls_full_time, &sums.tls_resumed_time].map(|rows| rows.iter().sum::<u64>());
    assert_eq!(times, [2, 20], "their times are counted");
    assert!(sums.tls_full_time_ns > 0 && sums.tls_resumed_time_ns > 0, "{sums:?}");
    site.end();
}

#[test]
fn python_sees_an_orderly_end() {
    let site = Site::new(conf().server("keepalive_timeout 100ms;"));
    let program = r#"
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
context.minimum_version = getattr(ssl.TLSVersion, sys.argv[3])
context.maximum_version = context.minimum_version
def ask(request):
    plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    wrapped = context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
    wrapped.sendall(request)
    said = b""
    while piece := wrapped.recv(65536):
        said += piece
    wrapped.close()
    return said
for end in [b"Connection: close\r\n", b""]:
    said = ask(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + end + b"\r\n")
    assert said.endswith(b"hello"), said
print("fine")
"#;
    let port = site.port().to_string();
    for version in ["TLSv1_2", "TLSv1_3"] {
        assert_eq!(tools::run("python3", &["-c", program, &port, &site.pki("ca.crt"), version]), "fine\n");
    }
    site.end();
}

#[test]
fn wrk_keeps_its_connections() {
    // A fast machine asks more than the default of 1,000 on each connection within the second.
    let site = Site::new(conf().server("keepalive_requests 1000000;"));
    let url = format!("https://localhost:{}/", site.port());
    let run = tools::wrk(&["-t1", "-c16", "-d1s", &url]);
    assert!(run.complete > 100 && run.failed == 0, "{}", run.report);
    let sums = site.sums();
    assert!(sums.accepts <= 20, "{} connections for {} requests", sums.accepts, run.complete);
    site.end();
}
