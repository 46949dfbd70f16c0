//! The loop, on one page (ngx_process_events_and_timers).

use std::ops::ControlFlow;

use crate::dispatch::{Hooks, Loop};
use crate::event::{Source, earlier};
use crate::log;
use crate::os::{ErrnoText, Events};

/// nginx's `epoll_events`.
const EVENTS_A_TURN: usize = 512;

/// The part of a loop that ends it: signals, and a deadline of the shutdown. `WorkerSignals` for a worker; tests count
/// turns.
pub trait LoopControl {
    /// Reads the signals that wait. Called at most once a turn, when the connections have had their share of it.
    fn signalled(&mut self, state: &mut Loop, hooks: &mut dyn Hooks);
    /// Decides whether the loop ends. Called at the end of each turn.
    fn done(&mut self, state: &mut Loop, hooks: &mut dyn Hooks) -> ControlFlow<()>;
    /// When `done` must be asked again at the latest, ms of the clock; `None`: after the next event.
    fn deadline(&self) -> Option<u64>;
}

/// Turns until `control` ends the loop.
pub fn run(state: &mut Loop, hooks: &mut dyn Hooks, control: &mut dyn LoopControl) {
    let mut events = Events::with_capacity(EVENTS_A_TURN);
    loop {
        let wait = hooks.before_wait(state);
        state.tally.listening.set(state.listening.is_armed().into());
        let timeout = timeout(state, control, wait.at_most_ms);
        if let Err(error) = state.poller.wait(&mut events, timeout) {
            log::alert!("epoll_wait() failed ({})", ErrnoText(&error));
        }
        state.driver.clock().update();
        state.tally.turns.add(1);
        let mut is_signalled = false;
        for (key, ready) in events.iter() {
            if state.is_heard_between {
                hooks.between_events();
            }
            match Source::of(key) {
                Source::Listener(n) => state.posted.accept(n),
                Source::Connection(key) if wait.posts => state.posted.event(key, ready),
                Source::Connection(key) => state.driver.ready(key, ready, &state.poller),
                Source::Signals => is_signalled = true,
                Source::Jobs => state.driver.jobs_finished(&state.poller),
                Source::Model(n) => hooks.own_event(state, n, ready),
            }
        }
        run_posted_accepts(state, hooks);
        hooks.after_accepts(state);
        state.driver.expire(&state.poller);
        while let Some((key, ready)) = state.posted.next_event() {
            state.driver.ready(key, ready, &state.poller);
        }
        state.driver.end_of_turn(&state.poller);
        state.tally.connections.set(state.driver.live() as u64);
        if is_signalled {
            control.signalled(state, hooks);
        }
        if control.done(state, hooks).is_break() {
            return;
        }
    }
}

fn run_posted_accepts(state: &mut Loop, hooks: &mut dyn Hooks) {
    if state.posted.waiting().0 == 0 {
        return;
    }
    if !hooks.before_accepts(state) {
        state.posted.retain_accepts(|n| state.listening.is_own(n));
        // A process that finds other events was not woken in vain.
        if state.posted.waiting() == (0, 0) {
            state.tally.wakeups.add(1);
        }
    }
    if state.posted.waiting().0 > 0 {
        state.tally.wakeups.add(1);
    }
    while let Some(n) = state.posted.next_accept() {
        state.accept_from(n, hooks);
    }
    // A client that has its answer at the end of this turn is counted by then.
    state.tally.connections.set(state.driver.live() as u64);
}

/// How long the turn may wait, ms: until the first deadline of the driver, the control or the model; `None`: for ever.
fn timeout(state: &mut Loop, control: &dyn LoopControl, at_most_ms: Option<u64>) -> Option<u64> {
    let now = state.driver.clock().now_ms();
    let until = earlier(state.driver.next_deadline(), control.deadline());
    earlier(until.map(|at| at.saturating_sub(now)), at_most_ms)
}

#[cfg(test)]
mod tests;
