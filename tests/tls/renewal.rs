//! Certificates, keys and tickets over time: reloads, renewals, upgrades; and that keys stay where they are.

use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use rustls::HandshakeKind;
use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::site::{A, Files, Site, conf};
use crate::support::server::Product;
use crate::support::tls::{Pair, Wish};
use crate::support::{proc, until, until_true};

/// Makes a connection with a request; whether its session was resumed.
fn is_resumed(site: &Site, wish: &Wish) -> bool {
    let mut client = wish.connect(site.addr());
    assert_eq!(client.get("/").text(), "hello");
    client.tls().handshake_kind() == Some(HandshakeKind::Resumed)
}

/// The certificate that a client without a session sees.
fn shown(site: &Site) -> Vec<u8> {
    let client = site.wish().without_resumption().connect(site.addr());
    client.tls().peer_certificates().expect("a certificate")[0].to_vec()
}

fn der(pair: &Pair) -> Vec<u8> {
    CertificateDer::from_pem_slice(pair.certificate.as_bytes()).expect("PEM").to_vec()
}

/// Reloads; returns when no worker of the generation before is left, which may have taken a connection still.
#[track_caller]
fn reload(site: &Site) {
    let before = site.workers();
    assert_eq!(site.send("reload"), (Some(0), String::new()));
    until_true("only new workers", || site.workers().iter().all(|pid| !before.contains(pid)));
}

#[test]
fn sessions_are_resumed_by_every_worker_of_every_generation() {
    let site = Site::new(conf().with_workers(4));
    for version in rustls::ALL_VERSIONS {
        let wish = Wish::of(&site.authority, &[version], None);
        assert!(!is_resumed(&site, &wish));
        let before: usize = (0..100).filter(|_| is_resumed(&site, &wish)).count();
        reload(&site);
        let after: usize = (0..100).filter(|_| is_resumed(&site, &wish)).count();
        assert_eq!((before, after), (100, 100), "{:?}", version.version);
    }
    site.end();
}

#[test]
fn sessions_are_resumed_by_the_next_binary() {
    let mut site = Site::new(conf());
    let wish = site.wish();
    assert!(!is_resumed(&site, &wish));
    site.signal(Signal::SIGUSR2);
    let next = site.wait_for_next_master();
    until_true("its workers", || proc::children(next).len() == 2);
    assert!(site.server.quit().success());
    assert!(is_resumed(&site, &wish));
    assert_eq!(site.send("quit").0, Some(0));
    until_true("the new master ends", || !proc::is_alive(next));
}

#[test]
fn sessions_end_with_their_tickets_off() {
    let site = Site::new(conf().server("ssl_session_tickets off;"));
    let wish = site.wish();
    assert!((0..5).all(|_| !is_resumed(&site, &wish)));
    site.end();
}

#[test]
fn sessions_in_memory_are_resumed_by_every_worker_of_every_generation() {
    let cache = "ssl_session_tickets off; ssl_session_cache shared:SSL:1m;";
    let site = Site::new(conf().with_workers(4).server(cache));
    for version in rustls::ALL_VERSIONS {
        let wish = Wish::of(&site.authority, &[version], None);
        assert!(!is_resumed(&site, &wish));
        let before: usize = (0..50).filter(|_| is_resumed(&site, &wish)).count();
        reload(&site);
        let after: usize = (0..50).filter(|_| is_resumed(&site, &wish)).count();
        assert_eq!((before, after), (50, 50), "{:?}", version.version);
    }
    site.end();
}

#[test]
fn keys_of_files_open_the_tickets_of_another_server() {
    let keys = "ssl_session_ticket_key %pki%/new.bin; ssl_session_ticket_key %pki%/old.bin;";
    let files = Files::new();
    std::fs::write(files.path().join("new.bin"), [1; 80]).unwrap();
    std::fs::write(files.path().join("old.bin"), [2; 48]).unwrap();
    let site = files.start(conf().server("ssl_session_ticket_key %pki%/old.bin;"));
    let wish = site.wish();
    assert!(!is_resumed(&site, &wish));
    let text = conf().server(&keys.replace("%pki%", &site.pki(""))).to_string();
    site.rewrite_conf(text.replace("%pki%/", &site.pki("")));
    reload(&site);
    assert!(is_resumed(&site, &wish), "the old key opens");
    std::fs::write(site.pki("old.bin"), [3; 48]).unwrap();
    reload(&site);
    assert!(is_resumed(&site, &wish), "the new key has sealed");
    site.end();
}

#[test]
fn a_reload_with_a_broken_certificate_keeps_the_old_service() {
    let site = Site::new(conf());
    let old = shown(&site);
    let next = site.authority.sign(&["localhost"]);
    std::fs::write(site.pki("a.crt"), &next.certificate).unwrap();
    let (code, said) = site.send("reload");
    assert_eq!(code, Some(1));
    assert!(said.contains("failed (key values mismatch)") && said.contains("does not belong"), "{said}");
    assert_eq!(shown(&site), old);
    std::fs::write(site.pki("a.key"), &next.key).unwrap();
    reload(&site);
    assert_eq!(shown(&site), der(&next));
}

/// The words of a reload that is refused for the dates of a certificate.
#[track_caller]
fn refused_reload(site: &Site) -> String {
    let (code, said) = site.send("reload");
    assert_eq!(code, Some(1), "{said}");
    said
}

#[test]
fn a_reload_replaces_no_valid_certificate_by_one_that_clients_refuse() {
    let site = Site::new(conf());
    let old = shown(&site);
    let workers = site.workers();
    site.authority.sign_for_years(&["localhost"], 2020, 2021).write_to(site.files(), "a");
    let said = refused_reload(&site);
    let why = "a.crt\" has expired on 2021-01-01, and the one in use is valid";
    assert!(said.contains(why) && said.contains("the old service goes on"), "{said}");
    site.authority.sign_for_years(&["localhost"], 2095, 2096).write_to(site.files(), "a");
    let said = refused_reload(&site);
    assert!(said.contains("a.crt\" is not valid before 2095-01-01, and the one in use is valid"), "{said}");
    assert_eq!((shown(&site), site.workers()), (old, workers));
    // Another name for the file changes nothing.
    site.authority.sign_for_years(&["localhost"], 2020, 2021).write_to(site.files(), "b");
    site.rewrite_conf(conf_of(&site, "b"));
    assert!(refused_reload(&site).contains("b.crt\" has expired"));
    let next = site.authority.sign(&["localhost"]);
    next.write_to(site.files(), "b");
    reload(&site);
    assert_eq!(shown(&site), der(&next));
}

#[test]
fn a_service_whose_certificate_has_run_out_is_reloaded() {
    let files = Files::new();
    let sign = |from, until| files.authority().sign_for_years(&["localhost"], from, until);
    let (first, second) = (sign(2020, 2021), sign(2021, 2022));
    first.write_to(files.path(), "a");
    let site = files.start(conf());
    assert!(site.error_log().contains("[warn]") && site.error_log().contains("has expired on 2021-01-01"));
    // The file has not changed.
    reload(&site);
    second.write_to(site.files(), "a");
    reload(&site);
    site.end();
}

#[test]
fn watched_files_replace_no_valid_certificate_by_one_that_clients_refuse() {
    let site = Site::new(conf().http("certificate_watch on;"));
    let (old, workers) = (shown(&site), site.workers());
    site.authority.sign_for_years(&["localhost"], 2020, 2021).write_to(site.files(), "a");
    until_true("a word about it", || {
        site.error_log().contains("are not taken, the old ones go on: certificate \"")
            && site.error_log().contains("a.crt\" has expired on 2021-01-01, and the one in use is valid")
    });
    assert_eq!((shown(&site), site.workers()), (old, workers));
    let next = site.authority.sign(&["localhost"]);
    next.write_to(site.files(), "a");
    until_true("the new certificate", || shown(&site) == der(&next));
    site.end();
}

/// The site's conf with the files of another certificate.
fn conf_of(site: &Site, name: &str) -> String {
    let text = std::fs::read_to_string(site.conf_path()).unwrap();
    text.replace("/a.crt", &format!("/{name}.crt")).replace("/a.key", &format!("/{name}.key"))
}

#[test]
fn replaced_files_are_taken_without_a_reload_and_never_half_of_a_pair() {
    let site = Site::new(conf().main("sandbox on;").http("certificate_watch on;"));
    let old = shown(&site);
    let wish = site.wish();
    assert!(!is_resumed(&site, &wish));
    let workers = site.workers();
    let next = site.authority.sign(&["localhost"]);
    std::fs::write(site.pki("a.crt"), &next.certificate).unwrap();
    until_true("a word about half of a pair", || {
        assert_eq!(shown(&site), old);
        site.error_log().contains("the changed files are not taken, the old ones go on: SSL_CTX_use_PrivateKey(")
    });
    assert_eq!(site.workers(), workers);
    // The name is a symbolic link to another file, as renewal tools make it.
    std::fs::write(site.pki("a2.key"), &next.key).unwrap();
    std::fs::remove_file(site.pki("a.key")).unwrap();
    std::os::unix::fs::symlink(site.pki("a2.key"), site.pki("a.key")).unwrap();
    let taken = until("the new certificate", || {
        let now = shown(&site);
        assert!(now == old || now == der(&next));
        (now != old).then_some(now)
    });
    assert_eq!(taken, der(&next));
    assert!(is_resumed(&site, &wish), "the keys of tickets have stayed");
    until_true("the old workers leave", || site.workers().iter().all(|pid| !workers.contains(pid)));
    until_true("only new certificates", || (0..8).all(|_| shown(&site) == der(&next)));
    let ledger = site.ledger();
    assert_eq!(ledger.header().reloads_ok.get(), 0);
    assert_eq!(site.error_log().matches("are not taken").count(), 1);
    site.end();
}

#[test]
fn keys_are_in_no_core_dump_and_no_log() {
    let site = Site::new(conf());
    let pids = [vec![site.pid()], site.workers()].concat();
    for pid in pids {
        let filter = std::fs::read_to_string(format!("/proc/{pid}/coredump_filter")).unwrap();
        assert_eq!(filter.trim(), "00000000");
        if nix::unistd::geteuid().is_root() {
            assert_eq!(dumpable(pid), Some("root"), "process {pid}");
        }
    }
    let key = std::fs::read_to_string(site.pki("a.key")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    let crt = std::fs::read_to_string(site.pki("a.crt")).unwrap();
    let inline = |end: &str| {
        let certificate = crt.replace('\n', "\\n");
        let key = key.replace('\n', "\\n");
        format!(
            "events {{}} http {{ server {{ ssl_certificate \"data:{certificate}\";\n ssl_certificate_key \
             \"data:{key}\"{end} }} }}"
        )
    };
    let run = |text: String| {
        let path = site.dir().join("inline.conf");
        std::fs::write(&path, text).unwrap();
        let mut drover = Command::new(Product::Drover.binary());
        let output = drover.arg("-T").args(["-g", "pid off;"]).arg("-c").arg(&path).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let said = run(inline(";"));
    assert!(said.contains("test is successful") && said.contains("BEGIN PRIVATE KEY-----..."), "{said}");
    assert!(!said.contains(secret), "{said}");
    for broken in [inline(""), inline(" x;"), inline(";").replace("data:-----BEGIN CERT", "data:-----BEGIN CAT")] {
        let said = run(broken);
        assert!(said.contains("[emerg]") && !said.contains(secret), "{said}");
    }
    assert!(!site.error_log().contains(secret));
}

/// The owner of a process's files in /proc: the kernel gives those of one that is not dumpable to root. `None`: the
/// process is root's anyway, and tells nothing.
fn dumpable(pid: i32) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(format!("/proc/{pid}/environ")).ok()?.uid();
    (owner == 0).then_some("root")
}

#[test]
fn the_end_of_certificates_is_told_by_a_test() {
    let files = Files::new();
    let path = files.path().join("c.conf");
    let text = format!("events {{}} http {{ server {{ listen 8097 ssl; {A} }} }}");
    std::fs::write(&path, text.replace("%pki%", &files.path().display().to_string())).unwrap();
    let said = test_of(&path);
    assert!(
        said.contains("[notice] certificate \"") && said.contains(" of localhost, a.test is valid until "),
        "{said}"
    );
    assert!(said.contains("test is successful"), "{said}");
}

fn test_of(path: &Path) -> String {
    let mut drover = Command::new(Product::Drover.binary());
    let output = drover.args(["-t", "-g", "pid off;", "-c"]).arg(path).output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}
