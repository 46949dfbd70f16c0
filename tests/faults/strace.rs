//! strace, which lists the system calls of processes, and lets one of them fail.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::server::Product;
use crate::support::{AT_ONCE, proc, tools, until_true};

/// The `nth` call of this name that a process makes, counted from 1, fails with `error`. strace counts the calls of
/// each thread by themselves.
#[derive(Clone, Debug)]
pub struct Fault {
    pub call: String,
    pub error: &'static str,
    pub nth: usize,
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // brk(2) has no error: it returns the break as it is, and glibc asks again when that is 0.
        match &*self.call {
            "brk" => write!(f, "brk:retval=0:when={}", self.nth),
            call => write!(f, "{call}:error={}:when={}", self.error, self.nth),
        }
    }
}

/// A file that strace writes to.
pub struct Report(TempDir);

impl Report {
    pub fn new() -> Report {
        Report(tempfile::tempdir().expect("a directory"))
    }

    /// The arguments for strace that list all calls, or let one fail.
    pub fn options(&self, fault: Option<&Fault>) -> Vec<String> {
        let path = self.0.path().join("report").display().to_string();
        let mut words: Vec<String> = ["-qq", "-y", "-e", "signal=none", "-o", &path].map(str::to_owned).into();
        if let Some(fault) = fault {
            words.extend(["-e".into(), format!("trace={}", fault.call), "-e".into(), format!("inject={fault}")]);
        }
        words
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.0.path().join("report")).unwrap_or_default()).into_owned()
    }

    /// The lines of calls that have failed because strace let them.
    pub fn injected(&self) -> Vec<String> {
        self.text().lines().filter(|line| line.ends_with("(INJECTED)")).map(str::to_owned).collect()
    }
}

/// A call in a report: the thread that made it, or 0 in a report on a single one; its name; how many of that name the
/// thread had made with it; its line.
pub struct Call<'t> {
    pub thread: i32,
    pub name: &'t str,
    pub nth: usize,
    pub line: &'t str,
}

/// The calls of a report.
pub fn calls(text: &str) -> Vec<Call<'_>> {
    let mut counts: BTreeMap<(i32, &str), usize> = BTreeMap::new();
    let call = |line| {
        let (thread, line): (i32, &str) = match str::split_once(line, ' ') {
            Some((pid, rest)) if pid.bytes().all(|byte| byte.is_ascii_digit()) => (pid.parse().ok()?, rest),
            _ => (0, line),
        };
        let (name, _) = line.trim_start().split_once('(')?;
        let is_name = name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
        let count = counts.entry((thread, name)).or_default();
        *count += 1;
        is_name.then_some(Call { thread, name, nth: *count, line })
    };
    text.lines().filter_map(call).collect()
}

/// How often each call was made, by the thread that made the most of it.
pub fn counts<'t>(calls: impl IntoIterator<Item = &'t Call<'t>>) -> BTreeMap<String, usize> {
    let mut most = BTreeMap::new();
    for call in calls {
        let entry = most.entry(call.name.to_owned()).or_insert(0);
        *entry = call.nth.max(*entry);
    }
    most
}

/// The calls of the loader and of Rust's runtime, before `main`: those of a process that says its version and ends.
pub fn before_main() -> BTreeMap<String, usize> {
    let report = Report::new();
    let mut command = Command::new(tools::find("strace"));
    command.args(report.options(None)).arg(Product::Drover.binary()).arg("-v");
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("strace");
    assert!(status.success());
    let mut counts = counts(&calls(&report.text()));
    // The version is written by main.
    counts.remove("write");
    counts
}

/// strace at work on processes that run already.
pub struct Attached {
    strace: Child,
    report: Report,
}

impl Attached {
    /// Attaches to `pids` with their threads. `follows`: also to what they fork, and to new threads.
    pub fn to(pids: &[i32], follows: bool, fault: Option<&Fault>) -> Attached {
        let report = Report::new();
        let mut command = Command::new(tools::find("strace"));
        command.args(report.options(fault));
        if follows {
            command.arg("-f");
        }
        pids.iter().for_each(|pid| _ = command.args(["-p", &pid.to_string()]));
        let stderr = fs::File::create(report.0.path().join("stderr")).expect("a file");
        let mut strace = command.stdin(Stdio::null()).stderr(stderr).spawn().expect("start strace");
        let tracer = format!("TracerPid:\t{}", strace.id());
        until_true("strace has attached", || {
            let ended = strace.try_wait().expect("wait");
            assert_eq!(ended, None, "{:?}", fs::read_to_string(report.0.path().join("stderr")));
            pids.iter().all(|pid| is_traced(*pid, &tracer, follows))
        });
        Attached { strace, report }
    }

    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Lets go of the processes.
    pub fn detach(mut self) -> Report {
        self.end();
        std::mem::replace(&mut self.report, Report::new())
    }

    fn end(&mut self) {
        if self.strace.try_wait().expect("wait").is_none() {
            proc::signal(self.strace.id() as i32, Signal::SIGINT);
            let deadline = Instant::now() + AT_ONCE;
            while self.strace.try_wait().expect("wait").is_none() {
                // strace 6.1 waits for ever when a thread begins in a process that ends. The kernel lets go of all that
                // a dead tracer has stopped.
                if Instant::now() > deadline {
                    let _ = self.strace.kill();
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.end();
    }
}

fn is_traced(pid: i32, tracer: &str, with_threads: bool) -> bool {
    let is_traced = |status: String| status.lines().any(|line| line == tracer);
    let own = fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(is_traced);
    let mut tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    own && (!with_threads || tasks.all(|task| fs::read_to_string(task.path().join("status")).is_ok_and(is_traced)))
}
