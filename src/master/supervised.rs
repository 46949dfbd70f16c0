//! Processes whose end is the end of more than themselves: USR2, and then QUIT, must not be obeyed by them.

use std::env;

use crate::os::process::{self, Pid};

/// Programs that start others and see to it that they run: the name of the process, cut to 15 bytes by the kernel.
const MANAGERS: &[&str] = &[
    "systemd",
    "runsv",
    "s6-supervise",
    "supervise",
    "supervise-daemo",
    "supervisord",
    "tini",
    "docker-init",
    "dumb-init",
    "catatonit",
];

/// Why this process may not be replaced by another one, as the end of a sentence; `None`: it may. To be asked at the
/// start, while the parent is whoever started the program. `is_in_foreground`: it has not made itself a daemon, and no
/// old binary started it.
pub fn reason(is_in_foreground: bool) -> Option<String> {
    if process::id() == 1 {
        return Some("this is process 1, and its end is the end of the container: start a new container".into());
    }
    let parent = process::parent_id();
    let manager = if is_in_foreground { manager(parent)? } else { return None };
    Some(format!(
        "{manager} (process {parent}) started this process, and would end the service with it: tell {manager} to restart the \
         service; no connection is refused meanwhile where it keeps the sockets (LISTEN_FDS)"
    ))
}

/// The name of `parent` if it watches over this process.
fn manager(parent: Pid) -> Option<String> {
    let name = process::name_of(parent).unwrap_or_default();
    // systemd.exec(5): whom the manager started, not those whom that has started.
    let is_main = env::var("SYSTEMD_EXEC_PID").is_ok_and(|pid| pid.parse() == Ok(process::id()));
    let is_manager = parent == 1 || is_main || MANAGERS.contains(&name.as_str());
    is_manager.then(|| if name.is_empty() { "a manager".into() } else { name })
}
