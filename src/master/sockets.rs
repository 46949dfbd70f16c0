//! Opens the listening sockets of a conf: each is kept over a reload, inherited, or made.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;
use std::time::Duration;

use super::bind_advice::advise;
use super::bound::{Bound, files, remove_files};
use super::inherited::Inherited;
use super::port_move::bind_beside;
use crate::log;
use crate::os::{Addr, Failure, ListenOptions, Listener, replace_abandoned, signals};

/// The treatment of an address in use by [`open`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InUse {
    /// Five attempts, half a second apart (ngx_open_listening_sockets): a predecessor may be about to close its socket.
    /// A signal that ends the service ends the attempts.
    Retry,
    /// A single attempt: no process is expected to close its socket.
    Fail,
    /// No error: `-t` beside a server that runs.
    Ignore,
}

/// A socket that the conf asks for.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The address in the conf.
    pub addr: &'a Addr,
    /// The options in the conf.
    pub options: ListenOptions,
    /// The number of processes that have a socket of their own; 1: all share the socket.
    pub copies: u32,
}

impl<'a> Wanted<'a> {
    /// A socket for a model with this number of `acceptors`; `own`: each has TCP sockets of its own, as `listen ...
    /// reuseport` asks for a single address.
    pub fn new(addr: &'a Addr, options: &ListenOptions, acceptors: u32, own: bool) -> Wanted<'a> {
        let is_tcp = addr.port().is_some();
        let reuseport = is_tcp && (own || options.reuseport);
        let copies = if reuseport { acceptors.max(1) } else { 1 };
        Wanted { addr, options: ListenOptions { reuseport, ..options.clone() }, copies }
    }

    /// An entry for each copy.
    fn each(self, n: usize) -> impl Iterator<Item = (usize, Option<u32>, &'a Addr, ListenOptions)> {
        let Wanted { addr, options, copies } = self;
        (0..copies).map(move |copy| (n, (copies > 1).then_some(copy), addr, options.clone()))
    }
}

/// Opens the sockets for `wanted`, in its order: taken from `old`, from `inherited`, or made. An error closes those
/// that were made, leaves `old` as before, and has the index of the wanted socket.
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
        // No other process could make room for the socket.
        let in_use = if in_use == InUse::Retry && rival.is_some() { InUse::Fail } else { in_use };
        let opened = match kept {
            Some(kept) => keep(kept, addr, options),
            None => match inherited.find(addr) {
                Some(listener) => {
                    let array = inherited.array_of(&listener);
                    adopt(listener, addr, options, !inherited.is_upgrade)
                        .map(|one| one.map(|one| Bound { array, ..one }))
                }
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

/// Tells which sockets could not be bound, with their indices: none is made that a client can reach, and no file.
pub fn look<'a>(
    wanted: impl Iterator<Item = (&'a Addr, &'a ListenOptions)>,
    inherited: &Inherited,
    in_use: InUse,
) -> Vec<(usize, Failure)> {
    let is_new = |addr: &Addr| addr.port().is_some() && !inherited.addrs().any(|other| other == addr);
    let bind = |addr: &Addr, options: &ListenOptions| {
        // A model may want several sockets at the address.
        let options = ListenOptions { reuseport: true, ..options.clone() };
        let failure = Listener::bind(addr, &options).err()?;
        let is_ignored = in_use == InUse::Ignore && failure.error.kind() == ErrorKind::AddrInUse;
        (!is_ignored).then(|| advise(failure, addr, None))
    };
    let each = wanted.enumerate().filter(|(_, (addr, _))| is_new(addr));
    each.filter_map(|(n, (addr, options))| Some((n, bind(addr, options)?))).collect()
}

fn keep(old: &Bound, addr: &Addr, options: &ListenOptions) -> Result<Option<Bound>, Failure> {
    if old.options != *options {
        apply(&old.listener, addr, options)?;
    }
    Ok(Some(Bound { addr: addr.clone(), options: options.clone(), listens_late: false, ..old.clone() }))
}

fn adopt(listener: Listener, addr: &Addr, options: &ListenOptions, is_foreign: bool) -> Result<Option<Bound>, Failure> {
    apply(&listener, addr, options)?;
    let is_multipath = listener.is_multipath();
    if is_multipath != options.multipath {
        let with = if is_multipath { "with" } else { "without" };
        log::warn!("the socket for {addr} was passed {with} Multipath TCP, and stays so");
    }
    // The next reload can replace a socket that this service has made.
    let multipath = if is_foreign { options.multipath } else { is_multipath };
    let options = &ListenOptions { multipath, ..options.clone() };
    Ok(Some(Bound { is_foreign, ..Bound::new(addr, options, listener) }))
}

fn apply(listener: &Listener, addr: &Addr, options: &ListenOptions) -> Result<(), Failure> {
    let failed = |call: &'static str| move |e| Failure::new(format!("{call} for {addr}"), e);
    listener.configure(options).map_err(failed("setsockopt()"))?;
    listener.set_backlog(options.backlog).map_err(failed("listen()"))
}

fn open_one(addr: &Addr, options: &ListenOptions, in_use: InUse) -> Result<Option<Bound>, Failure> {
    // A socket beside those of a running server would get connections, and lose them when it is closed.
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

/// A sentence about another socket of this process with the port of `addr`, for which the conf has no use.
fn rival(addr: &Addr, old: &[Bound], inherited: &Inherited) -> Option<String> {
    let port = addr.port()?;
    let excludes = |other: &Addr| other.port() == Some(port) && (other.is_wildcard() || addr.is_wildcard());
    let passed = inherited.addrs().find(|other| excludes(other));
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

/// Whether the path of a Unix socket is another kind of file, so that retries are useless.
fn is_occupied(addr: &Addr) -> bool {
    let meta = addr.path().and_then(|path| fs::symlink_metadata(path).ok());
    meta.is_some_and(|meta| !meta.file_type().is_socket())
}

/// Replaces a Unix socket that a crash has left; returns `failure` if there is none.
fn replace(addr: &Addr, options: &ListenOptions, in_use: InUse, failure: Failure) -> Result<Listener, Failure> {
    if failure.error.kind() != ErrorKind::AddrInUse || in_use == InUse::Ignore {
        return Err(failure);
    }
    let listener = replace_abandoned(addr, options)?.ok_or(failure)?;
    log::warn!("no process had {addr} any more: it has been replaced");
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::bound::{close_missing, for_next_binary};
    use crate::master::inherited::UPGRADE_VARIABLE;
    use crate::os::process;
    use nix::fcntl::{FcntlArg, fcntl};
    use std::ffi::OsString;
    use std::net::{SocketAddr, TcpListener};
    use std::os::fd::AsRawFd;

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
        // Port 0 finds the kept socket once; the second is new.
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
        // Children that other tests fork hold it for a while as well.
        let (expected, own) = (
            format!("bind() to {addr} failed (98: Address already in use): held by "),
            format!("process {} (", process::id()),
        );
        assert!(error.to_string().starts_with(&expected) && error.to_string().contains(&own), "{error}");
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
        assert!(inherited.is_upgrade && inherited.addrs().count() == 2);
        let bound = open_some(&addrs[..1], &[], &mut inherited).unwrap();
        assert_eq!(bound[0].listener.as_raw_fd(), numbers[1]);
        assert_eq!(for_next_binary(&bound).0, OsString::from(format!("{};", numbers[1])));
        drop(inherited.take_rest());
        // The number and not the address is looked at: a child that another test forked meanwhile may hold that.
        let is_open = |number: i32| std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok();
        assert!(is_open(numbers[1]) && !is_open(numbers[0]));
    }
}
