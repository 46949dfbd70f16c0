//! Where relative paths start.

use crate::support;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};

/// nginx's layout: PREFIX/conf/nginx.conf and PREFIX/html; PREFIX/other/nginx.conf is the same conf in another place.
fn layout() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let conf = "user root; daemon off; pid off; events {}\nhttp { server {\n listen unix:%dir%/socket;\n \
                location / {\n root html;\n}}}\n";
    let conf = conf.replace("%dir%", &dir.path().display().to_string());
    for sub in ["conf", "other", "html", "elsewhere/html"] {
        fs::create_dir_all(dir.path().join(sub)).unwrap();
    }
    for sub in ["conf", "other"] {
        fs::write(dir.path().join(sub).join("nginx.conf"), &conf).unwrap();
    }
    fs::write(dir.path().join("html/index.html"), "the prefix").unwrap();
    fs::write(dir.path().join("elsewhere/html/index.html"), "elsewhere").unwrap();
    dir
}

fn drover(cwd: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drover"));
    command.current_dir(cwd).args(args);
    command
}

/// The complaints of `-t`, with the directory called DIR.
fn said(dir: &Path, cwd: &str, args: &[&str]) -> String {
    let output = drover(&dir.join(cwd), args).args(["-t", "-q", "-e", "stderr"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap().replace(&dir.display().to_string(), "DIR");
    assert!(output.status.success(), "{stderr}");
    // Without root's powers `user` is worth a warning.
    stderr.lines().filter(|line| !line.contains("makes sense only")).collect::<Vec<_>>().join("\n")
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The page that a server started so serves.
fn served(dir: &Path, cwd: &str, args: &[&str]) -> String {
    let child = drover(&dir.join(cwd), args).args(["-g", "master_process off;"]).spawn().unwrap();
    let _running = Running(child);
    let socket = dir.join("socket");
    let mut client = support::until("it listens", || UnixStream::connect(&socket).ok());
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    text.rsplit("\r\n\r\n").next().unwrap().to_owned()
}

#[test]
fn a_conf_in_a_directory_called_conf_is_beside_its_files() {
    let dir = layout();
    // However the file is called, from wherever.
    for (cwd, conf) in [("elsewhere", "../conf/nginx.conf"), ("conf", "nginx.conf"), ("conf", "./nginx.conf")] {
        assert_eq!(said(dir.path(), cwd, &["-c", conf]), "", "{cwd} {conf}");
        assert_eq!(served(dir.path(), cwd, &["-c", conf]), "the prefix", "{cwd} {conf}");
    }
    // Logs, too.
    let mut command = drover(&dir.path().join("elsewhere"), &["-t", "-c", "../conf/nginx.conf", "-e", "nowhere/log"]);
    let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
    let expected = format!("open() \"{}/elsewhere/../nowhere/log\" failed", dir.path().display());
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn everywhere_else_paths_start_at_the_working_directory() {
    let dir = layout();
    assert_eq!(served(dir.path(), "elsewhere", &["-c", "../other/nginx.conf"]), "elsewhere");
    assert_eq!(served(dir.path(), ".", &["-c", "other/nginx.conf"]), "the prefix");
}

#[test]
fn the_option_decides() {
    let dir = layout();
    let prefix = dir.path().join("elsewhere").display().to_string();
    let conf = dir.path().join("conf/nginx.conf").display().to_string();
    assert_eq!(served(dir.path(), "conf", &["-p", &prefix, "-c", &conf]), "elsewhere");
    assert_eq!(served(dir.path(), "conf", &["-p", "..", "-c", "conf/nginx.conf"]), "the prefix");
}

#[test]
fn a_test_says_where_it_looks_and_where_the_files_are() {
    let dir = layout();
    let said = said(dir.path(), "conf", &["-c", "../other/nginx.conf"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "drover: [warn] the root \"DIR/conf/html\" does not exist in DIR/conf/../other/nginx.conf:5");
    assert_eq!(
        lines.last().unwrap().trim_start_matches([' ', '|', '^', '=']),
        "a relative path starts at the prefix, \"DIR/conf\"; \"DIR/conf/../html\" is there, with -p DIR/conf/.."
    );
}

/// The conf of the tree, as the README starts it and from elsewhere.
#[test]
fn the_conf_of_the_tree_finds_its_files() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let conf = tree.join("conf/drover.conf").display().to_string();
    for (cwd, conf) in [(tree, "conf/drover.conf"), (Path::new("/"), conf.as_str())] {
        let output = drover(cwd, &["-t", "-q", "-g", "user root;", "-c", conf]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && !stderr.contains("root \""), "{stderr}");
    }
}
