//! `drover -s`: signals the master that the pid file names (ngx_signal_process), and waits for the end of a reload.

use std::fs::{self, File};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::pid_file::find;
use crate::os::ErrnoText;
use crate::os::process::{Pid, is_alive};
use crate::os::signals::{Signal, send};
use crate::shm::{LEDGER_NAME, Ledger};

/// How long `-s reload` waits. A reload resolves names, opens files, and retries addresses in use for 2.5 s.
const TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// Sends `signal` to the master that wrote `pid_file`. Errors: no such master lives, or kill(2) failed.
pub fn signal(pid_file: &Path, signal: Signal) -> Result<Pid, String> {
    let pid = find(pid_file)?;
    kill(pid, signal)?;
    Ok(pid)
}

/// Tells the master to reload and waits until it has. The error says why the master refused, or why the outcome is not
/// known.
pub fn reload(pid_file: &Path) -> Result<(), String> {
    let pid = find(pid_file)?;
    let ledger = find_ledger(pid);
    let before = ledger.as_ref().map(outcome);
    kill(pid, Signal::SIGHUP)?;
    let (Some(ledger), Some(before)) = (ledger, before) else {
        return Err(format!(
            "process {pid} has been told to reload; whether it did can't be seen (no {} in /proc/{pid}/fd)",
            LEDGER_NAME
        ));
    };
    wait_for_answer(pid, &ledger, before)
}

fn kill(pid: Pid, signal: Signal) -> Result<(), String> {
    send(pid, signal).map_err(|e| format!("kill({pid}, {}) failed ({})", signal as i32, ErrnoText(&e)))
}

fn outcome(ledger: &Ledger) -> (u64, u64) {
    (ledger.header().reloads_ok.get(), ledger.header().reloads_failed.get())
}

fn wait_for_answer(pid: Pid, ledger: &Ledger, before: (u64, u64)) -> Result<(), String> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let now = outcome(ledger);
        if now.1 != before.1 {
            return Err(format!("the master refused the new configuration: {}", ledger.header().reload_error.get()));
        }
        if now.0 != before.0 {
            return Ok(());
        }
        if !is_alive(pid) {
            return Err(format!("the master (process {pid}) ended while it reloaded"));
        }
        if Instant::now() >= deadline {
            return Err(format!("the master (process {pid}) has not answered within {} s", TIMEOUT.as_secs()));
        }
        sleep(POLL);
    }
}

/// The ledger of a running master: the memfd of that name among its descriptors.
pub fn find_ledger(pid: Pid) -> Option<Ledger> {
    let name = format!("/memfd:{}", LEDGER_NAME);
    fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten().map(|entry| entry.path()).find_map(|path| {
        fs::read_link(&path).ok().filter(|target| target.to_string_lossy().starts_with(&name))?;
        Ledger::open(File::options().read(true).write(true).open(&path).ok()?).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process;

    #[test]
    fn the_master_s_answer_is_read_from_its_ledger() {
        // The test process plays the master: its ledger is found by name among its descriptors.
        let own = Ledger::create().unwrap();
        own.header().master.store(process::id() as u32, std::sync::atomic::Ordering::Relaxed);
        let found = find_ledger(process::id()).unwrap();
        let before = outcome(&found);
        let answers = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| wait_for_answer(process::id(), &own, before));
            own.header().reload_error.set("bind() to 0.0.0.0:80 failed (98: Address already in use)");
            own.header().reloads_failed.add(1);
            let refused = waiting.join().unwrap();
            let before = outcome(&own);
            own.header().reloads_ok.add(1);
            (refused, wait_for_answer(process::id(), &own, before))
        });
        let text = "the master refused the new configuration: bind() to 0.0.0.0:80 failed (98: Address already in use)";
        assert_eq!(answers, (Err(text.to_owned()), Ok(())));
    }

    #[test]
    fn a_dead_master_does_not_answer() {
        let ledger = Ledger::create().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id() as Pid;
        child.wait().unwrap();
        let error = wait_for_answer(pid, &ledger, outcome(&ledger)).unwrap_err();
        assert!(error.ends_with("ended while it reloaded"), "{error}");
    }
}
