//! A server under test: drover's own binary, or nginx as the oracle, started from a conf text.
//!
//! In the text these stand for what differs from run to run: `%main%` and `%http%` (what keeps the server inside its
//! directory: pid file, logs, account, temporary paths), `%dir%` (that directory), `%root%` (the document root, which
//! two servers may share), `%port%`, `%port2%`, `%port3%`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use drover::master::client::find_ledger;
use drover::shm::Ledger;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

use super::seccomp::{self, Refusal};
use super::{PATIENCE, client::Client, proc, tools, until};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    Drover,
    Nginx,
}

impl Product {
    /// drover; with `DROVER_TEST_ORACLE=1` nginx takes its place, to see whether a test asks for more than nginx does.
    pub fn under_test() -> Product {
        if std::env::var_os("DROVER_TEST_ORACLE").is_some() { Product::Nginx } else { Product::Drover }
    }

    /// The binary, by absolute path; panics when it is missing. `DROVER_TEST_BINARY` names another drover than that
    /// of the build, such as a release's.
    pub fn binary(self) -> PathBuf {
        let other = || std::env::var_os("DROVER_TEST_BINARY").map(PathBuf::from);
        match self {
            Product::Drover => other().unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_drover"))),
            Product::Nginx => tools::nginx(),
        }
    }
}

/// A server that is to be started, by `start` or `spawn`.
pub struct Setup {
    product: Product,
    conf: String,
    root: Option<PathBuf>,
    via: Vec<String>,
    refusals: Vec<Refusal>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    pipes_stdout: bool,
    tmpfs: Option<(String, String)>,
    open_dir: Option<String>,
}

/// A running server. Dropping it ends its whole process group, also when the test panics, and fails the test when the
/// sandbox has refused a system call.
pub struct Server {
    pub product: Product,
    child: Child,
    dir: TempDir,
    ports: [u16; 3],
    status: Option<ExitStatus>,
    /// Whether system calls that the sandbox refuses are no failure of the test.
    may_be_refused: AtomicBool,
}

impl Setup {
    pub fn new(product: Product, conf: impl ToString) -> Setup {
        Setup {
            product,
            conf: conf.to_string(),
            root: None,
            via: Vec::new(),
            refusals: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            pipes_stdout: false,
            tmpfs: None,
            open_dir: None,
        }
    }

    /// Below the server's directory, `name` is a directory where the workers may make files.
    pub fn dir_for_logs(mut self, name: &str) -> Setup {
        self.open_dir = Some(name.to_owned());
        self
    }

    /// Below the server's directory, `name` is a file system of `size` (as mount(8) knows it) that only the server
    /// sees; [`Server::inside`] is a way to it.
    pub fn tmpfs(mut self, name: &str, size: &str) -> Setup {
        self.tmpfs = Some((name.to_owned(), size.to_owned()));
        self
    }

    /// Serve this directory as `%root%` instead of the server's own `root/`.
    pub fn root(mut self, root: &Path) -> Setup {
        self.root = Some(root.to_owned());
        self
    }

    /// Started where the kernel refuses some calls, and those of earlier calls of this function.
    pub fn refusing(mut self, refusal: Refusal) -> Setup {
        self.refusals.push(refusal);
        self
    }

    /// Started by another program, which becomes the server: `setpriv` with these arguments.
    pub fn via(mut self, program: &str, args: &[&str]) -> Setup {
        // Joined to a directory, an absolute path stays what it is.
        self.via = vec![tools::find(program).display().to_string()];
        self.via.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    pub fn arg(mut self, arg: &str) -> Setup {
        self.args.push(arg.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Setup {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Standard output is a pipe, which nobody reads until [`Server::take_stdout`].
    pub fn stdout_to_pipe(mut self) -> Setup {
        self.pipes_stdout = true;
        self
    }

    /// Starts the server and returns when it listens on every port its conf names.
    #[track_caller]
    pub fn start(self) -> Server {
        for _ in 0..5 {
            let mut server = self.spawn();
            match server.wait_until_listening(&self.conf) {
                Ok(()) => return server,
                Err(report) if report.contains("in use") => continue,
                Err(report) => panic!("{:?} did not start:\n{report}", self.product),
            }
        }
        panic!("no free port in five tries");
    }

    /// Starts the process and does not wait for anything: for servers that are expected to fail.
    #[track_caller]
    pub fn spawn(&self) -> Server {
        let dir = tempfile::Builder::new().prefix("drover-test-").tempdir().expect("a temporary directory");
        // Workers that gave up root must reach the files.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        fs::create_dir(dir.path().join("root")).expect("mkdir root");
        if let Some(name) = &self.open_dir {
            fs::create_dir(dir.path().join(name)).expect("mkdir");
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o777)).expect("chmod");
        }
        let ports = free_ports();
        let server_conf = dir.path().join("server.conf");
        fs::write(&server_conf, self.text(dir.path(), ports)).expect("write the conf");
        let output = |name: &str| File::create(dir.path().join(name)).expect("create an output file");
        let mut words = self.via.iter().map(OsString::from).chain([self.product.binary().into()]);
        let program = PathBuf::from(words.next().expect("a program"));
        let mut command = match &self.tmpfs {
            Some((name, size)) => mounting(&dir.path().join(name), size, &program),
            None => Command::new(program),
        };
        command.args(words).arg("-p").arg(dir.path()).arg("-c").arg(&server_conf);
        if self.product == Product::Nginx {
            command.arg("-e").arg(dir.path().join("error.log"));
        }
        command.args(&self.args).envs(self.env.iter().map(|(k, v)| (k, v)));
        command.stdin(std::process::Stdio::null()).stdout(output("stdout")).stderr(output("stderr"));
        if self.pipes_stdout {
            command.stdout(std::process::Stdio::piped());
        }
        self.refusals.iter().for_each(|refusal| seccomp::refuse(&mut command, *refusal));
        let child = command.process_group(0).spawn().expect("start the server");
        Server { product: self.product, child, dir, ports, status: None, may_be_refused: AtomicBool::new(false) }
    }

    fn text(&self, dir: &Path, ports: [u16; 3]) -> String {
        let own_root = dir.join("root");
        let root = self.root.as_deref().unwrap_or(&own_root);
        fill(&self.conf, self.product, dir, root, ports)
    }
}

/// A command that goes on as `program`, in a mount namespace of its own where `at` is a tmpfs.
fn mounting(at: &Path, size: &str, program: &Path) -> Command {
    fs::create_dir(at).expect("mkdir");
    let mut command = Command::new(tools::find("unshare"));
    command.arg(if geteuid().is_root() { "-m" } else { "-rm" }).args(["sh", "-c"]);
    command.arg(format!("mount -t tmpfs -o mode=777,size={size} tmpfs \"$0\" && exec \"$@\"")).arg(at).arg(program);
    command
}

const TEMPORARY_PATHS: &str = "client_body_temp_path %dir%/tmp1; proxy_temp_path %dir%/tmp2; \
                               fastcgi_temp_path %dir%/tmp3; uwsgi_temp_path %dir%/tmp4; scgi_temp_path %dir%/tmp5;";

/// Whether DROVER_TEST_SANDBOX asks for `sandbox on` in confs that do not speak of it, to run a suite under it.
fn is_confined(product: Product, conf: &str) -> bool {
    product == Product::Drover && std::env::var_os("DROVER_TEST_SANDBOX").is_some() && !conf.contains("sandbox ")
}

/// Puts a run's paths and ports into a conf text.
fn fill(conf: &str, product: Product, dir: &Path, root: &Path, ports: [u16; 3]) -> String {
    let account = if geteuid().is_root() { "user www-data;" } else { "" };
    let sandbox = if is_confined(product, conf) { "sandbox on;" } else { "" };
    let main = format!("daemon off; pid %dir%/server.pid; error_log %dir%/error.log info; {account}{sandbox}");
    // drover makes no temporary files.
    let http = if product == Product::Drover { "" } else { TEMPORARY_PATHS };
    conf.replace("%main%", &main)
        .replace("%http%", http)
        .replace("%dir%", &dir.display().to_string())
        .replace("%root%", &root.display().to_string())
        .replace("%port%", &ports[0].to_string())
        .replace("%port2%", &ports[1].to_string())
        .replace("%port3%", &ports[2].to_string())
}

impl Server {
    /// drover with this conf, listening.
    #[track_caller]
    pub fn drover(conf: impl ToString) -> Server {
        Setup::new(Product::under_test(), conf).start()
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The pipe that standard output goes to.
    pub fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path below its directory as the server sees it, in its mount namespace.
    pub fn inside(&self, name: &str) -> PathBuf {
        let path = self.dir().join(name);
        Path::new(&format!("/proc/{}/root", self.pid())).join(path.strip_prefix("/").unwrap_or(&path))
    }

    /// Writes a file below the server's own document root.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Server {
        let path = self.dir().join("root").join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
        fs::write(path, content).expect("write a file");
        self
    }

    /// Replaces the conf text on disk, with the same ports, for a reload.
    pub fn rewrite_conf(&self, conf: impl ToString) {
        let text = fill(&conf.to_string(), self.product, self.dir(), &self.dir().join("root"), self.ports);
        fs::write(self.dir().join("server.conf"), text).expect("rewrite the conf");
    }

    pub fn conf_path(&self) -> PathBuf {
        self.dir().join("server.conf")
    }

    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    pub fn ports(&self) -> [u16; 3] {
        self.ports
    }

    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports[0]).into()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports[0])
    }

    #[track_caller]
    pub fn connect(&self) -> Client {
        Client::connect(self.addr())
    }

    /// The pids of the master's children, ascending.
    pub fn workers(&self) -> Vec<i32> {
        proc::children(self.pid())
    }

    /// The workers once there are `count` of them.
    #[track_caller]
    pub fn wait_for_workers(&self, count: usize) -> Vec<i32> {
        until(&format!("{count} workers"), || Some(self.workers()).filter(|w| w.len() == count))
    }

    /// Sends a signal to the master.
    pub fn signal(&self, signal: Signal) {
        proc::signal(self.pid(), signal);
    }

    /// The pid of the next binary's master, once it has taken the pid file over.
    #[track_caller]
    pub fn wait_for_next_master(&self) -> i32 {
        until("the new master's pid file", || {
            self.read("server.pid").trim().parse().ok().filter(|pid| *pid != self.pid())
        })
    }

    /// A file of the server's directory as text; empty when there is none.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.dir().join(name)).unwrap_or_default()).into_owned()
    }

    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    pub fn error_log(&self) -> String {
        self.read("error.log")
    }

    /// The ledger that the master shares with its children, by way of its memfd.
    #[track_caller]
    pub fn ledger(&self) -> Ledger {
        find_ledger(self.pid()).expect("the ledger's memfd")
    }

    /// Runs `drover -s SIGNAL` (or nginx's) against this server and returns its exit code and stderr.
    pub fn send(&self, signal: &str) -> (Option<i32>, String) {
        let mut command = Command::new(self.product.binary());
        command.arg("-p").arg(self.dir()).arg("-c").arg(self.conf_path()).args(["-s", signal]);
        if self.product == Product::Nginx {
            command.arg("-e").arg(self.dir().join("error.log"));
        }
        let output = command.output().expect("run -s");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The lines about system calls that the sandbox has refused.
    pub fn refused_calls(&self) -> Vec<String> {
        let logs = self.error_log() + &self.stderr();
        logs.lines().filter(|line| line.contains("sandbox: system call")).map(str::to_owned).collect()
    }

    /// Lets the test go on when the sandbox refuses a system call: otherwise it fails at the end of the server.
    pub fn let_calls_be_refused(&self) {
        self.may_be_refused.store(true, Ordering::Relaxed);
    }

    /// Waits for the master to end by itself.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let status = until("the server ends", || self.poll_exit());
        self.status = Some(status);
        status
    }

    /// QUIT, then the end: logs are complete afterwards.
    #[track_caller]
    pub fn quit(&mut self) -> ExitStatus {
        self.signal(Signal::SIGQUIT);
        self.wait()
    }

    pub fn poll_exit(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("wait for the server");
        }
        self.status
    }

    /// A port counts as ours only when a process of this group holds its listening socket: another test's server may
    /// have won the race for it.
    fn wait_until_listening(&mut self, conf: &str) -> Result<(), String> {
        let wanted: Vec<u16> = ["%port%", "%port2%", "%port3%"]
            .iter()
            .zip(self.ports)
            .filter(|(name, _)| conf.contains(*name))
            .map(|(_, port)| port)
            .collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.poll_exit() {
                return Err(format!("{status}\n{}{}", self.stderr(), self.error_log()));
            }
            let ours = proc::socket_inodes(self.pid());
            let ready = wanted.iter().all(|port| proc::listening_inodes(*port).iter().any(|i| ours.contains(i)));
            if ready && !self.workers().is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("does not listen on {wanted:?}\n{}{}", self.stderr(), self.error_log()));
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let tail =
                |text: String| text.chars().rev().take(3000).collect::<Vec<_>>().into_iter().rev().collect::<String>();
            eprintln!(
                "--- {:?} stderr\n{}--- error.log\n{}",
                self.product,
                tail(self.stderr()),
                tail(self.error_log())
            );
        }
        let group = Pid::from_raw(self.pid());
        // Workers may outlive a master that has ended; the group's id stays taken until the last of them is gone.
        if self.status.is_none() || proc::group_lives(group.as_raw()) {
            let _ = killpg(group, Signal::SIGKILL);
        }
        if self.status.is_none() {
            let _ = self.child.wait();
        }
        if !std::thread::panicking() && !*self.may_be_refused.get_mut() {
            assert_eq!(self.refused_calls(), Vec::<String>::new(), "src/os/seccomp/calls.rs misses them");
        }
    }
}

/// Three ports nobody listens on, from below the range the kernel takes for outgoing connections, so that no client
/// of a test that runs at the same time gets one of them as its own.
fn free_ports() -> [u16; 3] {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut ports = [0; 3];
    let mut found = 0;
    while found < ports.len() {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + ((std::process::id().wrapping_mul(97)).wrapping_add(step) % 20_000) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            ports[found] = port;
            found += 1;
        }
    }
    ports
}
