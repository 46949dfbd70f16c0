//! The listening sockets: kept over a reload, inherited from systemd or an old binary, or opened.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;
use std::time::Duration;

use super::bind_advice::advise;
use super::port_move::bind_beside;
use crate::log;
use crate::os::inherit::{is_listening_socket, take_inherited_fd};
use crate::os::process;
use crate::os::{Addr, Failure, ListenOptions, Listener, SocketFile, Steer, replace_abandoned, signals};

/// The variable in which an old binary names its sockets to the new one, as nginx's `NGINX`: `6;7;`.
pub const UPGRADE_VARIABLE: &str = "DROVER";

/// The first descriptor of systemd's protocol (sd_listen_fds(3)).
const SYSTEMD_FIRST: i32 = 3;

/// One listening socket with the address it was asked for.
#[derive(Debug, Clone)]
pub struct Bound {
    /// As configured.
    pub addr: Addr,
    /// With these options.
    pub options: ListenOptions,
    /// The socket; a reload shares it with the previous configuration.
    pub listener: Arc<Listener>,
    /// Which of the conf's sockets it is, by the order of [`crate::serve::listen_sockets`].
    pub n: usize,
    /// Its number among those with its address (reuseport): the worker of this number has it for itself. `None`: all share it.
    pub copy: Option<u32>,
    /// systemd made it, and removes its path.
    pub(super) is_foreign: bool,
    /// The socket is bound only, and listens when the reload can't fail any more.
    pub(super) listens_late: bool,
}

/// Sockets that this process was started with and that no configuration has asked for yet.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: VecDeque<Listener>,
    /// They come from an old binary: this master doesn't become a daemon again, and doesn't wait for a free address.
    pub is_upgrade: bool,
}

impl Inherited {
    /// Takes what the environment names (ngx_add_inherited_sockets; sd_listen_fds(3)). To be called once, before
    /// anything else opens descriptors. `LISTEN_PID` keeps programs started later from believing that the variables are
    /// meant for them; a [`UPGRADE_VARIABLE`] that somebody has set to something else is ignored.
    pub fn from_environment(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut inherited = Self::default();
        let text = |name| get(name).and_then(|v| v.into_string().ok());
        let upgrade = get(UPGRADE_VARIABLE);
        if let Some(numbers) = upgrade.as_deref().and_then(listening_descriptors) {
            inherited.is_upgrade = true;
            numbers.into_iter().for_each(|number| inherited.take(number));
            return inherited;
        }
        if let Some(value) = upgrade {
            log::warn!(
                "the environment variable {UPGRADE_VARIABLE}={} is ignored: a binary upgrade would name listening sockets in it",
                value.display()
            );
        }
        if let (Some(pid), Some(count)) = (text("LISTEN_PID"), text("LISTEN_FDS"))
            && pid.parse() == Ok(process::id())
            && let Ok(count @ 1..=1024) = count.parse::<i32>()
        {
            (SYSTEMD_FIRST..SYSTEMD_FIRST + count).for_each(|number| inherited.take(number));
        }
        inherited
    }

    fn take(&mut self, number: i32) {
        match take_inherited_fd(number).and_then(Listener::from_fd) {
            Ok(listener) => self.sockets.push_back(listener),
            Err(error) => log::emerg!("{}", Failure::new(format!("inherited socket #{number}"), error)),
        }
    }

    /// The wildcard addresses of those that take IPv4 clients, too, though the conf may not say so.
    pub fn dual_stack(&self) -> Vec<Addr> {
        dual_stack(self.sockets.iter())
    }

    fn find(&mut self, addr: &Addr) -> Option<Listener> {
        let at = self.sockets.iter().position(|l| l.addr() == addr)?;
        self.sockets.remove(at)
    }

    /// Takes out those that the configuration has no use for.
    pub fn take_rest(&mut self) -> Vec<Listener> {
        self.name_unused();
        self.sockets.drain(..).collect()
    }

    /// Logs what nobody will accept from: the clients of a socket that a service manager holds as well hang.
    pub fn name_unused(&self) {
        for addr in self.sockets.iter().map(Listener::addr) {
            match self.is_upgrade {
                true => log::notice!("closing inherited socket {addr}: the configuration has no use for it"),
                false => log::warn!("the passed socket {addr} fits no \"listen\": nobody serves its clients"),
            }
        }
    }
}

fn dual_stack<'l>(listeners: impl Iterator<Item = &'l Listener>) -> Vec<Addr> {
    listeners.filter(|listener| listener.is_dual_stack()).map(|listener| listener.addr().clone()).collect()
}

/// The sockets of [`Inherited::dual_stack`] that a conf has found a use for.
pub fn passed_dual_stack(sockets: &[Bound]) -> Vec<Addr> {
    dual_stack(sockets.iter().filter(|bound| bound.is_foreign).map(|bound| &*bound.listener))
}

/// The descriptors that an old binary names, if that is what `list` does: `6;7;`.
fn listening_descriptors(list: &OsStr) -> Option<Vec<i32>> {
    let numbers: Vec<i32> = list.to_str()?.split_terminator(';').map(str::parse).collect::<Result<_, _>>().ok()?;
    (!numbers.is_empty() && numbers.iter().all(|number| is_listening_socket(*number))).then_some(numbers)
}

/// How patient [`open`] is with an address in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InUse {
    /// Five attempts, half a second apart (ngx_open_listening_sockets): a predecessor may be about to close it. A
    /// signal that ends the service ends the attempts.
    Retry,
    /// One attempt: nobody is expected to leave.
    Fail,
    /// Not an error: `-t` beside a server that runs.
    Ignore,
}

/// A socket that the conf asks for.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    pub addr: &'a Addr,
    pub options: ListenOptions,
    /// How many processes are to have one of their own; 1: all share it.
    pub copies: u32,
}

impl<'a> Wanted<'a> {
    /// A socket of a conf whose model has so many `acceptors`, which `own` TCP sockets or not; `listen ... reuseport` asks for
    /// the same for one address.
    pub fn new(addr: &'a Addr, options: &ListenOptions, acceptors: u32, own: bool) -> Wanted<'a> {
        let is_tcp = addr.port().is_some();
        let reuseport = is_tcp && (own || options.reuseport);
        let copies = if reuseport { acceptors.max(1) } else { 1 };
        Wanted { addr, options: ListenOptions { reuseport, ..options.clone() }, copies }
    }

    /// One entry for each copy.
    fn each(self, n: usize) -> impl Iterator<Item = (usize, Option<u32>, &'a Addr, ListenOptions)> {
        let Wanted { addr, options, copies } = self;
        (0..copies).map(move |copy| (n, (copies > 1).then_some(copy), addr, options.clone()))
    }
}

/// The sockets for `wanted`, in its order: taken from `old`, from `inherited`, or opened. On an error those that were opened
/// here are closed again and `old` is as before; the number is that of the wanted one.
pub fn open<'a>(
    wanted: impl IntoIterator<Item = Wanted<'a>>,
    old: &[Bound],
    inherited: &mut Inherited,
    in_use: InUse,
) -> Result<Vec<Bound>, (usize, Failure)> {
    let (mut bound, mut made): (Vec<Bound>, Vec<Bound>) = Default::default();
    let wanted: Vec<_> = wanted.into_iter().collect();
    let leaves = |old: &&Bound| !wanted.iter().any(|wanted| old.is_for(wanted.addr, &wanted.options));
    let leaving: Vec<_> = old.iter().filter(leaves).collect();
    let each = wanted.iter().cloned().enumerate().flat_map(|(n, wanted)| wanted.each(n));
    for (n, copy, addr, options) in each {
        let options = &options;
        // Several sockets may share an address (reuseport): each old one is taken once.
        let taken = |o: &&Bound| !bound.iter().any(|b| Arc::ptr_eq(&b.listener, &o.listener));
        let kept = old.iter().filter(|o| o.is_for(addr, options)).find(taken);
        let rival = rival(addr, old, inherited);
        // Nobody but this process could leave.
        let in_use = if in_use == InUse::Retry && rival.is_some() { InUse::Fail } else { in_use };
        let opened = match kept {
            Some(kept) => keep(kept, addr, options),
            None => match inherited.find(addr) {
                Some(listener) => adopt(listener, addr, options, !inherited.is_upgrade),
                None => match bind_beside(addr, options, &leaving) {
                    Some(listener) => Ok(Some(Bound { listens_late: true, ..Bound::new(addr, options, listener) })),
                    None => open_one(addr, options, in_use).inspect(|opened| made.extend(opened.clone())),
                },
            },
        };
        match opened {
            Ok(one) => bound.extend(one.map(|one| Bound { n, copy, ..one })),
            Err(failure) => {
                remove_files(&files(&made));
                return Err((n, advise(failure, addr, rival.as_deref())));
            }
        }
    }
    Ok(bound)
}

impl Bound {
    fn new(addr: &Addr, options: &ListenOptions, listener: Listener) -> Bound {
        let (addr, options, listener) = (addr.clone(), options.clone(), Arc::new(listener));
        Bound { addr, options, listener, n: 0, copy: None, is_foreign: false, listens_late: false }
    }

    /// Whether this is the socket for `addr`; a Unix socket's path may be spelled otherwise, and `ipv6only` can't be
    /// changed.
    pub(super) fn is_for(&self, addr: &Addr, options: &ListenOptions) -> bool {
        let is_file = |path| self.listener.file().is_some_and(|file| file.is_at(path));
        let is_same = !matches!(addr, Addr::V6(_)) || options.ipv6only == self.options.ipv6only;
        self.addr == *addr && is_same || addr.path().is_some_and(is_file)
    }
}

fn keep(old: &Bound, addr: &Addr, options: &ListenOptions) -> Result<Option<Bound>, Failure> {
    if old.options != *options {
        apply(&old.listener, addr, options)?;
    }
    Ok(Some(Bound { addr: addr.clone(), options: options.clone(), listens_late: false, ..old.clone() }))
}

fn adopt(listener: Listener, addr: &Addr, options: &ListenOptions, is_foreign: bool) -> Result<Option<Bound>, Failure> {
    apply(&listener, addr, options)?;
    Ok(Some(Bound { is_foreign, ..Bound::new(addr, options, listener) }))
}

fn apply(listener: &Listener, addr: &Addr, options: &ListenOptions) -> Result<(), Failure> {
    let failed = |call: &'static str| move |e| Failure::new(format!("{call} for {addr}"), e);
    listener.configure(options).map_err(failed("setsockopt()"))?;
    listener.set_backlog(options.backlog).map_err(failed("listen()"))
}

fn open_one(addr: &Addr, options: &ListenOptions, in_use: InUse) -> Result<Option<Bound>, Failure> {
    // A socket that joined those of a running server would get connections, and take them along when it is closed.
    let options = &ListenOptions { reuseport: options.reuseport && in_use != InUse::Ignore, ..options.clone() };
    let attempts = if in_use == InUse::Retry { 5 } else { 1 };
    let mut attempt = 0;
    loop {
        attempt += 1;
        let opened = Listener::open(addr, options).or_else(|failure| replace(addr, options, in_use, failure));
        match opened {
            Ok(listener) => return Ok(Some(Bound::new(addr, options, listener))),
            Err(f) if f.error.kind() == ErrorKind::AddrInUse && is_occupied(addr) => {
                return Err(Failure::new(format!("bind() to {addr}, where something is that is no socket,"), f.error));
            }
            Err(f) if f.error.kind() == ErrorKind::AddrInUse && in_use == InUse::Ignore => return Ok(None),
            Err(f) if f.error.kind() == ErrorKind::AddrInUse && attempt < attempts => {
                if attempt == 1 {
                    log::warn!("{f}, trying again for two seconds");
                }
                if signals::sleep(Duration::from_millis(500)) {
                    return Err(f);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Names another socket with the port of `addr` that this process has, and the conf has no use for.
fn rival(addr: &Addr, old: &[Bound], inherited: &Inherited) -> Option<String> {
    let port = addr.port()?;
    let excludes = |other: &Addr| other.port() == Some(port) && (other.is_wildcard() || addr.is_wildcard());
    let passed = inherited.sockets.iter().map(Listener::addr).find(|other| excludes(other));
    if let Some(other) = passed.filter(|_| inherited.is_upgrade) {
        return Some(format!(
            "the old binary listens on {other}, reload it with this configuration before the upgrade"
        ));
    }
    let own = old.iter().find(|bound| excludes(&bound.addr));
    match (passed.or(own.filter(|bound| bound.is_foreign).map(|bound| &bound.addr)), own) {
        (Some(other), _) => Some(format!("{other}, a socket that was passed to this service, has the port")),
        (None, Some(own)) => Some(format!("this service's own socket {} has the port", own.addr)),
        (None, None) => None,
    }
}

/// Whether another kind of file is in the way of a Unix socket: nobody is going to leave.
fn is_occupied(addr: &Addr) -> bool {
    let meta = addr.path().and_then(|path| fs::symlink_metadata(path).ok());
    meta.is_some_and(|meta| !meta.file_type().is_socket())
}

/// Takes the place of a Unix socket that a crash has left; else `failure` is the answer.
fn replace(addr: &Addr, options: &ListenOptions, in_use: InUse, failure: Failure) -> Result<Listener, Failure> {
    if failure.error.kind() != ErrorKind::AddrInUse || in_use == InUse::Ignore {
        return Err(failure);
    }
    let listener = replace_abandoned(addr, options)?.ok_or(failure)?;
    log::warn!("no process had {addr} any more: it has been replaced");
    Ok(listener)
}

/// Those that the process with this number among the acceptors has, in the conf's order, and whether for itself alone.
pub fn of_process(sockets: Vec<Bound>, number: u32) -> Vec<(Arc<Listener>, bool)> {
    let has = |bound: &Bound| bound.copy.is_none_or(|copy| copy == number);
    sockets.into_iter().filter(has).map(|bound| (bound.listener, bound.copy.is_some())).collect()
}

/// Tells the kernel which sockets of an address new connections go to, before the processes of an older generation let go of
/// theirs: those that `new` has no place for get no more, so that what waits in them can be taken out and nothing is lost.
/// `before`: the address of each socket that there was.
pub fn steer(new: &[Bound], before: &[Addr], by_cpu: bool) {
    for first in new.iter().filter(|bound| bound.copy.is_none_or(|copy| copy == 0)) {
        let sockets = new.iter().filter(|bound| bound.addr == first.addr).count();
        let before = before.iter().filter(|addr| **addr == first.addr).count();
        if !first.options.reuseport && before <= sockets {
            continue;
        }
        let steer = match () {
            () if by_cpu => Steer::ByCpu { sockets: sockets as u32 },
            () if before > sockets => Steer::AmongFirst { sockets: sockets as u32 },
            () => Steer::ByHash,
        };
        if let Err(error) = first.listener.steer(steer) {
            log::alert!("{}", Failure::new(format!("setsockopt() for {}", first.addr), error));
        }
    }
}

/// The address of each.
pub fn addrs(bound: &[Bound]) -> Vec<Addr> {
    bound.iter().map(|bound| bound.addr.clone()).collect()
}

/// Removes the files of those Unix sockets in `gone` that `kept` doesn't have. The sockets themselves close with their
/// last reference, in this process; a worker that drains has its own.
pub fn close_missing(gone: &[Bound], kept: &[Bound]) {
    let is_kept = |bound: &&Bound| kept.iter().any(|kept| Arc::ptr_eq(&kept.listener, &bound.listener));
    remove_files(&files(gone.iter().filter(|bound| !is_kept(bound))));
}

/// The files of those Unix sockets that are this program's to remove.
pub fn files<'b>(bound: impl IntoIterator<Item = &'b Bound>) -> Vec<SocketFile> {
    let own = bound.into_iter().filter(|b| !b.is_foreign);
    own.filter_map(|b| b.listener.file().cloned()).collect()
}

/// Removes them, unless something else has taken their place; a failure is logged.
pub fn remove_files(files: &[SocketFile]) {
    for failure in files.iter().filter_map(|file| file.remove().err()) {
        log::emerg!("{failure}");
    }
}

/// The value of [`UPGRADE_VARIABLE`] and the descriptors it names.
pub fn for_next_binary(bound: &[Bound]) -> (OsString, Vec<BorrowedFd<'_>>) {
    let list: String = bound.iter().map(|b| format!("{};", b.listener.as_raw_fd())).collect();
    (list.into(), bound.iter().map(|b| b.listener.as_fd()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{FcntlArg, fcntl};
    use std::net::{SocketAddr, TcpListener};

    fn any() -> Addr {
        "127.0.0.1:0".parse::<SocketAddr>().unwrap().into()
    }

    fn open_some(addrs: &[Addr], old: &[Bound], inherited: &mut Inherited) -> Result<Vec<Bound>, Failure> {
        let options = ListenOptions::default();
        let wanted = addrs.iter().map(|a| Wanted::new(a, &options, 4, false));
        open(wanted, old, inherited, InUse::Fail).map_err(|(_, failure)| failure)
    }

    #[test]
    fn a_reload_keeps_sockets_by_address_and_opens_the_rest() {
        let mut none = Inherited::default();
        let first = open_some(&[any()], &[], &mut none).unwrap();
        // Its address as configured; port 0 stands for one only.
        let second = open_some(&[any(), any()], &first, &mut none).unwrap();
        assert!(Arc::ptr_eq(&first[0].listener, &second[0].listener));
        assert_ne!(first[0].listener.addr(), second[1].listener.addr());
    }

    #[test]
    fn changed_options_reach_a_kept_socket() {
        let mut none = Inherited::default();
        let first = open_some(&[any()], &[], &mut none).unwrap();
        let (addr, options) = (any(), ListenOptions { backlog: 7, ..ListenOptions::default() });
        let wanted = Wanted::new(&addr, &options, 1, false);
        let second = open([wanted], &first, &mut none, InUse::Fail).unwrap();
        assert_eq!(second[0].options.backlog, 7);
        assert!(Arc::ptr_eq(&first[0].listener, &second[0].listener));
    }

    #[test]
    fn an_address_in_use_fails_or_is_ignored_under_test() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = Addr::from(taken.local_addr().unwrap());
        let mut none = Inherited::default();
        let error = open_some(std::slice::from_ref(&addr), &[], &mut none).unwrap_err();
        let expected =
            format!("bind() to {addr} failed (98: Address already in use): held by process {} (", process::id());
        assert!(error.to_string().starts_with(&expected), "{error}");
        let wanted = Wanted::new(&addr, &ListenOptions::default(), 1, false);
        let ignored = open([wanted], &[], &mut none, InUse::Ignore).unwrap();
        assert!(ignored.is_empty());
    }

    #[test]
    fn a_failed_attempt_removes_the_unix_sockets_it_made_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (Addr::unix(dir.path().join("old")), Addr::unix(dir.path().join("new")));
        let bad = Addr::unix(dir.path().join("no/such"));
        let mut none = Inherited::default();
        let first = open_some(std::slice::from_ref(&old), &[], &mut none).unwrap();
        assert!(open_some(&[old.clone(), new.clone(), bad], &first, &mut none).is_err());
        assert!(old.path().unwrap().exists() && !new.path().unwrap().exists());
        close_missing(&first, &[]);
        assert!(!old.path().unwrap().exists());
    }

    #[test]
    fn an_old_binary_s_sockets_are_found_by_address() {
        let a = TcpListener::bind("127.0.0.1:0").unwrap();
        let b = TcpListener::bind("127.0.0.1:0").unwrap();
        let addrs = [Addr::from(b.local_addr().unwrap()), Addr::from(a.local_addr().unwrap())];
        // Numbers of their own: others may be taken already by tests of this process.
        let numbers = [a, b].map(|l| fcntl(&l, FcntlArg::F_DUPFD(600)).unwrap());
        let list = format!("{};{};", numbers[0], numbers[1]);
        let mut inherited =
            Inherited::from_environment(|name| (name == UPGRADE_VARIABLE).then(|| OsString::from(list.clone())));
        assert!(inherited.is_upgrade && inherited.sockets.len() == 2);
        let bound = open_some(&addrs[..1], &[], &mut inherited).unwrap();
        assert_eq!(bound[0].listener.as_raw_fd(), numbers[1]);
        assert_eq!(for_next_binary(&bound).0, OsString::from(format!("{};", numbers[1])));
        drop(inherited.take_rest());
        // The number and not the address is looked at: a child that another test forked meanwhile may hold that.
        let is_open = |number: i32| std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok();
        assert!(is_open(numbers[1]) && !is_open(numbers[0]));
    }

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
