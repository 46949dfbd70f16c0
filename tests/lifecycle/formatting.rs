//! `--format`: confs in their usual form.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::ended::{Ended, drover};
use crate::support::server::Product;

const SLOPPY: &str = "events{}\nhttp{server{listen 80;\n\nroot /x ; # here\n}}";
const USUAL: &str = "events { }\nhttp {\n    server {\n        listen 80;\n\n        root /x; # here\n    }\n}\n";

fn with_input(args: &[&str], input: &str) -> Ended {
    let mut command = Command::new(Product::Drover.binary());
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_conf_is_printed_and_its_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.conf");
    fs::write(&path, SLOPPY).unwrap();
    let name = path.to_str().unwrap();
    let printed = drover(&["--format", name]);
    assert_eq!((printed.code, printed.stdout.as_str()), (Some(0), USUAL), "{}", printed.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), SLOPPY);
    let piped = with_input(&["--format", "-"], SLOPPY);
    assert_eq!((piped.code, piped.stdout.as_str()), (Some(0), USUAL), "{}", piped.stderr);
    let checked = drover(&["--format", "--check", name]);
    assert_eq!((checked.code, checked.stdout), (Some(1), format!("{name}\n")));
    fs::write(&path, USUAL).unwrap();
    assert_eq!(drover(&["--format", "--check", name]).code, Some(0));
}

#[test]
fn a_file_is_replaced_with_its_mode_and_behind_its_link() {
    let dir = tempfile::tempdir().unwrap();
    let (path, link) = (dir.path().join("a.conf"), dir.path().join("link"));
    fs::write(&path, SLOPPY).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("a.conf", &link).unwrap();
    let written = drover(&["--format", "--write", link.to_str().unwrap()]);
    assert_eq!((written.code, written.stdout + &written.stderr), (Some(0), String::new()));
    assert_eq!(fs::read_to_string(&path).unwrap(), USUAL);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(link.is_symlink());
    // Nothing is left beside them, and a file in its usual form is not written again.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    assert!(drover(&["--format", "--write", path.to_str().unwrap()]).succeeded());
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
}

#[test]
fn a_mistake_is_shown_as_by_a_test_and_the_other_files_are_done() {
    let dir = tempfile::tempdir().unwrap();
    let (bad, good) = (dir.path().join("bad.conf"), dir.path().join("good.conf"));
    fs::write(&bad, "events {\n").unwrap();
    fs::write(&good, SLOPPY).unwrap();
    let written = drover(&["--format", "--write", bad.to_str().unwrap(), good.to_str().unwrap()]);
    let tested = drover(&["-t", "-c", bad.to_str().unwrap()]);
    assert_eq!(written.code, Some(1));
    assert!(written.stderr.contains("[emerg] unexpected end of file, expecting \"}\" in "), "{}", written.stderr);
    assert!(tested.stderr.starts_with(&written.stderr), "{}\n{}", tested.stderr, written.stderr);
    assert_eq!(
        (fs::read_to_string(&bad).unwrap(), fs::read_to_string(&good).unwrap()),
        ("events {\n".into(), USUAL.into())
    );
    let missing = drover(&["--format", "/no/such"]);
    let sentence = "drover: [emerg] open() \"/no/such\" failed (2: No such file or directory)\n";
    assert_eq!((missing.code, missing.stderr.as_str()), (Some(1), sentence));
    let piped = with_input(&["--format", "-"], "a }");
    assert!(piped.stderr.contains("unexpected \"}\" in standard input:1"), "{}", piped.stderr);
}

#[test]
fn the_confs_of_the_source_are_in_their_usual_form() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("conf")];
    let mut confs = vec![folders[0].join("mime.types")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "conf" => confs.push(path),
                _ => {}
            }
        }
    }
    for folder in ["conf", "container", "debian", "examples", "haproxy", "kubernetes"] {
        assert!(confs.iter().any(|conf| conf.parent().unwrap().ends_with(folder)), "{folder}: {confs:?}");
    }
    for conf in confs {
        let printed = drover(&["--format", conf.to_str().unwrap()]);
        assert!(printed.succeeded(), "{}", printed.stderr);
        let kept = fs::read_to_string(&conf).unwrap();
        let differs = kept.lines().zip(printed.stdout.lines()).find(|(kept, usual)| kept != usual);
        assert!(kept == printed.stdout, "{}: {differs:?}", conf.display());
    }
}
