//! The service in a container: any user, a read-only root with two files, no capabilities, sockets for its logs; and
//! how TERM ends it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::conf;
use crate::support::client::Client;
use crate::support::server::{Product, Server};
use crate::support::{proc, tools, until, until_true};

/// The account in the container, which no file names.
const ACCOUNT: &str = "--userspec=12345:54321";

/// The root of a container: the program, its configuration, and a site. The program of a test build needs libraries.
struct Image {
    dir: TempDir,
    port: u16,
}

impl Image {
    fn new() -> Image {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let image = Image { dir, port };
        for name in ["etc/drover", "srv/www", "proc"] {
            fs::create_dir_all(image.root().join(name)).unwrap();
        }
        let program = Product::Drover.binary();
        fs::copy(&program, image.root().join("drover")).unwrap();
        for library in libraries(&program) {
            let to = image.root().join(library.strip_prefix("/").unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&library, to).unwrap();
        }
        let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/container/drover.conf");
        let text = fs::read_to_string(conf).unwrap();
        assert!(text.contains("listen  8080;") && text.contains("worker_processes  auto;"));
        let text = text.replace("listen  8080;", &format!("listen 127.0.0.1:{port};"));
        let text = text.replace("worker_processes  auto;", "worker_processes 2; user www-data;");
        fs::write(image.root().join("etc/drover/drover.conf"), text).unwrap();
        fs::write(image.root().join("srv/www/index.html"), "hello\n").unwrap();
        fs::write(image.root().join("srv/www/large"), vec![b'x'; 64 << 20]).unwrap();
        fs::set_permissions(image.root(), fs::Permissions::from_mode(0o755)).unwrap();
        image
    }

    fn root(&self) -> &Path {
        self.dir.path()
    }

    /// A container whose process 1 is drover, with these as standard output and standard error.
    fn run(&self, stdout: OwnedFd, stderr: OwnedFd) -> Child {
        let mut command = Command::new(tools::find("unshare"));
        if !geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-euc"]);
        command.arg(
            "mount --make-rprivate /; mount --bind \"$0\" \"$0\"; mount -t proc proc \"$0/proc\"
             mount -o remount,bind,ro \"$0\"; exec chroot \"$@\"",
        );
        command.arg(self.root()).args(self.chroot()).args(["-c", "/etc/drover/drover.conf"]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(std::process::Stdio::null()).stdout(stdout).stderr(stderr);
        command.spawn().expect("unshare")
    }

    /// The arguments of chroot(1).
    fn chroot(&self) -> Vec<String> {
        let account = geteuid().is_root().then(|| ACCOUNT.to_owned());
        account.into_iter().chain([self.root().display().to_string(), "/drover".into()]).collect()
    }

    /// The probe, as the container's runtime runs it.
    fn health(&self, args: &[&str]) -> Output {
        let mut command = Command::new(tools::find("chroot"));
        if !geteuid().is_root() {
            command = Command::new(tools::find("unshare"));
            command.args(["--user", "--map-root-user", "chroot"]);
        }
        command.args(self.chroot()).arg("--health").args(args).output().expect("chroot")
    }

    fn addr(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }
}

/// The files that the dynamic linker loads for a program, and the linker.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let listed = tools::run("ldd", &[program.to_str().unwrap()]);
    listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

/// The lines that come at one end of a pair of sockets.
fn lines(end: UnixStream) -> impl FnMut() -> Option<String> {
    end.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    let mut reader = BufReader::new(end);
    move || {
        let mut line = String::new();
        (reader.read_line(&mut line).expect("a line in time") > 0).then_some(line)
    }
}

#[test]
fn two_files_and_no_rights_are_enough() {
    let image = Image::new();
    let ((out, stdout), (err, stderr)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
    let unhealthy = image.health(&["-c", "/etc/drover/drover.conf"]);
    let said = String::from_utf8_lossy(&unhealthy.stderr);
    assert!(unhealthy.status.code() == Some(1) && said.contains("unhealthy: 127.0.0.1:"), "{said}");
    let mut runtime = image.run(stdout.into(), stderr.into());
    until_true("it is healthy", || image.health(&["-c", "/etc/drover/drover.conf"]).status.success());
    let url = format!("http://{}", image.addr());
    assert!(image.health(&[&format!("{url}/health")]).status.success());
    let missing = image.health(&[&format!("{url}/missing")]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("the answer is 404") && !missing.status.success());
    let master = until("process 1", || proc::children(runtime.id() as i32).first().copied());
    for process in proc::tree(master) {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        if geteuid().is_root() {
            assert_eq!((field("Uid:").split('\t').next().unwrap(), &*field("CapEff:")), ("12345", "0000000000000000"));
        }
    }
    assert_eq!(Client::connect(image.addr()).get("/").text(), "hello\n");
    let mut line = lines(out);
    let logged =
        until("the request's line", || line().filter(|line| line.contains("\"uri\":\"/\"") && line.contains(":200,")));
    let json: serde_json::Value = serde_json::from_str(&logged).expect("JSON");
    assert_eq!((json["status"].as_u64(), json["bytes"].as_u64()), (Some(200), Some(6)));

    // TERM reaches process 1, which has a handler: the download goes on, new clients are not taken.
    let mut client = Client::connect(image.addr());
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    client.wait_for_bytes(1000);
    proc::signal(master, Signal::SIGTERM);
    until_true("nobody listens", || std::net::TcpStream::connect(image.addr()).is_err());
    assert!(runtime.try_wait().unwrap().is_none());
    assert_eq!(client.response().expect("the whole file").body.len(), 64 << 20);
    assert!(runtime.wait().unwrap().success());
    let mut line = lines(err);
    let errors: String = std::iter::from_fn(&mut line).collect();
    assert!(errors.contains("signal 15 (SIGTERM) received") && errors.contains("[notice]"), "{errors}");
    assert!(!errors.contains("[alert]") && !errors.contains("[emerg]"), "{errors}");
    if geteuid().is_root() {
        assert!(errors.contains("the \"user\" directive makes sense only if"), "{errors}");
    }
}

/// A server with a request under way.
fn busy(time: &str) -> (Server, Client) {
    let server = Server::drover(conf(1).main(&format!("term_drain {time};")));
    server.file("large", vec![b'x'; 64 << 20]);
    let mut client = server.connect();
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    client.wait_for_bytes(1000);
    (server, client)
}

#[test]
fn term_drains_for_a_while_and_a_second_one_ends() {
    let (mut server, _client) = busy("300ms");
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
    let log = server.error_log();
    assert!(log.contains("gracefully shutting down") && log.contains("term_drain is over"), "{log}");
    let (mut server, _client) = busy("1h");
    server.signal(Signal::SIGTERM);
    until_true("it drains", || server.error_log().contains("gracefully shutting down"));
    assert!(server.poll_exit().is_none());
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
    let (mut server, _client) = busy("1h");
    server.signal(Signal::SIGINT);
    assert!(server.wait().success());
    assert!(!server.error_log().contains("gracefully shutting down"));
}
