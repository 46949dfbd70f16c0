//! `conf_watch`: reloads without a signal.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::conf::Conf;
use crate::support::server::Server;
use crate::support::{proc, until_true};
use crate::{answering, conf};

fn watching(text: &str) -> Conf {
    answering(1, text).main("conf_watch on;")
}

fn answer(server: &Server) -> String {
    server.connect().get("/v").text()
}

#[test]
fn a_changed_file_is_a_reload_and_a_bad_one_is_refused_once() {
    let server = Server::drover(watching("one"));
    let old = server.wait_for_workers(1);
    server.rewrite_conf(watching("two"));
    until_true("the new conf", || answer(&server) == "two");
    until_true("the old worker is gone", || !proc::is_alive(old[0]));
    let workers = server.wait_for_workers(1);
    server.rewrite_conf(watching("three").to_string().replace("return", "retrun"));
    let refusals = || server.error_log().matches("unknown directive \"retrun\"").count();
    until_true("the refusal", || refusals() == 1);
    let looks = || server.error_log().matches("the files of the configuration have changed").count();
    assert_eq!((answer(&server).as_str(), server.workers(), looks()), ("two", workers, 2));
    server.rewrite_conf(watching("four"));
    until_true("the mended conf", || answer(&server) == "four");
    assert_eq!((refusals(), looks()), (1, 3), "each state of the files is tried once");
}

#[test]
fn nothing_is_watched_by_default_and_a_reload_by_hand_is_not_repeated() {
    let server = Server::drover(conf(1));
    server.rewrite_conf(watching("two"));
    assert_eq!(server.send("reload"), (Some(0), String::new()));
    let workers = server.wait_for_workers(1);
    assert_eq!(answer(&server), "two");
    server.rewrite_conf(watching("three"));
    assert_eq!(server.send("reload").0, Some(0));
    until_true("other workers", || server.workers().iter().all(|pid| !workers.contains(pid)));
    server.rewrite_conf(conf(1));
    until_true("the watch ends itself", || answer(&server) == "one");
    let log = server.error_log();
    assert_eq!(log.matches("reconfiguring").count(), 3, "{log}");
    assert_eq!(log.matches("have changed").count(), 1, "{log}");
}

/// Kubernetes mounts a ConfigMap so: files are links into `..data`, which is a link to a directory with a time for a
/// name, and the change is a rename(2) over `..data`.
#[test]
fn files_of_a_config_map_and_those_that_a_pattern_fits_are_watched() {
    let server = Server::drover(Conf::workers(1).main("conf_watch on;").server("include %dir%/map/*.conf;"));
    let map = server.inside("map");
    let generation = |name: &str, text: &str| {
        fs::create_dir_all(map.join(name)).unwrap();
        fs::write(map.join(name).join("v.conf"), format!("location = /v {{ return 200 {text}; }}")).unwrap();
        symlink(name, map.join("..data_tmp")).unwrap();
        fs::rename(map.join("..data_tmp"), map.join("..data")).unwrap();
    };
    generation("..2026_11_29_05_00", "one");
    symlink("..data/v.conf", map.join("v.conf")).unwrap();
    until_true("the first map", || answer(&server) == "one");
    generation("..2026_11_29_06_00", "two");
    fs::remove_dir_all(map.join("..2026_11_29_05_00")).unwrap();
    until_true("the new map", || answer(&server) == "two");
    fs::write(map.join("w.conf"), "location = /w { return 200 new; }").unwrap();
    until_true("a new file", || server.connect().get("/w").text() == "new");
    fs::remove_file(map.join("w.conf")).unwrap();
    until_true("a file less", || server.connect().get("/w").status == 404);
}

#[test]
fn a_file_that_only_a_refused_conf_includes_is_watched() {
    let server = Server::drover(watching("one"));
    fs::write(server.inside("more.conf"), "location = /w { retrun 200 new; }").unwrap();
    server.rewrite_conf(watching("two").server("include %dir%/more.conf;"));
    until_true("the refusal", || server.error_log().contains("unknown directive \"retrun\""));
    assert_eq!(answer(&server), "one");
    fs::write(server.inside("more.conf"), "location = /w { return 200 new; }").unwrap();
    until_true("the mended file", || server.connect().get("/w").text() == "new");
}
