//! Processes that the lab starts: on their own CPUs, in a process group of their own, and gone when the lab is gone.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::cpus::pin;
use super::tree::tree;
use crate::interrupt;

/// How to start a process.
#[derive(Clone, Debug)]
pub(crate) struct ProgramSpec {
    pub program: OsString,
    pub args: Vec<OsString>,
    /// The CPUs that the process may use; empty: all.
    pub cpus: Vec<usize>,
}

/// A running process with all its descendants. Dropping it kills them all.
///
/// Between lab and process stands a keeper (`lab keep`). The keeper notices the death of the lab by the end of its
/// standard input and then kills all its descendants: not even a SIGKILL of the lab leaves a server behind.
pub(crate) struct KeptProcess {
    keeper: Child,
    pid: u32,
    /// The file with the output of the process and its descendants.
    output: std::path::PathBuf,
}

/// A reading of what a process has done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub at: Instant,
    /// CPU time.
    pub cpu: Duration,
    /// How many times it has written: a client writes once for each request. `None`: the kernel does not count.
    pub writes: Option<u64>,
}

impl Look {
    /// The share of a CPU that the process used since `before`.
    pub(crate) fn share_since(&self, before: &Look) -> f64 {
        let elapsed = self.at.saturating_duration_since(before.at).as_secs_f64();
        self.cpu.saturating_sub(before.cpu).as_secs_f64() / elapsed.max(1e-9)
    }
}

impl KeptProcess {
    /// Starts the process of `spec`; its output goes to the file `output`. Error: it can't be started.
    pub(crate) fn start(spec: &ProgramSpec, output: &Path) -> Result<KeptProcess> {
        let lab = std::env::current_exe().context("where the lab itself is")?;
        let mut command = Command::new(lab);
        command.arg("keep").arg("--output").arg(output);
        if !spec.cpus.is_empty() {
            let cpus: Vec<String> = spec.cpus.iter().map(usize::to_string).collect();
            command.arg("--cpus").arg(cpus.join(","));
        }
        command.arg("--").arg(&spec.program).args(&spec.args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut keeper = command.spawn().context("starting the keeper")?;
        let Some(stdout) = keeper.stdout.take() else { bail!("the keeper has no output") };
        let mut kept = KeptProcess { keeper, pid: 0, output: output.to_owned() };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("what the keeper says")?;
        match line.trim().parse() {
            Ok(pid) => kept.pid = pid,
            Err(_) => bail!("{}: {}", spec.program.to_string_lossy(), line.trim().trim_start_matches("error: ")),
        }
        Ok(kept)
    }

    /// The pid of the process itself, not of the keeper.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The exit status of the process, when it has ended.
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.keeper.try_wait().ok().flatten()
    }

    /// Waits for the end of the process. Errors: it takes longer than `at_most`; Ctrl-C.
    pub(crate) fn wait(&mut self, at_most: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + at_most;
        loop {
            if let Some(status) = self.exit_status() {
                return Ok(status);
            }
            interrupt::check()?;
            if Instant::now() >= deadline {
                bail!("process {} did not end within {} s", self.pid, at_most.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the process has a handler for SIGINT: a program that is slow to start has none yet, and the signal
    /// would kill it without a word. Errors: Ctrl-C.
    pub(crate) fn wait_for_handler(&mut self, at_most: Duration) -> Result<()> {
        let patience = Instant::now() + at_most;
        while !catches_interrupt(self.pid) && self.exit_status().is_none() && Instant::now() < patience {
            interrupt::check()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Reads what the process has done until now; `None` when it has ended.
    pub(crate) fn look(&self) -> Option<Look> {
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(self.pid as i32)).ok()?;
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.pid)).unwrap_or_default();
        let writes = io.lines().find_map(|line| line.strip_prefix("syscw: ")?.trim().parse().ok());
        Some(Look { at: Instant::now(), cpu: clock_gettime(clock).ok()?.into(), writes })
    }

    /// Interrupts the process (SIGINT, on which ab and wrk print their figures), and waits for its end. Errors: it
    /// takes longer than `at_most`; Ctrl-C.
    pub(crate) fn interrupt(&mut self, at_most: Duration) -> Result<()> {
        // The pid is still its own: the keeper lives, and has not reaped it.
        if self.exit_status().is_none() {
            kill(Pid::from_raw(self.pid as i32), Signal::SIGINT).ok();
        }
        self.wait(at_most).map(drop)
    }

    /// The output so far.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }
}

impl Drop for KeptProcess {
    fn drop(&mut self) {
        // The keeper notices the end of its standard input, and ends when all descendants have.
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
    }
}

/// Whether the process has a handler for SIGINT (SigCgt of /proc/PID/status).
fn catches_interrupt(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(str::trim);
    mask.and_then(|mask| u64::from_str_radix(mask, 16).ok())
        .is_some_and(|mask| mask & 1 << (Signal::SIGINT as u32 - 1) != 0)
}

/// The life of a keeper: starts the program, prints its pid, waits for its end or for the end of standard input.
pub(crate) fn keep(cpus: &[usize], output: &Path, command: &[OsString]) -> Result<i32> {
    if !cpus.is_empty() {
        pin(cpus)?;
    }
    // A server that becomes a daemon leaves its group and its parent; as a descendant of a subreaper it is still found.
    set_child_subreaper(true).context("PR_SET_CHILD_SUBREAPER")?;
    let file = std::fs::File::create(output).with_context(|| output.display().to_string())?;
    let [program, args @ ..] = command else { bail!("no program to keep") };
    // The watcher must run before there is a process to leave behind.
    std::thread::spawn(|| {
        // Standard input carries no data: the read returns when the lab has ended.
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        end_descendants();
        std::process::exit(1);
    });
    let started = Command::new(program).args(args).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            say(&format!("error: {error}"));
            return Ok(127);
        }
    };
    say(&child.id().to_string());
    let status = child.wait()?;
    // A master that dies leaves its workers behind.
    end_descendants();
    Ok(status.code().unwrap_or(1))
}

/// Kills the descendants of this process until there are none: a process may fork while the tree is read.
fn end_descendants() {
    let own = std::process::id();
    loop {
        let living: Vec<u32> = tree(own).iter().map(|p| p.pid).filter(|pid| *pid != own && !is_dead(*pid)).collect();
        if living.is_empty() {
            return;
        }
        for pid in living {
            kill(Pid::from_raw(pid as i32), Signal::SIGKILL).ok();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the process has ended; also true of a zombie.
fn is_dead(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with(['Z', 'X']))
}

/// Prints a line for the lab. `println!` would panic when the lab is gone, and leave the program running.
fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_the_time_between_the_looks() {
        let begin = Instant::now();
        let at = |ms, cpu_ms| {
            let (at, cpu) = (begin + Duration::from_millis(ms), Duration::from_millis(cpu_ms));
            Look { at, cpu, writes: None }
        };
        assert!((at(180, 105).share_since(&at(80, 10)) - 0.95).abs() < 1e-9);
        assert_eq!(at(5, 1).share_since(&at(5, 1)), 0.0);
    }

    #[test]
    fn a_process_that_is_there_is_not_dead() {
        assert!(!is_dead(std::process::id()) && is_dead(u32::MAX));
        let mut child = Command::new("true").spawn().unwrap();
        while !is_dead(child.id()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.wait().unwrap();
    }
}
