//! The directives of the process model.

use crate::conf::{self, Args, Contexts, Entry, Setting};
use crate::os::ErrnoText;
use crate::os::machine::usable_cpus;
use crate::os::users::{Credentials, LookupError, is_root};
use crate::shm::MAX_WORKERS;
use std::path::PathBuf;

/// The directives of this layer.
pub static DIRECTIVES: &[&dyn Entry] =
    &[&USER, &WORKER_PROCESSES, &PID, &DAEMON, &MASTER_PROCESS, &TERM_DRAIN, &CONF_WATCH];

/// `daemon`: whether the server leaves the terminal.
pub static DAEMON: Setting<bool> = Setting::flag("daemon").contexts(Contexts::MAIN).default("off").about(
    "Whether the server leaves the terminal and runs in the background; the command returns when it serves, with 1 \
         when that fails. By default it stays: containers and service managers expect that, and on a terminal Ctrl-C \
         stops it. A daemon writes nothing to the terminal that it was started from: for logs that name it (stderr, \
         /dev/stdout) there is a warning, and their lines go nowhere. Read at the start only.",
);

/// `master_process`: whether there are workers.
pub static MASTER_PROCESS: Setting<bool> = Setting::flag("master_process")
    .contexts(Contexts::MAIN)
    .default("on")
    .about("`off`: one process that serves by itself, for debugging; it can't reload. Read at the start only.");

/// `conf_watch`: reloads by itself.
pub(super) static CONF_WATCH: Setting<bool> =
    Setting::flag("conf_watch").contexts(Contexts::MAIN).default("off").about(
        "Reloads when a file of the conf is replaced, comes or goes: the one of `-c`, and those of its includes, in a \
         directory that Kubernetes has mounted from a ConfigMap, for one. The master looks at them each second, and \
         reads them when they have not changed for one. A conf with mistakes is refused as by `-s reload`: the log \
         says why, the service goes on, and the next change is another try. Files that the conf names but does not \
         include are not watched: see `certificate_watch` for those of certificates.",
    );

/// `term_drain`: how long TERM waits for the requests in progress, ms.
pub static TERM_DRAIN: Setting<u64> = Setting::time_ms("term_drain").contexts(Contexts::MAIN).default("0").about(
    "How long the signal TERM to the master finishes the requests in progress, as QUIT does, before it ends what is \
         left; 0: at once. For containers and Kubernetes, which end a service by TERM, and by KILL after a time that \
         should be longer than this one. A second TERM, or INT, ends at once. Without a master it has no effect.",
);

/// The value of `pid`: the file of the master's id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PidPath {
    /// A path that no other conf has.
    #[default]
    Default,
    /// No file.
    Off,
    /// This file.
    File(PathBuf),
}

/// `pid`: the file of the master's id.
pub static PID: Setting<PidPath> =
    Setting::one("pid", |a| Ok(if a.str(0)? == "off" { PidPath::Off } else { PidPath::File(a.path(0)?.into()) }))
        .contexts(Contexts::MAIN)
        .args(1, 1)
        .syntax("FILE | off")
        .about(
            "The file that holds the master's process id, where `drover -s` finds it. Relative paths start at the \
             prefix. Without this directive it is `drover-NAME-HASH.pid`, from the path of the conf file, in `/run` \
             for root, else in `$XDG_RUNTIME_DIR` (`/run/user/UID` without that variable); or, where that can't be \
             written, in the directory `/tmp/drover-UID`, which only this user can enter. If that fails as well, one \
             warning says so, and `drover -s` can't be used. The master keeps the file locked: another one does not \
             start with it, and `drover -s` sends nothing to a process that did not write it. What is not a regular \
             file, or holds something else than a process id, is neither written to nor removed; `pid /dev/null` is \
             `pid off`.",
        );

/// The number of workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WorkerProcesses {
    /// A worker for each CPU that can be used.
    #[default]
    Auto,
    /// A fixed number.
    Count(u32),
}

impl WorkerProcesses {
    /// The number, at least 1.
    pub fn count(self) -> u32 {
        match self {
            Self::Auto => u32::try_from(usable_cpus()).unwrap_or(MOST_WORKERS).min(MOST_WORKERS),
            Self::Count(n) => n,
        }
    }
}

const MOST_WORKERS: u32 = MAX_WORKERS as u32;

/// `worker_processes`: the number of workers.
pub static WORKER_PROCESSES: Setting<WorkerProcesses> = Setting::one("worker_processes", |a| {
    if a.str(0)? == "auto" {
        return Ok(WorkerProcesses::Auto);
    }
    match conf::parse_count(a.str(0)?).and_then(|n| u32::try_from(n).ok()) {
        Some(n @ 1..=MOST_WORKERS) => Ok(WorkerProcesses::Count(n)),
        Some(_) => Err(a.bad(0, format!("the number of workers must be between 1 and {MOST_WORKERS}"))),
        None => Err(a.invalid(0, "value", "a number of processes, or auto")),
    }
})
.contexts(Contexts::MAIN)
.args(1, 1)
.syntax("NUMBER | auto")
.default("1")
.about(
    "How many worker processes serve clients. `auto`: one for each CPU that this process may use: those of its \
     affinity mask, and no more than the CPU quota of its control group (v1 or v2), rounded up.",
);

/// The user of the workers; `None`: the master's, or `nobody` when the master is root.
pub static USER: Setting<Option<Credentials>> =
    Setting::one("user", user).contexts(Contexts::MAIN).args(1, 2).syntax("USER [GROUP]").about(
        "Who the workers are when the master is root; the group is the one named like the user unless it is said. \
         Without this directive they are `nobody`. A start or a reload fails where they may not become who they should \
         be. Without root it has no effect.",
    );

fn user(a: &mut Args) -> Result<Option<Credentials>, conf::Error> {
    let (name, group) = (a.str(0)?, a.opt_str(1));
    if !is_root() {
        a.warn(
            0,
            "the \"user\" directive makes sense only if the master process runs with super-user privileges, ignored",
        );
        return Ok(None);
    }
    Credentials::look_up(name, group).map(Some).map_err(|error| match error {
        LookupError::NoUser => a.bad(0, format!("getpwnam(\"{name}\") failed")),
        LookupError::NoGroup => {
            let at = usize::from(group.is_some());
            a.bad(at, format!("getgrnam(\"{}\") failed", group.unwrap_or(name)))
        }
        LookupError::Io(e) => a.bad(0, format!("getpwnam(\"{name}\") failed ({})", ErrnoText(&e))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{Conf, Registry, parse};

    fn read(text: &str) -> Result<Conf, String> {
        let registry = Registry::new(&[DIRECTIVES]);
        assert_eq!(registry.problems(), Vec::<String>::new());
        parse(&registry, text).map_err(|e| e.sentence())
    }

    #[test]
    fn defaults_are_nginx_s() {
        let conf = read("").unwrap();
        let scope = &conf.root.scope;
        assert_eq!(*scope.get(&WORKER_PROCESSES), WorkerProcesses::Count(1));
        assert_eq!(*scope.get(&PID), PidPath::Default);
        assert!(*scope.get(&MASTER_PROCESS) && scope.get(&USER).is_none());
        assert!(!*scope.get(&DAEMON), "nginx's is on");
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(*read("worker_processes auto;").unwrap().root.scope.get(&WORKER_PROCESSES), WorkerProcesses::Auto);
        assert!(read("worker_processes 0;").unwrap_err().contains("between 1 and 1024"));
        assert_eq!(
            read("worker_processes many;").unwrap_err(),
            "\"worker_processes\" directive invalid value in conf:1"
        );
        assert_eq!(*read("pid off;").unwrap().root.scope.get(&PID), PidPath::Off);
        let file = read("pid x.pid;").unwrap();
        assert_eq!(*file.root.scope.get(&PID), PidPath::File("/x.pid".into()));
    }

    #[test]
    fn the_user_is_looked_up_by_root_and_ignored_without() {
        if !is_root() {
            assert!(read("user no-such-user;").unwrap().warnings[0].error.message().contains("ignored"));
            return;
        }
        assert_eq!(read("user root;").unwrap().root.scope.get(&USER).as_ref().unwrap().uid, 0);
        assert_eq!(read("user no-such-user;").unwrap_err(), "getpwnam(\"no-such-user\") failed in conf:1");
        assert_eq!(read("user root no-such-group;").unwrap_err(), "getgrnam(\"no-such-group\") failed in conf:1");
    }
}
