//! Lists of directories, byte for byte as nginx makes them.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use crate::support::conf::Conf;
use crate::support::server::{Product, Setup};

#[test]
fn a_list_is_nginx_s_byte_for_byte() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let dir = root.path().join("d & <e>");
    fs::create_dir_all(dir.join("sub dir")).expect("mkdir");
    fs::create_dir(dir.join("x".repeat(50))).expect("mkdir");
    fs::create_dir(dir.join("y".repeat(49))).expect("mkdir");
    fs::create_dir(root.path().join("empty")).expect("mkdir");
    let names = ["a", "B", "b b", "c<&\">'", "d?e#f%", "é", "colon:", "~t", ".hidden"].map(str::to_owned);
    let long = [47, 49, 50, 51, 60].map(|n| "n".repeat(n));
    let strange = [45, 50, 51].map(|n| format!("{}<>", "é".repeat(n / 2)));
    for (n, name) in names.iter().chain(&long).chain(&strange).enumerate() {
        let file = File::create(dir.join(name)).expect("create");
        file.set_len([0, 9_999, 10_000, 10_752, 1 << 20, 1 << 30, 3 << 29][n % 7]).expect("truncate");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(90_000_000 * n as u64)).expect("utimes");
    }
    symlink("a", dir.join("link")).expect("symlink");
    symlink("sub dir", dir.join("linkdir")).expect("symlink");
    let gone = dir.join("dangling");
    symlink("no/such", &gone).expect("symlink");
    for path in [root.path().to_owned(), dir.clone(), dir.join("sub dir"), root.path().join("empty")] {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    }
    let conf = Conf::workers(1).server(
        "autoindex on; location /round/ { alias %root%/; autoindex_exact_size off; } \
         location /local/ { alias %root%/; autoindex_localtime on; } location /off/ { alias %root%/; autoindex off; }",
    );
    let [ours, theirs] = [Product::Drover, Product::Nginx]
        .map(|product| Setup::new(product, &conf).root(root.path()).env("TZ", "Asia/Tokyo").start());
    for place in ["", "/round", "/local", "/off"] {
        for path in ["/", "/d%20&%20%3Ce%3E/", "/empty/", "/no/such/", "/d%20&%20%3Ce%3E/a/"] {
            let target = format!("{place}{path}");
            let [ours, theirs] = [&ours, &theirs].map(|server| {
                let reply = server.connect().get(&target);
                let body = if reply.status == 200 { reply.text() } else { String::new() };
                (reply.status, reply.header("Content-Type").map(str::to_owned), body)
            });
            assert_eq!(ours, theirs, "{target}");
        }
    }
    let mut client = ours.connect();
    let head = client.send("HEAD /empty/ HTTP/1.1\r\nHost: x\r\n\r\n").head_response().expect("a response");
    assert_eq!(head.status, 200);
    assert_eq!(client.get("/empty/").status, 200, "the connection goes on");
}

#[test]
fn a_directory_that_the_worker_may_not_read_is_forbidden() {
    let [ours, theirs] = [Product::Drover, Product::Nginx].map(|product| {
        let server = Setup::new(product, Conf::workers(1).server("autoindex on;")).start();
        server.file("closed/x", "x");
        let closed = server.dir().join("root/closed");
        fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o711)).expect("chmod");
        let status = server.connect().get("/closed/").status;
        let line = format!("opendir() \"{}\" failed (13: Permission denied)", closed.display());
        (status, server.error_log().contains(&line))
    });
    assert_eq!(ours, theirs);
    if nix::unistd::geteuid().is_root() {
        assert_eq!(ours, (403, true));
    }
}
