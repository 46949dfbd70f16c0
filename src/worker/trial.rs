//! Tries, in a child and before a port is opened, whether a worker could begin.

use std::fs;
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;

use super::settings::WORKER_RLIMIT_NOFILE;
use crate::conf::Conf;
use crate::os::in_child::attempt_in_child;
use crate::os::signals::Signals;
use crate::os::users::Credentials;
use crate::os::{Failure, Poller, limits};

/// An obstacle that would end every worker at its start.
#[derive(Debug)]
pub enum Refused {
    /// The change of its user or group failed.
    User(Failure),
    /// Another call failed.
    Call(Failure),
}

/// The user and the limit of descriptors that were tried last and passed: a reload that changes neither needs no child.
static PASSED: Mutex<Option<(Option<Credentials>, Option<u64>)>> = Mutex::new(None);

/// Tries what a worker starts with and a kernel may refuse for good: its user, its limit of descriptors, its first
/// descriptors. Without a change in these since the last time there is no child. `user`: the user the workers become.
pub fn try_to_begin(conf: &Conf, user: Option<&Credentials>) -> Result<(), Refused> {
    let user = user.filter(|user| !user.is_assumed());
    let files = *conf.root.scope.get(&WORKER_RLIMIT_NOFILE);
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    if passed.as_ref().is_some_and(|(u, f)| (u.as_ref(), *f) == (user, files)) {
        return Ok(());
    }
    if let Some(user) = user {
        let refused = |failure| Refused::User(advise(failure, user));
        attempt_in_child(|| user.assume()).map_err(refused)?;
    }
    if let Some(files) = files {
        attempt_in_child(|| open_first(files)).map_err(Refused::Call)?;
    }
    *passed = Some((user.cloned(), files));
    Ok(())
}

fn open_first(files: u64) -> Result<(), Failure> {
    // A limit that can't be set is borne, see `prepare`.
    let _ = limits::set_max_open_files(files);
    Signals::open().map_err(|e| Failure::new("signalfd()", e))?;
    Poller::new().map_err(|e| Failure::new("epoll_create()", e))?;
    Ok(())
}

fn advise(failure: Failure, user: &Credentials) -> Failure {
    let (name, stay) = (&user.name, "or let the workers stay what the master is with \"user root;\"");
    let advice = match failure.error.raw_os_error().map(Errno::from_raw) {
        // user_namespaces(7): groups are left alone where the namespace was made without privileges.
        Some(Errno::EPERM) if fs::read("/proc/self/setgroups").is_ok_and(|is| is.trim_ascii() == b"deny") => {
            format!("this user namespace may not change groups, which \"{name}\" needs, {stay}")
        }
        Some(Errno::EPERM) => {
            format!("to become \"{name}\" takes CAP_SETUID and CAP_SETGID, start drover with them, {stay}")
        }
        Some(Errno::EINVAL) => format!("this user namespace has no such id for \"{name}\", map the id, {stay}"),
        _ => return failure,
    };
    failure.with_advice(advice)
}
