//! A listening socket that the master has open, and what happens to many of them at once.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use crate::log;
use crate::os::{Addr, CpuGroup, Failure, ListenOptions, Listener, SocketArray, SocketFile, Steer};

/// A listening socket with the address and the options that the conf asks for.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The address in the conf: the port may be 0.
    pub addr: Addr,
    /// The options in the conf.
    pub options: ListenOptions,
    /// The socket; the confs before and after a reload share it.
    pub listener: Arc<Listener>,
    /// The socket's index in the conf, in the order of [`crate::serve::listen_sockets`].
    pub n: usize,
    /// The socket's number among those of its address (reuseport): the worker with this number has it alone. `None`:
    /// all workers share the socket.
    pub copy: Option<u32>,
    /// Whether systemd made the socket, and removes its path.
    pub(super) is_foreign: bool,
    /// Where programs in the kernel find the sockets of the address, once one has steered among them. It is here and
    /// not with the model, because a socket is in one array at most, for as long as that is there: reloads and upgrades
    /// pass it on. Children drop it with the sockets.
    pub(super) array: Option<Arc<SocketArray>>,
    /// Whether the socket is bound only, and will listen when the reload can't fail any more.
    pub(super) listens_late: bool,
}

impl Bound {
    pub(super) fn new(addr: &Addr, options: &ListenOptions, listener: Listener) -> Bound {
        let (addr, options, listener) = (addr.clone(), options.clone(), Arc::new(listener));
        Bound { addr, options, listener, n: 0, copy: None, is_foreign: false, array: None, listens_late: false }
    }

    /// Whether this is a socket for `addr`. A Unix socket's path may be spelled differently; `ipv6only` and `multipath`
    /// can't be changed on a socket.
    pub(super) fn is_for(&self, addr: &Addr, options: &ListenOptions) -> bool {
        let is_file = |path| self.listener.file().is_some_and(|file| file.is_at(path));
        let is_same = !matches!(addr, Addr::V6(_)) || options.ipv6only == self.options.ipv6only;
        let is_same = is_same && options.multipath == self.options.multipath;
        self.addr == *addr && is_same || addr.path().is_some_and(is_file)
    }
}

/// The sockets of the acceptor with this number, in the conf's order, and whether that process has each alone.
pub(crate) fn of_process(sockets: Vec<Bound>, number: u32) -> Vec<(Arc<Listener>, bool)> {
    let has = |bound: &Bound| bound.copy.is_none_or(|copy| copy == number);
    sockets.into_iter().filter(has).map(|bound| (bound.listener, bound.copy.is_some())).collect()
}

/// Tells the kernel which sockets of each address get new connections. To be called before the processes of an older
/// generation close theirs: sockets without a place in `new` get no more, so that those processes can accept all that
/// wait there, and none is lost. `before`: the address of each socket of the older generation. `by_cpu`: the sockets of
/// each CPU, if connections are steered by CPU.
pub(crate) fn steer(new: &[Bound], before: &[Addr], by_cpu: Option<&[CpuGroup]>) {
    for first in new.iter().filter(|bound| bound.copy.is_none_or(|copy| copy == 0)) {
        let sockets = new.iter().filter(|bound| bound.addr == first.addr).count();
        let before = before.iter().filter(|addr| **addr == first.addr).count();
        if !first.options.reuseport && before <= sockets {
            continue;
        }
        let steer = match by_cpu {
            // An address that the conf doesn't spread has one socket.
            Some(groups) if sockets > 1 => Steer::ByCpu { groups: groups.to_vec(), sockets: sockets as u32 },
            _ if before > sockets => Steer::AmongFirst { sockets: sockets as u32 },
            _ => Steer::ByHash,
        };
        if let Err(error) = first.listener.steer(&steer) {
            log::alert!("{}", Failure::new(format!("setsockopt() for {}", first.addr), error));
        }
    }
}

/// The address of each socket.
pub(crate) fn addrs(bound: &[Bound]) -> Vec<Addr> {
    bound.iter().map(|bound| bound.addr.clone()).collect()
}

/// Removes the files of the Unix sockets in `gone` that are not in `kept`. The sockets close with their last reference
/// in this process; workers that drain have descriptors of their own.
pub(crate) fn close_missing(gone: &[Bound], kept: &[Bound]) {
    let is_kept = |bound: &&Bound| kept.iter().any(|kept| Arc::ptr_eq(&kept.listener, &bound.listener));
    remove_files(&files(gone.iter().filter(|bound| !is_kept(bound))));
}

/// The files of the Unix sockets that this program made, and so removes.
pub(crate) fn files<'b>(bound: impl IntoIterator<Item = &'b Bound>) -> Vec<SocketFile> {
    let own = bound.into_iter().filter(|b| !b.is_foreign);
    own.filter_map(|b| b.listener.file().cloned()).collect()
}

/// Removes files, unless others have taken their place. Logs failures.
pub(crate) fn remove_files(files: &[SocketFile]) {
    for failure in files.iter().filter_map(|file| file.remove().err()) {
        log::emerg!("{failure}");
    }
}

/// The value of [`UPGRADE_VARIABLE`](super::inherited::UPGRADE_VARIABLE), and the descriptors it names.
pub(crate) fn for_next_binary(bound: &[Bound]) -> (OsString, Vec<BorrowedFd<'_>>) {
    let list: String = bound.iter().map(|b| format!("{};", b.listener.as_raw_fd())).collect();
    (list.into(), bound.iter().map(|b| b.listener.as_fd()).collect())
}
