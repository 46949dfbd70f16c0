//! The listening sockets of one process, and which of them its epoll set watches.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::Draining;
use crate::event::Source;
use crate::log;
use crate::os::{ErrnoText, Interest, Listener, Poller, Ready, poll};

/// The listening sockets, by the index that the conf gave them. "Armed" sockets are in the process's epoll set.
///
/// Errors of all methods are those of epoll_ctl: memory or descriptors have run out. The caller logs them by
/// `log_epoll_failure` and tries again in the next turn.
#[derive(Debug)]
pub struct Listening {
    sockets: Vec<Watched>,
    interest: Interest,
    /// The model itself keeps the shared sockets in epoll sets by `arm_in`, and this process's set has them.
    is_armed_by_model: bool,
}

#[derive(Debug)]
struct Watched {
    listener: Arc<Listener>,
    is_armed: bool,
    /// No other process has the socket (reuseport), so none competes for its connections.
    is_own: bool,
}

impl Listening {
    /// All sockets, none of them armed yet, all shared with other processes.
    pub fn new(listeners: &[Arc<Listener>]) -> Listening {
        let sockets =
            listeners.iter().map(|listener| Watched { listener: listener.clone(), is_armed: false, is_own: false });
        Listening { sockets: sockets.collect(), interest: Interest::READ, is_armed_by_model: false }
    }

    /// Says for each socket whether no other process has it.
    pub fn with_own(mut self, is_own: &[bool]) -> Listening {
        self.sockets.iter_mut().zip(is_own).for_each(|(socket, is_own)| socket.is_own = *is_own);
        self
    }

    /// The backlogs of the sockets that no other process has.
    pub(crate) fn to_drain(&self) -> Draining {
        let own = (0..).zip(&self.sockets).filter(|(_, socket)| socket.is_own);
        Draining::of(own.map(|(n, socket)| (n, socket.listener.clone())))
    }

    /// Puts this process's own sockets into the epoll set, which are armed whether or not the process may accept from
    /// the shared ones.
    pub(crate) fn arm_own(&mut self, poller: &Poller) -> io::Result<()> {
        for (n, socket) in self.sockets.iter_mut().enumerate().filter(|(_, s)| s.is_own && !s.is_armed) {
            poller.add(&socket.listener, Source::Listener(n as u32).key(), Interest::READ)?;
            socket.is_armed = true;
        }
        Ok(())
    }

    /// From the next `arm` on, the kernel wakes one of the processes that watch a socket (EPOLLEXCLUSIVE).
    pub(crate) fn set_exclusive(&mut self) {
        self.interest = Interest::READ | Interest::EXCLUSIVE;
    }

    /// From the next `arm` on, a socket is reported once, and not again before `rearm`.
    pub(crate) fn set_oneshot(&mut self) {
        self.interest = Interest::READ | Interest::ONESHOT;
    }

    /// Watches socket `n` again, if it is in the epoll set.
    pub(crate) fn rearm(&self, n: u32, poller: &Poller) -> io::Result<()> {
        match self.sockets.get(n as usize).filter(|socket| socket.is_armed) {
            Some(socket) => poller.modify(&socket.listener, Source::Listener(n).key(), self.interest),
            None => Ok(()),
        }
    }

    /// Puts all sockets into the epoll set, unless they are there (ngx_enable_accept_events).
    pub fn arm(&mut self, poller: &Poller) -> io::Result<()> {
        for (n, socket) in self.sockets.iter_mut().enumerate().filter(|(_, s)| !s.is_armed) {
            let interest = if socket.is_own { Interest::READ } else { self.interest };
            poller.add(&socket.listener, Source::Listener(n as u32).key(), interest)?;
            socket.is_armed = true;
        }
        Ok(())
    }

    /// Takes the shared sockets out of the epoll set (ngx_disable_accept_events).
    pub(crate) fn disarm_shared(&mut self, poller: &Poller) -> io::Result<()> {
        self.disarm(poller, |socket| !socket.is_own)
    }

    /// Takes all sockets out of the epoll set.
    pub(crate) fn disarm_all(&mut self, poller: &Poller) -> io::Result<()> {
        self.disarm(poller, |_| true)
    }

    fn disarm(&mut self, poller: &Poller, which: impl Fn(&Watched) -> bool) -> io::Result<()> {
        for socket in self.sockets.iter_mut().filter(|s| s.is_armed && which(s)) {
            poller.delete(&socket.listener)?;
            socket.is_armed = false;
        }
        Ok(())
    }

    /// Takes the shared socket `n` out of the epoll set and puts it in again, behind the other processes that watch it.
    /// A connection that waits is reported anew.
    pub(crate) fn move_to_back(&mut self, n: u32, poller: &Poller) -> io::Result<()> {
        if let Some(socket) = self.sockets.get_mut(n as usize).filter(|s| s.is_armed && !s.is_own) {
            poller.delete(&socket.listener)?;
            socket.is_armed = false;
            poller.add(&socket.listener, Source::Listener(n).key(), self.interest)?;
            socket.is_armed = true;
        }
        Ok(())
    }

    /// Moves all shared sockets to the back.
    pub(crate) fn move_all_to_back(&mut self, poller: &Poller) -> io::Result<()> {
        (0..self.sockets.len() as u32).try_for_each(|n| self.move_to_back(n, poller))
    }

    /// Closes this process's descriptors of all sockets, having taken them out of the epoll set: epoll forgets a socket
    /// only when its last descriptor in any process is closed.
    pub fn close(&mut self, poller: &Poller) -> io::Result<()> {
        let disarmed = self.disarm_all(poller);
        self.sockets.clear();
        disarmed
    }

    /// Closes this process's descriptors and leaves the epoll set alone: for a child that was forked with a copy of
    /// both.
    pub fn forget(&mut self) {
        self.sockets.clear();
    }

    /// Socket `n`; `None` once they are closed.
    pub fn get(&self, n: u32) -> Option<&Listener> {
        self.sockets.get(n as usize).map(|socket| &*socket.listener)
    }

    /// Whether no other process has socket `n`.
    pub fn is_own(&self, n: u32) -> bool {
        self.sockets.get(n as usize).is_some_and(|socket| socket.is_own)
    }

    /// Whether any socket is shared with other processes.
    pub(crate) fn has_shared(&self) -> bool {
        self.sockets.iter().any(|socket| !socket.is_own)
    }

    /// Puts the shared sockets into the epoll set of any process, behind the other sets that watch them exclusively.
    /// Sockets that are there already stay where they are.
    pub(crate) fn arm_in(&self, poller: &Poller) -> io::Result<()> {
        self.shared().try_for_each(|(n, listener)| {
            match poller.add(listener, Source::Listener(n).key(), Interest::READ | Interest::EXCLUSIVE) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => Ok(()),
            }
        })
    }

    /// Takes the shared sockets out of the epoll set of any process. Sockets that aren't there are no error.
    pub(crate) fn disarm_in(&self, poller: &Poller) -> io::Result<()> {
        self.shared().try_for_each(|(_, listener)| match poller.delete(listener) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
    }

    /// Notes for the ledger whether this process's set has the shared sockets by `arm_in`.
    pub(crate) fn set_armed_by_model(&mut self, is_armed: bool) {
        self.is_armed_by_model = is_armed;
    }

    fn shared(&self) -> impl Iterator<Item = (u32, &Listener)> {
        (0..).zip(&self.sockets).filter(|(_, socket)| !socket.is_own).map(|(n, socket)| (n, &*socket.listener))
    }

    /// Whether connections wait in the backlog of a shared socket. Asked of poll(2), which accepts nothing and wakes no
    /// other process.
    pub fn has_waiting(&self) -> bool {
        let waits = |(_, listener): (u32, &Listener)| {
            let polled = poll([Some((listener.as_fd(), Interest::READ))], Some(0));
            polled.is_ok_and(|[ready]| ready.contains(Ready::READ))
        };
        self.shared().any(waits)
    }

    /// Whether the epoll set has any of the sockets.
    pub fn is_armed(&self) -> bool {
        self.is_armed_by_model || self.sockets.iter().any(|s| s.is_armed)
    }

    /// Whether the process has closed its sockets, or never had any.
    pub fn is_closed(&self) -> bool {
        self.sockets.is_empty()
    }
}

/// Logs that epoll_ctl has failed, which it does when memory or descriptors run out. Returns whether it succeeded;
/// otherwise the loop goes on, and the caller tries again in the next turn.
pub(crate) fn log_epoll_failure(result: io::Result<()>) -> bool {
    if let Err(error) = &result {
        log::alert!("epoll_ctl() for a listening socket failed ({})", ErrnoText(error));
    }
    result.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::{Addr, Events, ListenOptions, process};
    use std::net::{SocketAddr, TcpStream};

    fn listener() -> Arc<Listener> {
        let any = Addr::from("127.0.0.1:0".parse::<SocketAddr>().unwrap());
        Arc::new(Listener::open(&any, &ListenOptions::default()).unwrap())
    }

    fn ready(poller: &Poller) -> Vec<Source> {
        let mut events = Events::with_capacity(4);
        poller.wait(&mut events, Some(0)).unwrap();
        events.iter().map(|(key, _)| Source::of(key)).collect()
    }

    #[test]
    fn only_armed_sockets_wake_the_loop_and_arming_twice_is_once() {
        let (poller, listener) = (Poller::new().unwrap(), listener());
        let mut listening = Listening::new(&[self::listener(), listener.clone()]);
        let _client = TcpStream::connect(("127.0.0.1", listener.addr().port().unwrap())).unwrap();
        assert_eq!(ready(&poller), []);
        listening.arm(&poller).unwrap();
        listening.arm(&poller).unwrap();
        assert_eq!(ready(&poller), [Source::Listener(1)]);
        listening.move_to_back(1, &poller).unwrap();
        assert_eq!(ready(&poller), [Source::Listener(1)]);
        listening.disarm_shared(&poller).unwrap();
        assert_eq!((ready(&poller), listening.is_armed()), (vec![], false));
        listening.arm(&poller).unwrap();
        listening.close(&poller).unwrap();
        assert_eq!((ready(&poller), listening.get(1).is_none()), (vec![], true));
    }

    #[test]
    fn a_socket_that_was_reported_is_silent_until_rearmed() {
        let (poller, listener) = (Poller::new().unwrap(), listener());
        let mut listening = Listening::new(std::slice::from_ref(&listener));
        listening.set_oneshot();
        listening.arm(&poller).unwrap();
        let _client = TcpStream::connect(("127.0.0.1", listener.addr().port().unwrap())).unwrap();
        assert_eq!((ready(&poller), ready(&poller)), (vec![Source::Listener(0)], vec![]));
        listening.rearm(0, &poller).unwrap();
        assert_eq!(ready(&poller), [Source::Listener(0)]);
        listening.disarm_all(&poller).unwrap();
        listening.rearm(0, &poller).unwrap();
        assert_eq!(ready(&poller), []);
    }

    /// Puts all loops to sleep, connects, and says which of them wake.
    fn who_wakes(sets: &[(Poller, Listening)], listener: &Listener) -> Vec<usize> {
        std::thread::scope(|scope| {
            let (ready, asleep) = std::sync::mpsc::channel();
            let sleepers: Vec<_> = sets
                .iter()
                .map(|(poller, _)| {
                    let ready = ready.clone();
                    scope.spawn(move || {
                        let mut events = Events::with_capacity(1);
                        ready.send(process::thread_id()).unwrap();
                        poller.wait(&mut events, Some(300)).unwrap();
                        !events.is_empty()
                    })
                })
                .collect();
            // Exclusiveness is about who is woken: all must be asleep when the connection comes.
            for thread in asleep.iter().take(sets.len()) {
                let stat = format!("/proc/self/task/{thread}/stat");
                while !std::fs::read_to_string(&stat).unwrap().contains(") S ") {
                    std::thread::yield_now();
                }
            }
            let _client = TcpStream::connect(("127.0.0.1", listener.addr().port().unwrap())).unwrap();
            let woken = sleepers.into_iter().map(|s| s.join().unwrap()).enumerate();
            let woken = woken.filter_map(|(n, is_woken)| is_woken.then_some(n)).collect();
            while listener.accept().is_ok() {}
            woken
        })
    }

    fn sets(count: usize, listener: &Arc<Listener>, exclusive: bool) -> Vec<(Poller, Listening)> {
        let set = |_| {
            let (poller, mut listening) = (Poller::new().unwrap(), Listening::new(std::slice::from_ref(listener)));
            if exclusive {
                listening.set_exclusive();
            }
            listening.arm(&poller).unwrap();
            (poller, listening)
        };
        (0..count).map(set).collect()
    }

    #[test]
    fn a_plain_socket_wakes_all_that_sleep() {
        let listener = listener();
        assert_eq!(who_wakes(&sets(3, &listener, false), &listener), [0, 1, 2]);
    }

    #[test]
    fn an_exclusive_socket_wakes_one_and_another_one_once_it_has_moved_to_the_back() {
        let listener = listener();
        let mut sets = sets(2, &listener, true);
        let first = who_wakes(&sets, &listener);
        assert_eq!((first.len(), who_wakes(&sets, &listener)), (1, first.clone()), "the same one again and again");
        let (poller, listening) = &mut sets[first[0]];
        listening.move_to_back(0, poller).unwrap();
        assert_eq!(who_wakes(&sets, &listener), [1 - first[0]]);
    }
}
