//! Lists of directories: what `tests/differential` does not see of them, as the time zone, and what is drover's own.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use crate::support::conf::Conf;
use crate::support::server::{Product, Setup};

#[test]
fn local_times_are_nginx_s_where_the_zone_has_no_seasons() {
    let conf = Conf::workers(1).server("autoindex on; autoindex_localtime on;");
    let [ours, theirs] = [Product::Drover, Product::Nginx].map(|product| {
        let server = Setup::new(product, &conf).env("TZ", "Asia/Tokyo").start();
        server.file("d/late", "x");
        let path = server.dir().join("root/d/late");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(784_139_000);
        File::options().write(true).open(path).and_then(|file| file.set_modified(time)).expect("utimes");
        let reply = server.connect().get("/d/");
        reply.text().lines().find(|line| line.contains("late")).map(str::to_owned)
    });
    assert_eq!(ours, theirs);
    assert!(ours.is_some_and(|line| line.contains(" 07-Nov-1994 01:23 ")), "16:23 UTC is tomorrow in Tokyo");
}

#[test]
fn a_list_is_sorted_by_its_buttons_without_a_script_or_a_link() {
    let server = Setup::new(Product::Drover, Conf::workers(1).server("autoindex on;")).start();
    for (name, content, age) in [("d/a", "333", 10), ("d/b", "1", 30), ("d/c", "22", 20)] {
        server.file(name, content);
        let time = SystemTime::now() - Duration::from_secs(age);
        let path = server.dir().join("root").join(name);
        File::options().write(true).open(path).and_then(|file| file.set_modified(time)).expect("utimes");
    }
    let mut client = server.connect();
    let links = |page: &str| {
        let names = page.split("<a href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let first = client.get("/d/").text();
    assert_eq!(links(&first), ["../", "a", "b", "c"], "nothing for a mirroring client to follow but the files");
    for (label, order) in [("Time", ["a", "c", "b"]), ("Size", ["a", "c", "b"]), ("Name", ["c", "b", "a"])] {
        let button = first.split("<button ").find(|button| button.contains(label)).expect("a button");
        let value = button.split("value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a value");
        let page = client.get(&format!("/d/?sort={value}")).text();
        assert_eq!(links(&page)[1..], order, "{label}");
    }
    assert!(!first.contains("<script"));
}

#[test]
fn links_to_other_directories_keep_the_order() {
    let server = Setup::new(Product::Drover, Conf::workers(1).server("autoindex on;")).start();
    server.file("d/a b/x", "x").file("d/y?z", "y");
    let mut client = server.connect();
    for (query, kept) in [
        ("?sort=-time", "?sort=-time"),
        ("?sort=size", "?sort=size"),
        ("?sort=-name", "?sort=-name"),
        ("?sort=name", ""),
        ("?sort=\"><script>", ""),
        ("", ""),
    ] {
        let page = client.get(&format!("/d/{}", query.replace(['"', '<', '>'], "x"))).text();
        for link in [format!("<a href=\"../{kept}\">"), format!("<a href=\"a%20b/{kept}\">")] {
            assert!(page.contains(&link), "{query}: {link} in {page}");
        }
        assert!(page.contains("<a href=\"y%3Fz\">"), "a file has no order: {page}");
    }
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
