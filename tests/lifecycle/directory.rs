//! `drover DIR [ADDRESS]`.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::ended::drover;
use crate::support::server::Product;
use crate::support::{proc, tools, until, until_true};

fn site() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    fs::create_dir_all(dir.path().join("sub/.git")).unwrap();
    fs::create_dir(dir.path().join(".well-known")).unwrap();
    for name in ["page.html", "style.css", ".secret", "sub/.git/config", "sub/x", ".well-known/acme"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    dir
}

/// A drover that serves a directory until it is dropped.
struct Serving {
    child: Child,
    output: TempDir,
    address: SocketAddr,
}

impl Serving {
    /// `command` starts with the program, and may run it in other surroundings.
    fn start(mut command: Command, dir: &Path) -> Serving {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let output = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(output.path().join(name)).unwrap();
        command.arg(dir).arg(address.port().to_string());
        command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr")).process_group(0);
        let mut serving = Serving { child: command.spawn().unwrap(), output, address };
        until("it serves", || {
            assert!(serving.child.try_wait().unwrap().is_none(), "{}", serving.read("stderr"));
            serving.read("stderr").contains("Ctrl-C ends it").then_some(())
        });
        serving
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.output.path().join(name)).unwrap()
    }

    fn get(&self, target: &str) -> (u16, String) {
        let reply = Client::connect(self.address).get(target);
        (reply.status, reply.text())
    }

    /// Waits until all workers are this user and this group: they begin as root.
    #[track_caller]
    fn wait_for_account(&self, account: (u32, u32)) {
        until_true(&format!("workers of {account:?}"), || {
            let workers = proc::children(self.child.id() as i32);
            let owner = |pid: &i32| fs::metadata(format!("/proc/{pid}")).map(|meta| (meta.uid(), meta.gid())).ok();
            !workers.is_empty() && workers.iter().all(|pid| owner(pid) == Some(account))
        });
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.child.id() as i32), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

fn program() -> Command {
    Command::new(Product::Drover.binary())
}

#[test]
fn it_lists_serves_keeps_dot_files_and_shows_a_line_a_request() {
    let dir = site();
    let serving = Serving::start(program(), dir.path());
    let line = format!(
        "drover: serving \"{}\" on http://{}/ (process {}; Ctrl-C ends it)\n",
        dir.path().display(),
        serving.address,
        serving.child.id()
    );
    assert_eq!(serving.read("stderr"), line);
    let (status, list) = serving.get("/");
    assert!(status == 200 && list.contains("<a href=\"page.html\">") && list.contains("<a href=\"sub/\">"), "{list}");
    assert!(!list.contains("secret") && !list.contains("well-known"), "{list}");
    assert_eq!(serving.get("/page.html"), (200, "page.html".to_owned()));
    assert_eq!(serving.get("/.well-known/acme"), (200, ".well-known/acme".to_owned()));
    for hidden in ["/.secret", "/sub/.git/config", "/sub/.git/", "/.no-such"] {
        assert_eq!(serving.get(hidden).0, 404, "{hidden}");
    }
    until_true("a line a request", || serving.read("stdout").lines().count() == 7);
    assert!(serving.read("stdout").contains("\"GET /page.html HTTP/1.1\" 200 9\n"), "{}", serving.read("stdout"));
}

/// Root's workers are the owner of the directory, or nobody; and neither needs a user database.
#[test]
fn root_is_given_up() {
    if !geteuid().is_root() {
        return;
    }
    let dir = site();
    Serving::start(program(), dir.path()).wait_for_account((65534, 65534));
    chown(dir.path(), Some(4321), Some(1234)).unwrap();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let serving = Serving::start(program(), dir.path());
    serving.wait_for_account((4321, 1234));
    assert_eq!(serving.get("/page.html").0, 200);
    // An image without /etc.
    let empty = tempfile::tempdir().unwrap();
    let mut command = Command::new(tools::find("unshare"));
    let script = "mount --bind \"$1\" /etc && shift && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(empty.path()).arg(Product::Drover.binary());
    let serving = Serving::start(command, dir.path());
    assert_eq!(serving.get("/page.html").0, 200);
    serving.wait_for_account((4321, 1234));
}

#[test]
fn a_directory_that_the_workers_could_not_read_is_refused_with_what_helps() {
    if !geteuid().is_root() {
        return;
    }
    let dir = site();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
    for served in [dir.path().to_owned(), dir.path().join("sub")] {
        let output = drover(&["-t", served.to_str().unwrap()]);
        let said = &output.stderr;
        let path = dir.path().display();
        assert!(
            !output.succeeded()
                && said.contains(&format!("user 65534 may not enter \"{path}\": \"chmod o+rx {path}\"")),
            "{said}"
        );
    }
}

#[test]
fn a_taken_port_says_what_to_type() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let dir = site();
    let dir = dir.path().to_str().unwrap();
    let output = drover(&[dir, &port.to_string()]);
    let said = &output.stderr;
    let hint = format!("\nanother program has port {port}; for another port: \"drover {dir} ");
    assert!(!output.succeeded() && said.contains("(98: Address already in use)") && said.contains(&hint), "{said}");
    let free: u16 = said.split(&hint).nth(1).unwrap().trim_end().trim_end_matches('"').parse().unwrap();
    assert!(free > port);
}

#[test]
fn a_file_in_the_place_of_the_directory_says_what_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("site.conf");
    fs::write(&conf, "events { }").unwrap();
    let conf = conf.to_str().unwrap();
    for args in [&[conf][..], &["-t", conf]] {
        let output = drover(args);
        let expected =
            format!("drover: [emerg] \"{conf}\" is a file: \"drover -c {conf}\" serves what a configuration says\n");
        assert_eq!((output.code, output.stderr), (Some(1), expected));
    }
}
