//! `--init`: files to begin with, which pass `-t` and serve.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::ended::{drover, drover_in};
use crate::support::server::{Product, Setup};

#[test]
fn a_first_conf_is_written_passes_and_serves() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let begun = drover_in(dir.path(), &["--init", "my site/x"]);
    assert!(begun.succeeded(), "{}", begun.stderr);
    // The commands that it shows work as they stand, from this directory and from others.
    assert!(begun.stdout.contains("drover -t -c 'my site/x/drover.conf'\n"), "{}", begun.stdout);
    let conf = dir.path().join("my site/x/drover.conf");
    for from in [dir.path(), "/".as_ref()] {
        let tested = drover_in(from, &["-t", "-c", conf.to_str().unwrap()]);
        assert!(tested.succeeded() && !tested.stderr.contains("warn"), "{}", tested.stderr);
    }

    let text = fs::read_to_string(&conf).unwrap();
    assert!(text.contains("listen       127.0.0.1:8080;") && text.contains("#user"), "{text}");
    let text = text.replace("127.0.0.1:8080", "127.0.0.1:%port%").replace("/dev/stdout", "off");
    let server = Setup::new(Product::Drover, format!("%main%{text}").replace("error_log  stderr notice;", "")).start();
    let page = server.connect().get("/");
    assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html")));
    assert!(page.text().contains("drover is serving"));
    assert_eq!(server.connect().get("/health").text(), "ok\n");
    let missing = server.connect().get("/nothing");
    assert!(missing.status == 404 && missing.text().starts_with("<!doctype html>"), "{}", missing.text());
}

#[test]
fn nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("html")).unwrap();
    for there in ["drover.conf", "mime.types", "html/index.html"] {
        let path = dir.path().join(there);
        fs::write(&path, "mine").unwrap();
        let refused = drover(&["--init", dir.path().to_str().unwrap()]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
        assert_eq!(refused.stderr, format!("drover: \"{}\" exists: nothing is written\n", path.display()));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        fs::remove_file(&path).unwrap();
        let left = fs::read_dir(dir.path()).unwrap().count() + fs::read_dir(dir.path().join("html")).unwrap().count();
        assert_eq!(left, 1, "only html is left");
    }
    fs::write(dir.path().join("file"), "").unwrap();
    let refused = drover(&["--init", dir.path().join("file").to_str().unwrap()]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("mkdir()"), "{}", refused.stderr);
}
