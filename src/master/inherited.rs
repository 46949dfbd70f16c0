//! Listening sockets that this process inherited from systemd or from an old binary, and the keys of TLS tickets.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};

use super::bound::Bound;
use crate::log;
use crate::os::inherit::{is_listening_socket, take_inherited_fd};
use crate::os::process::{self, Pid};
use crate::os::{Addr, Failure, Listener, SocketArray};
use crate::shm::{MAX_WORKERS, TicketKeys};
use std::sync::Arc;

/// The environment variable in which an old binary names its sockets to the new one, like nginx's `NGINX`: `6;7;`.
pub(crate) const UPGRADE_VARIABLE: &str = "DROVER";

/// The environment variable with the descriptor of the memory that has the keys of TLS tickets.
pub(crate) const TICKETS_VARIABLE: &str = "DROVER_TICKETS";

/// The environment variable with the descriptors of the arrays that have the sockets, where the old binary steers.
pub(crate) const STEER_VARIABLE: &str = "DROVER_STEER";

/// The environment variable with the pid of the old binary.
pub(crate) const OLD_BINARY_VARIABLE: &str = "DROVER_OLD_BINARY";

/// The first descriptor of systemd's protocol (sd_listen_fds(3)).
const SYSTEMD_FIRST: i32 = 3;

/// Inherited sockets that no conf has asked for yet.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: VecDeque<Listener>,
    /// The names that systemd has for sockets (FileDescriptorName of systemd.socket(5)).
    names: Vec<(Addr, String)>,
    /// Whether the sockets come from an old binary: this master doesn't become a daemon again, and doesn't wait for a
    /// free address.
    pub is_upgrade: bool,
    /// The arrays of sockets of the old binary.
    arrays: Vec<Arc<SocketArray>>,
    /// The keys of TLS tickets of the old binary.
    pub(super) ticket_keys: Option<Arc<TicketKeys>>,
}

impl Inherited {
    /// Takes the sockets that the environment names (ngx_add_inherited_sockets; sd_listen_fds(3)). To be called once,
    /// and before anything else opens descriptors. `LISTEN_PID` tells programs started later that the variables are not
    /// for them. A `DROVER` variable that does not name listening sockets is ignored.
    pub fn from_environment(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut inherited = Self::default();
        let text = |name| get(name).and_then(|v| v.into_string().ok());
        let upgrade = get(UPGRADE_VARIABLE);
        if let Some(numbers) = upgrade.as_deref().and_then(listening_descriptors) {
            inherited.is_upgrade = true;
            numbers.into_iter().for_each(|number| inherited.take(number));
            let keys = text(TICKETS_VARIABLE).and_then(|number| number.parse().ok());
            inherited.ticket_keys = keys.and_then(ticket_keys);
            let arrays = text(STEER_VARIABLE).unwrap_or_default();
            inherited.arrays =
                arrays.split_terminator(';').filter_map(|number| socket_array(number).map(Arc::new)).collect();
            return inherited;
        }
        if let Some(value) = upgrade {
            log::warn!(
                "the environment variable {UPGRADE_VARIABLE}={} is ignored: a binary upgrade would name listening \
                 sockets in it",
                value.display()
            );
        }
        if let (Some(pid), Some(count)) = (text("LISTEN_PID"), text("LISTEN_FDS"))
            && pid.parse() == Ok(process::id())
            && let Ok(count @ 1..=1024) = count.parse::<i32>()
        {
            let names = text("LISTEN_FDNAMES").unwrap_or_default();
            let mut names = names.split(':');
            for number in SYSTEMD_FIRST..SYSTEMD_FIRST + count {
                inherited.take_named(number, names.next().unwrap_or_default());
            }
        }
        inherited
    }

    fn take(&mut self, number: i32) {
        self.take_named(number, "");
    }

    fn take_named(&mut self, number: i32, name: &str) {
        match take_inherited_fd(number).and_then(Listener::from_fd) {
            Ok(listener) => {
                if !name.is_empty() {
                    self.names.push((listener.addr().clone(), name.to_owned()));
                }
                self.sockets.push_back(listener);
            }
            Err(error) => {
                let name = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
                log::emerg!("{}", Failure::new(format!("inherited socket #{number}{name}"), error));
            }
        }
    }

    /// The wildcard addresses of sockets that take IPv4 clients as well, whatever the conf says.
    pub fn dual_stack(&self) -> Vec<Addr> {
        dual_stack(self.sockets.iter())
    }

    /// The addresses of the sockets.
    pub(super) fn addrs(&self) -> impl Iterator<Item = &Addr> {
        self.sockets.iter().map(Listener::addr)
    }

    pub(super) fn find(&mut self, addr: &Addr) -> Option<Listener> {
        let at = self.sockets.iter().position(|l| l.addr() == addr)?;
        self.sockets.remove(at)
    }

    /// The array of the old binary that has the socket.
    pub(super) fn array_of(&self, listener: &Listener) -> Option<Arc<SocketArray>> {
        self.arrays.iter().find(|array| array.has_among(MAX_WORKERS as u32, listener)).cloned()
    }

    /// Takes out, and logs, the sockets that the conf has not asked for.
    pub fn take_rest(&mut self) -> Vec<Listener> {
        self.name_unused();
        self.sockets.drain(..).collect()
    }

    /// Logs the sockets that the conf has not asked for: clients hang at a socket that a service manager still holds.
    pub fn name_unused(&self) {
        for addr in self.addrs() {
            match self.is_upgrade {
                true => log::notice!("closing inherited socket {addr}: the configuration has no use for it"),
                false => {
                    let name = self.names.iter().find(|(named, _)| named == addr);
                    let name = name.map_or_else(String::new, |(_, name)| format!(" (\"{name}\")"));
                    log::warn!("the passed socket {addr}{name} fits no \"listen\": nobody serves its clients");
                }
            }
        }
    }
}

/// The pid of the old binary that started this process. An old binary that has died meanwhile is no longer the parent,
/// and who is would be taken for it. An old binary of a version that does not tell its pid is looked for as the parent.
pub(super) fn old_binary() -> Pid {
    let told = std::env::var(OLD_BINARY_VARIABLE).ok().and_then(|pid| pid.parse().ok());
    told.unwrap_or_else(process::parent_id)
}

/// The array that an old binary has left open under this number.
fn socket_array(number: &str) -> Option<SocketArray> {
    match take_inherited_fd(number.parse().ok()?) {
        Ok(fd) => Some(SocketArray::from_fd(fd)),
        Err(error) => {
            log::warn!("{}", Failure::new(format!("inherited array of sockets #{number}"), error));
            None
        }
    }
}

/// The keys of tickets in the memory that an old binary has left open under this number.
fn ticket_keys(number: i32) -> Option<Arc<TicketKeys>> {
    match take_inherited_fd(number).and_then(|fd| TicketKeys::open(fd.into())) {
        Ok(keys) => Some(Arc::new(keys)),
        Err(error) => {
            log::warn!("{}", Failure::new(format!("inherited keys of tickets #{number}"), error));
            None
        }
    }
}

fn dual_stack<'l>(listeners: impl Iterator<Item = &'l Listener>) -> Vec<Addr> {
    listeners.filter(|listener| listener.is_dual_stack()).map(|listener| listener.addr().clone()).collect()
}

/// The addresses of [`Inherited::dual_stack`] that the conf of `sockets` has asked for.
pub(crate) fn passed_dual_stack(sockets: &[Bound]) -> Vec<Addr> {
    dual_stack(sockets.iter().filter(|bound| bound.is_foreign).map(|bound| &*bound.listener))
}

/// The descriptors in an old binary's list, `6;7;`; `None`: `list` is something else.
fn listening_descriptors(list: &OsStr) -> Option<Vec<i32>> {
    let numbers: Vec<i32> = list.to_str()?.split_terminator(';').map(str::parse).collect::<Result<_, _>>().ok()?;
    (!numbers.is_empty() && numbers.iter().all(|number| is_listening_socket(*number))).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{FcntlArg, fcntl};
    use std::net::TcpListener;

    #[test]
    fn a_variable_that_names_no_listening_sockets_is_left_alone() {
        let file = fcntl(tempfile::tempfile().unwrap(), FcntlArg::F_DUPFD(600)).unwrap();
        let listener = fcntl(TcpListener::bind("127.0.0.1:0").unwrap(), FcntlArg::F_DUPFD(600)).unwrap();
        for value in ["", "1", "yes", ";", "0;1;2;", "99999;", &format!("{file};"), &format!("{listener};{file};")] {
            let inherited =
                Inherited::from_environment(|name| (name == UPGRADE_VARIABLE).then(|| OsString::from(value)));
            assert!(inherited.sockets.is_empty() && !inherited.is_upgrade, "{value}");
        }
        assert!(is_listening_socket(listener) && !is_listening_socket(file));
        assert!(std::fs::symlink_metadata(format!("/proc/self/fd/{file}")).is_ok(), "the file is still open");
    }

    #[test]
    fn systemd_s_variables_for_another_process_are_ignored() {
        let pid = process::id() + 1;
        let inherited = Inherited::from_environment(|name| match name {
            "LISTEN_PID" => Some(pid.to_string().into()),
            "LISTEN_FDS" => Some("2".into()),
            _ => None,
        });
        assert!(inherited.sockets.is_empty() && !inherited.is_upgrade);
    }
}
