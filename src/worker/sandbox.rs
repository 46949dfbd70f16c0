//! `sandbox`: the files that a process which serves clients can open at all.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::conf::{Conf, Contexts, Setting};
use crate::dispatch::Seat;
use crate::http::HttpConf;
use crate::log::{self, Logs};
use crate::os::Failure;
use crate::os::confine::Confinement;
use crate::serve::access_log;
use crate::shm::Role;

/// `sandbox`: whether the kernel confines workers to the files of the conf.
pub(crate) static SANDBOX: Setting<bool> = Setting::flag("sandbox").contexts(Contexts::MAIN).default("off").about(
    "Whether the kernel (Landlock, Linux 5.13) lets workers read files beneath each `root` and `alias`, beside a file \
     that an `alias` names, and beside each `auth_basic_user_file` alone, write beside the logs alone, and connect to \
     no TCP port or bind one (Linux 6.7), whatever their user may do and whatever a hole would have them do. Symbolic \
     links that lead elsewhere are refused (403), as is a root that was not there or that another directory or link \
     took the place of: a reload finds the new one. A path with variables counts up to the last slash before the \
     first; one that begins with a variable leaves everything to read. A kernel without Landlock leaves workers what \
     their user may do, and the error log says so.",
);

/// Every process may read these: glibc reads the time zone there again when the machine's changes.
const EVERYBODYS: [&str; 2] = ["/etc/localtime", "/usr/share/zoneinfo"];

/// The rules for the process, by its conf; `None`: it is free. To be called while the process may look up every path.
pub(super) fn prepare(conf: &Conf, site: &HttpConf, logs: &Logs) -> Result<Option<Confinement>, Failure> {
    if !*conf.root.scope.get(&SANDBOX) {
        return Ok(None);
    }
    let mut read = site.paths_to_read();
    read.extend(EVERYBODYS.map(PathBuf::from));
    let mut write: Vec<PathBuf> = logs.paths().iter().filter_map(|path| place_of_log(path)).collect();
    write.extend(access_log::directories(site));
    let rules = Confinement::prepare(&read, &write);
    rules.map(Some).map_err(|e| Failure::new("making the rules of the sandbox", e))
}

/// Confines the process for good. A kernel that can't is said once, by the first worker.
pub(super) fn enter(rules: Confinement, seat: Seat) -> Result<(), Failure> {
    let is_confined = rules.enter().map_err(|e| Failure::new("entering the sandbox", e))?;
    if !is_confined && seat.role == Role::Worker && seat.number == 0 {
        log::notice!("\"sandbox\" changes nothing: this kernel has no Landlock, or it is not enabled");
    }
    Ok(())
}

/// The place where a log is opened again: its directory, since a rotation puts another file there. Devices are not
/// replaced.
fn place_of_log(path: &Path) -> Option<PathBuf> {
    let bytes = path.as_os_str().as_bytes();
    match bytes.starts_with(b"/dev/") || bytes.starts_with(b"/proc/") {
        true => Some(path.to_owned()),
        false => path.parent().map(Path::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_opened_again_beside_itself() {
        let place = |path: &str| place_of_log(Path::new(path)).unwrap().display().to_string();
        assert_eq!(place("/var/log/drover/error.log"), "/var/log/drover");
        assert_eq!([place("/dev/null"), place("/error.log")], ["/dev/null", "/"]);
    }
}
