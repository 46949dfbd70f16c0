//! The hooks by which a model takes part in the event loop of its processes.

use super::Loop;
use crate::dispatch::sockets::log_epoll_failure;
use crate::event::Ready;

/// The decisions of a model in one process's event loop, in the order in which a turn of `worker::event_loop` asks for
/// them.
pub trait Hooks {
    /// Arms or disarms the listening sockets for this turn, and says how long it waits.
    fn before_wait(&mut self, state: &mut Loop) -> Wait;

    /// A descriptor of the model's own, watched as `Source::Model(n)`, is ready.
    fn own_event(&mut self, _state: &mut Loop, _n: u32, _ready: Ready) {}

    /// Connections wait, and the process is about to accept. False: not from the sockets that it shares with others.
    fn before_accepts(&mut self, _state: &mut Loop) -> bool {
        true
    }

    /// How many connections an event may bring at most, where `multi_accept` allows more than one.
    fn batch(&mut self, _state: &mut Loop) -> u64 {
        u64::MAX
    }

    /// Whether other processes accept from socket `n`. If so an event brings one connection where `multi_accept` is
    /// off: the others have their share, as with nginx. Otherwise there is nobody to share with, and
    /// `Loop::accept_from` takes some of those that wait.
    fn has_rivals(&self, _state: &Loop, _n: u32) -> bool {
        true
    }

    /// An event of socket `n` has brought `count` connections, at least one.
    fn accepted(&mut self, _state: &mut Loop, _n: u32, _count: u64) {}

    /// Called before each event of a turn, where `Loop::is_heard_between`.
    fn between_events(&mut self) {}

    /// The process has no descriptor or no slot left: connections must not wake it until `Loop::resume_listening`
    /// succeeds.
    fn stop_listening(&mut self, state: &mut Loop) {
        log_epoll_failure(state.listening.disarm_all(&state.poller));
    }

    /// The process was woken for a connection that it can't take, and has stopped listening. A model under which one
    /// process alone is woken tells others.
    fn declined(&mut self, _state: &mut Loop) {}

    /// All accepts of the turn are done.
    fn after_accepts(&mut self, _state: &mut Loop) {}

    /// A graceful shutdown begins: the process accepts nothing from now on, but for the connections that wait in
    /// sockets which no other process has.
    fn leave(&mut self, state: &mut Loop) {
        state.leave_sockets();
    }

    /// In a graceful shutdown, when no connection is left. False: the model knows of connections that will come still.
    fn finish(&mut self, _state: &mut Loop) -> bool {
        true
    }
}

/// How a turn waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// No longer than this, ms; `None`: the model sets no limit.
    pub at_most_ms: Option<u64>,
    /// Events of connections are posted: handled after the accepts.
    pub posts: bool,
}
