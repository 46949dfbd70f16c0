//! Processes under a manager that ends the service with them: such a process must refuse USR2, because the upgrade
//! would end it, unless the manager listens to messages.

use std::env;

use crate::os::process::{self, Pid};

/// Managers: programs that start others and keep them running. Process names, which the kernel cuts to 15 bytes.
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

/// The reason why another process may not replace this one, as the end of a sentence; `None`: it may. To be called at
/// the start, while the parent is the process that started the program. `is_in_foreground`: this process is no daemon,
/// and no old binary started it.
pub(crate) fn reason(is_in_foreground: bool) -> Option<String> {
    if process::id() == 1 {
        return Some("this is process 1, and its end is the end of the container: start a new container".into());
    }
    let parent = process::parent_id();
    let manager = if is_in_foreground { manager(parent)? } else { return None };
    // The manager is told which process the service is after the upgrade (MAINPID of sd_notify(3)).
    if env::var_os("NOTIFY_SOCKET").is_some_and(|address| !address.is_empty()) {
        return None;
    }
    Some(format!(
        "{manager} (process {parent}) started this process, and would end the service with it: tell {manager} to \
         restart the service; no connection is refused meanwhile where it keeps the sockets (LISTEN_FDS)"
    ))
}

/// The name of `parent` if it is a manager of this process.
fn manager(parent: Pid) -> Option<String> {
    let name = process::name_of(parent).unwrap_or_default();
    // systemd.exec(5): the variable names the process that the manager started, not that process's children.
    let is_main = env::var("SYSTEMD_EXEC_PID").is_ok_and(|pid| pid.parse() == Ok(process::id()));
    let is_manager = parent == 1 || is_main || MANAGERS.contains(&name.as_str());
    is_manager.then(|| if name.is_empty() { "a manager".into() } else { name })
}
