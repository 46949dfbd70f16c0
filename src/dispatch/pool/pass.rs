//! The model behind `pool_pass` and `pool_queue`: the dispatcher accepts, and passes the connections to the workers.

use std::io;
use std::sync::Arc;

use super::channel_reader::{ChannelReader, Readers};
use super::dispatcher::{DispatchPolicy, Dispatcher};
use super::policy::Chooser;
use super::shared::PoolShared;
use crate::dispatch::model::{Life, Model, Seat, Setup, lone_worker};
use crate::dispatch::sockets::AcceptError;
use crate::event::monotonic_ms;
use crate::log;
use crate::os::ErrnoText;
use crate::os::seccomp::ExtraCalls;
use crate::serve::Accepted;
use crate::shm::Role;

/// The pause before a held connection is tried again, ms: its channel was full although it had room by the count.
const FULL_CHANNEL_MS: u64 = 10;

/// A pool whose dispatcher accepts. `pool_pass` and `pool_queue` differ in who reads which channel.
struct PassingPool {
    shared: Arc<PoolShared>,
    chooser: Chooser,
    readers: Readers,
}

/// A pool with a channel for each worker, or one channel that they read together; with one process, a lone worker.
/// Errors: no descriptors or memory left.
pub(crate) fn passing_pool(setup: &Setup<'_>, readers: Readers) -> io::Result<Arc<dyn Model>> {
    if setup.is_alone {
        return Ok(lone_worker());
    }
    let channels = if readers == Readers::One { setup.workers } else { 1 };
    Ok(Arc::new(PassingPool {
        shared: Arc::new(PoolShared::new(setup, channels)?),
        chooser: Chooser::new(setup),
        readers,
    }))
}

impl Model for PassingPool {
    fn plan(&self) -> Vec<Seat> {
        self.shared.plan()
    }

    fn extra_calls(&self, _seat: Seat) -> ExtraCalls {
        ExtraCalls::TAKE_DESCRIPTORS
    }

    fn life(&self, seat: Seat) -> Life {
        let (shared, chooser) = (self.shared.clone(), self.chooser.clone());
        match seat.role {
            Role::Worker => Life::Loop(Box::new(ChannelReader::new(shared, seat.number, self.readers))),
            Role::Dispatcher => Life::Own(Box::new(move |context| {
                Dispatcher::new(context, shared, chooser).map(|dispatcher| dispatcher.run(PassPolicy::default()))
            })),
        }
    }

    fn child_died(&self, seat: Seat, _pid: u32) {
        self.shared.child_died(seat);
    }

    fn ended(&self) {
        self.shared.ended();
    }
}

/// Accepts, and passes each connection along the channel that the dispatcher chooses.
#[derive(Default)]
struct PassPolicy {
    /// A connection that no channel would take. While there is one nothing is accepted.
    held: Option<Accepted>,
}

impl PassPolicy {
    /// Passes the connection along `channel`, or the best other channel that takes it, or else holds it.
    fn pass(&mut self, dispatcher: &mut Dispatcher, mut channel: u32, held: Accepted) {
        let mut refused = Vec::new();
        loop {
            match dispatcher.send(channel, |to, number| to.pass(number, held.listener as u32, &held.socket, &held.peer))
            {
                // Dropping `held` closes this process's copy of the socket.
                Ok(_) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => log::alert!("sendmsg() of an accepted connection failed ({})", ErrnoText(&error)),
            }
            refused.push(channel);
            match dispatcher.choose(&refused) {
                Some(next) => channel = next,
                None => break,
            }
        }
        self.held = Some(held);
        dispatcher.request_room();
    }
}

impl DispatchPolicy for PassPolicy {
    fn on_readable(&mut self, dispatcher: &mut Dispatcher, n: u32) {
        while self.held.is_none() {
            let Some(channel) = dispatcher.choose(&[]) else { return dispatcher.request_room() };
            let Some(listener) = dispatcher.listening.get(n) else { return };
            match listener.accept() {
                Ok((socket, peer)) => {
                    dispatcher.context.tally.accepts.add(1);
                    self.pass(dispatcher, channel, Accepted { socket, peer, listener: n as usize });
                }
                Err(error) => match AcceptError::count(&error, &dispatcher.context.tally) {
                    AcceptError::ClientGone => {}
                    AcceptError::NoneWaits => return,
                    error @ (AcceptError::OutOfFiles(_) | AcceptError::Other) => {
                        error.log_out_of_files();
                        return dispatcher.pause();
                    }
                },
            }
            if !dispatcher.context.options.multi_accept {
                return;
            }
        }
    }

    fn before_wait(&mut self, dispatcher: &mut Dispatcher) -> Option<u64> {
        let held = self.held.take()?;
        if let Some(channel) = dispatcher.choose(&[]) {
            self.pass(dispatcher, channel, held);
        } else if let Some(channel) = dispatcher.any_channel() {
            self.pass(dispatcher, channel, held);
            dispatcher.wake_workers();
        } else {
            self.held = Some(held);
            if !dispatcher.is_room_wanted() {
                // The room that a worker offered last is taken.
                dispatcher.request_room();
            }
        }
        self.holds_connection().then(|| monotonic_ms() + FULL_CHANNEL_MS)
    }

    fn holds_connection(&self) -> bool {
        self.held.is_some()
    }
}
