//! `lab advise` with a real drover, under load and without, and with a real comparison.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use support::{lab, text};

/// A running drover with its ledger at /ledger.
struct Drover {
    master: Child,
    port: u16,
}

impl Drover {
    fn start(dir: &Path, dispatch: &str) -> Drover {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        std::fs::write(dir.join("index.html"), "<p>here</p>").unwrap();
        let user = support::user();
        let conf = format!(
            "{user} daemon off; worker_processes 2; pid {dir}/pid; error_log {dir}/error.log;\n\
             events {{ dispatch {dispatch}; }}\n\
             http {{ access_log off; types {{ text/html html; }} server {{ listen 127.0.0.1:{port}; root {dir};\n\
             location /ledger {{ ledger; }} }} }}\n",
            dir = dir.display()
        );
        std::fs::write(dir.join("conf"), conf).unwrap();
        let mut command = support::command(dir);
        command.args(["drover", "-c"]).arg(dir.join("conf")).stdin(Stdio::null());
        let drover = Drover { master: command.spawn().unwrap(), port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while drover.get("/").is_err() {
            assert!(Instant::now() < deadline, "drover does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        drover
    }

    /// Sends a request on a new connection, which stays open.
    fn get(&self, path: &str) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")?;
        stream.read_exact(&mut [0; 12])?;
        Ok(stream)
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn advice(&self) -> String {
        let output = lab(Path::new("."), &["advise", "--seconds", "1", "--ledger", &self.url("/ledger")]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let advice = text(&output.stdout);
        assert!(advice.lines().all(|line| line.chars().count() <= 80), "{advice}");
        advice
    }
}

impl Drop for Drover {
    fn drop(&mut self) {
        kill(Pid::from_raw(self.master.id() as i32), Signal::SIGTERM).ok();
        self.master.wait().ok();
    }
}

#[test]
fn an_idle_server_is_not_enough_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let advice = Drover::start(dir.path(), "herd").advice();
    assert!(
        advice.starts_with("Not enough evidence.\n") && advice.contains("new connections while watching"),
        "{advice}"
    );
    assert!(advice.contains("model now") && advice.contains("herd"), "{advice}");
}

#[test]
fn connections_that_pile_up_on_one_worker_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    // The holder keeps the mutex, however busy the machine is: the other worker tries again after a minute only.
    let drover = Drover::start(dir.path(), "accept_mutex; accept_mutex_delay 60s; accept_mutex_lease off");
    let open: Vec<TcpStream> = (0..100).map(|_| drover.get("/").unwrap()).collect();
    let advice = drover.advice();
    assert_eq!(open.len(), 100);
    assert!(advice.starts_with("dispatch accept_handoff;\n") && advice.contains("unevenly spread"), "{advice}");
}

#[test]
fn a_server_with_even_load_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let drover = Drover::start(dir.path(), "exclusive");
    let done = std::sync::atomic::AtomicBool::new(false);
    let advice = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                drover.get("/").unwrap();
                std::thread::sleep(Duration::from_micros(500));
            }
        });
        let advice = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drover.advice()));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        advice.unwrap()
    });
    assert!(advice.starts_with("dispatch exclusive;\n") && advice.contains("new connections a second"), "{advice}");
}

#[test]
fn what_is_no_ledger_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let drover = Drover::start(dir.path(), "exclusive");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    std::fs::write(dir.path().join("other.json"), r#"{"schema": "drover-lab/0"}"#).unwrap();
    std::fs::write(dir.path().join("json.html"), r#"{"hello": 1}"#).unwrap();
    let other = dir.path().join("other.json").display().to_string();
    for (args, expected) in [
        (["--ledger", &format!("http://{nobody}/ledger")], "Connection refused"),
        (["--ledger", "127.0.0.1/ledger"], "--ledger wants http://HOST:PORT/PATH"),
        (["--ledger", "https://127.0.0.1/ledger"], "--ledger wants http://HOST:PORT/PATH"),
        (["--ledger", &drover.url("/missing")], "/missing answers 404"),
        (["--ledger", &drover.url("/")], "is not a ledger (is \"ledger;\" in that location?)"),
        (["--ledger", &drover.url("/json.html")], "is not a ledger (is \"ledger;\" in that location?)"),
        (["--results", "/nonexistent/results.json"], "/nonexistent/results.json: No such file or directory"),
        (["--results", &other], "schema \"drover-lab/0\", but this lab reads"),
    ] {
        let output = lab(dir.path(), &["advise", args[0], args[1]]);
        assert!(!output.status.success(), "{args:?}");
        let said = text(&output.stderr);
        assert!(said.contains(expected) && !said.contains("watching"), "{args:?}: {said}");
    }
    let neither = lab(dir.path(), &["advise"]);
    assert!(text(&neither.stderr).contains("say what to rely on"), "{neither:?}");
}

#[test]
fn two_rounds_of_a_comparison_are_not_enough_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out").display().to_string();
    let args = ["compare", "--models", "exclusive,herd", "--loads", "short", "--rounds", "2", "--seconds", "0.2"];
    let compared = lab(dir.path(), &[&args[..], &["--rate", "300", "--workers", "2", "--out", &out]].concat());
    assert!(compared.status.success(), "{}", text(&compared.stderr));
    let output = lab(dir.path(), &["advise", "--results", &format!("{out}/results.json")]);
    let advice = text(&output.stdout);
    assert!(advice.starts_with("Not enough evidence.\n") && advice.contains("questions have no verdict"), "{advice}");
    assert!(advice.lines().all(|line| line.chars().count() <= 80), "{advice}");
}
