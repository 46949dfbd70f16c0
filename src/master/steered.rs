//! The sockets among which a dispatch model steers, by address.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use super::bound::Bound;
use crate::dispatch::{Model, SocketGroup, Sockets};
use crate::log;
use crate::os::{Addr, Failure, LeastLoaded, Listener, Refusal, SharedArray, SocketArray};
use crate::shm::MAX_WORKERS;

/// Has the model steer the connections of each address of which its processes have a socket each. To be called after
/// `bound::steer`, whose choice remains where this fails. `before`: the address of each socket of the older generation.
pub(crate) fn steer_by_model(sockets: &mut [Bound], before: &[Addr], model: &dyn Model) {
    if model.sockets() != Sockets::Steered {
        return leave(sockets, before);
    }
    let steered = |bound: &&mut Bound| bound.copy.is_some() && !bound.options.multipath;
    let mut arrays: Vec<(Addr, Arc<SocketArray>)> =
        sockets.iter().filter_map(|bound| Some((bound.addr.clone(), bound.array.clone()?))).collect();
    for bound in sockets.iter_mut().filter(steered) {
        let known = arrays.iter().find(|(addr, _)| *addr == bound.addr).map(|(_, array)| array.clone());
        bound.array = known.or_else(|| {
            let made = SocketArray::create(MAX_WORKERS as u32).map(Arc::new);
            let made = made.inspect_err(|failure| log::alert!("{failure}")).ok()?;
            arrays.push((bound.addr.clone(), made.clone()));
            Some(made)
        });
    }
    for group in groups(sockets) {
        if let Err(failure) = model.steer(&group) {
            log::alert!("{failure}");
        }
    }
}

/// Leaves the choice among sockets to the kernel, where a model without a choice of its own follows one that steers. Of
/// an address that has fewer sockets now, the first get the connections, at random. The kernel's own numbers would be
/// wrong for that: a socket that has stopped is the last of its address when it listens again.
fn leave(sockets: &mut [Bound], before: &[Addr]) {
    let firsts = sockets.iter().filter(|bound| bound.copy.is_none_or(|copy| copy == 0));
    for (first, array) in firsts.filter_map(|bound| Some((bound, bound.array.as_deref()?))) {
        let count = sockets.iter().filter(|bound| bound.addr == first.addr).count();
        if before.iter().filter(|addr| **addr == first.addr).count() <= count {
            continue;
        }
        // Loads without a sign of life: all are alike.
        let loads = SharedArray::create("drover_leave", count as u32).map_err(Refusal::from);
        let program = loads.and_then(|loads| LeastLoaded::load(&loads, array, 0)).map_err(|refusal| refusal.failure);
        let failed = |e| Failure::new(format!("setsockopt(SO_ATTACH_REUSEPORT_EBPF) for {}", first.addr), e);
        if let Err(failure) = program.and_then(|program| program.attach(&first.listener).map_err(failed)) {
            log::alert!("{failure}");
        }
    }
    sockets.iter_mut().for_each(|bound| bound.array = None);
}

/// The sockets of each address that have an array, with those of the later workers behind those of the first.
pub(crate) fn groups<'a>(sockets: &'a [Bound]) -> Vec<SocketGroup<'a>> {
    let firsts = sockets.iter().filter(|bound| bound.copy == Some(0));
    let group = |first: &'a Bound| -> Option<SocketGroup<'a>> {
        let own: Vec<&Bound> = sockets.iter().filter(|bound| bound.n == first.n && bound.copy.is_some()).collect();
        Some(SocketGroup {
            addr: &first.addr,
            listeners: own.iter().map(|bound| &*bound.listener).collect(),
            array: first.array.as_deref()?,
            backlog: first.options.backlog,
            may_stop: first.addr.port() != Some(0) && own.iter().all(|bound| !bound.is_foreign),
        })
    };
    firsts.filter_map(group).collect()
}

/// Sockets of workers that the next generation does not have, where the model steers. A child drops them at once.
#[derive(Debug, Default)]
pub(crate) struct Surplus(Vec<(Addr, Arc<Listener>)>);

impl Surplus {
    /// The sockets in `old` that have no place among those of their address in `new`. To be called when the model has
    /// steered.
    pub(crate) fn of(old: &[Bound], new: &[Bound]) -> Surplus {
        let steered: Vec<&Addr> =
            groups(new).into_iter().filter(|group| group.may_stop).map(|group| group.addr).collect();
        let is_kept = |old: &Bound| new.iter().any(|new| Arc::ptr_eq(&new.listener, &old.listener));
        let gone = old.iter().filter(|old| old.array.is_some() && steered.contains(&&old.addr) && !is_kept(old));
        Surplus(gone.map(|old| (old.addr.clone(), old.listener.clone())).collect())
    }

    /// Stops the sockets: the kernel hands what waits there on to the others.
    pub(crate) fn hand_on(self) {
        for (addr, listener) in self.0 {
            if let Err(error) = listener.stop() {
                log::alert!("{}", Failure::new(format!("shutdown() of a socket for {addr}"), error));
            }
        }
    }
}

/// The value of [`STEER_VARIABLE`](super::inherited::STEER_VARIABLE), and the descriptors it names.
pub(crate) fn arrays_for_next_binary(bound: &[Bound]) -> (OsString, Vec<BorrowedFd<'_>>) {
    let mut arrays: Vec<&SocketArray> = Vec::new();
    for array in bound.iter().filter_map(|bound| bound.array.as_deref()) {
        if !arrays.iter().any(|known| std::ptr::eq(*known, array)) {
            arrays.push(array);
        }
    }
    let list: String = arrays.iter().map(|array| format!("{};", array.as_fd().as_raw_fd())).collect();
    (list.into(), arrays.into_iter().map(AsFd::as_fd).collect())
}
