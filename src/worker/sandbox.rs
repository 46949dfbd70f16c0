//! `sandbox`: the system calls that a process which serves clients can make at all, and the files that it can open.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::conf::{self, Conf, Contexts, Setting};
use crate::dispatch::Seat;
use crate::http::HttpConf;
use crate::log::{self, Logs};
use crate::os::Failure;
use crate::os::confine::Confinement;
use crate::os::seccomp::{CallFilter, ExtraCalls};
use crate::serve::access_log;
use crate::shm::Role;
use crate::tls::Endpoints;

/// The things that the kernel holds a process to which serves clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Sandbox {
    /// The limits of its user alone.
    Off,
    /// The system calls that it makes.
    #[default]
    Calls,
    /// The system calls, and the files and ports that the conf names.
    On,
}

impl conf::OneOf for Sandbox {
    const WORDS: &'static [(&'static str, Sandbox)] =
        &[("off", Sandbox::Off), ("calls", Sandbox::Calls), ("on", Sandbox::On)];
}

/// `sandbox`: whether the kernel confines workers to their system calls, and to the files of the conf.
pub(crate) static SANDBOX: Setting<Sandbox> =
    Setting::one_of("sandbox").contexts(Contexts::MAIN).default("calls").about(
        "What the kernel lets workers do, whatever their user may do and whatever a hole would have them do. With \
         `calls` (seccomp) they make the system calls that serving takes, and no others: they start no program, open \
         no socket, map no code, and rename, link or remove no file. A call that is refused fails, and has a line \
         in the error log: `sandbox: system call execve (59) is not allowed`. With `on` they also (Landlock, \
         Linux 5.13) read files beneath each `root` and `alias`, beside a file that an `alias` names, beside each \
         `auth_basic_user_file`, and beside an `ssl_certificate` and key with a variable alone, write beside the logs \
         alone, and connect to no TCP port or bind one (Linux 6.7). Symbolic links that lead elsewhere are then \
         refused (403), as is a root that was not there or that another directory or link took the place of: a \
         reload finds the new one. A path with variables counts up to the last slash before the first; one that \
         begins with a variable leaves everything to read. Where the kernel lacks either, workers keep what their \
         user may do, and the error log says so. The master is not confined, nor is a process without one \
         (`master_process off`).",
    );

/// Every process may read these: glibc reads the time zone there again when the machine's changes.
const EVERYBODYS: [&str; 2] = ["/etc/localtime", "/usr/share/zoneinfo"];

/// The rules for the process, which do not count before [`Rules::enter`].
#[derive(Default)]
pub(super) struct Rules {
    files: Option<Confinement>,
    calls: Option<io::Result<CallFilter>>,
}

/// The rules for a process that also makes `extra` calls, by its conf, with those about files that the master has made.
pub(super) fn prepare(conf: &Conf, extra: ExtraCalls, files: Option<Confinement>) -> Rules {
    match *conf.root.scope.get(&SANDBOX) {
        Sandbox::Off => Rules::default(),
        Sandbox::Calls | Sandbox::On => Rules { files, calls: Some(CallFilter::prepare(extra)) },
    }
}

/// The rules about files for all processes of a generation; `None`: the conf asks for none. To be called while the conf
/// is loaded, by the master, which may look up every path: a process that starts later, in the place of one that was
/// killed, must not find a root that somebody has replaced since.
pub fn file_rules(
    conf: &Conf,
    site: &HttpConf,
    endpoints: &Endpoints,
    logs: &Logs,
) -> Result<Option<Confinement>, Failure> {
    if *conf.root.scope.get(&SANDBOX) != Sandbox::On {
        return Ok(None);
    }
    let mut read = site.paths_to_read();
    read.extend(endpoints.paths_to_read());
    read.extend(EVERYBODYS.map(PathBuf::from));
    let mut write: Vec<PathBuf> = logs.paths().iter().filter_map(|path| place_of_log(path)).collect();
    write.extend(access_log::directories(site));
    let made = Confinement::prepare(&read, &write);
    made.map(Some).map_err(|e| Failure::new("making the rules of the sandbox", e))
}

impl Rules {
    /// Confines the process for good. A kernel that can't is said once, by the first worker.
    pub(super) fn enter(self, seat: Seat, logs: &Logs) -> Result<(), Failure> {
        let failed = |error| Failure::new("entering the sandbox", error);
        let is_first = seat.role == Role::Worker && seat.number == 0;
        if let Some(files) = self.files
            && !files.enter().map_err(failed)?
            && is_first
        {
            log::notice!("\"sandbox\" leaves files as they are: this kernel has no Landlock, or it is not enabled");
        }
        // The filter has none of the calls by which files are confined.
        match self.calls.map(|filter| filter.and_then(|filter| filter.enter(logs.fd_for_alerts()))) {
            Some(Err(error)) if error.kind() != io::ErrorKind::Unsupported => Err(failed(error)),
            Some(Err(_)) if is_first => {
                log::notice!("\"sandbox\" leaves system calls as they are: this kernel has no seccomp, or allows none");
                Ok(())
            }
            _ => Ok(()),
        }
    }
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
