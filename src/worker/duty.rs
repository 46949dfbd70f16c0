//! What signals make of a worker's loop: it goes on, drains, or ends.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::event_loop::Orders;
use crate::dispatch::{Hooks, Loop, Order, announce_leaving, next_order};
use crate::log::{self, Logs};
use crate::os::signals::Signals;

/// A worker's orders: they come as signals of the master (ngx_worker_process_cycle).
pub struct Duty {
    signals: Signals,
    logs: Arc<Logs>,
    /// `worker_shutdown_timeout`, ms; 0: none.
    shutdown_timeout_ms: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Serving,
    /// QUIT: what is open is served to its end, until this time, ms of the clock.
    Leaving {
        until: Option<u64>,
    },
    /// TERM, INT: now.
    Ending,
}

impl Duty {
    pub fn new(signals: Signals, logs: Arc<Logs>, shutdown_timeout_ms: u64) -> Duty {
        Duty { signals, logs, shutdown_timeout_ms, state: State::Serving }
    }

    fn leave(&mut self, state: &mut Loop, hooks: &mut dyn Hooks) {
        if self.state != State::Serving {
            return;
        }
        announce_leaving("worker process");
        hooks.leave(state);
        state.driver.drain();
        let now = state.driver.clock().now_ms();
        let until = (self.shutdown_timeout_ms > 0).then(|| now + self.shutdown_timeout_ms);
        self.state = State::Leaving { until };
    }
}

impl Orders for Duty {
    fn signalled(&mut self, state: &mut Loop, hooks: &mut dyn Hooks) {
        while let Some(order) = next_order(&self.signals) {
            match order {
                Order::End => self.state = State::Ending,
                Order::Leave => self.leave(state, hooks),
                Order::ReopenLogs => {
                    log::notice!("reopening logs");
                    state.driver.flush_logs();
                    self.logs.reopen(None);
                }
                Order::ChildDied => {}
            }
        }
    }

    fn done(&mut self, state: &mut Loop, hooks: &mut dyn Hooks) -> ControlFlow<()> {
        let is_over = match self.state {
            State::Serving => return ControlFlow::Continue(()),
            State::Ending => true,
            State::Leaving { until } => {
                state.take_rests();
                let now = state.driver.clock().now_ms();
                (state.driver.live() == 0 && hooks.may_end(state)) || until.is_some_and(|until| now >= until)
            }
        };
        if !is_over {
            return ControlFlow::Continue(());
        }
        log::notice!("exiting");
        ControlFlow::Break(())
    }

    fn deadline(&self) -> Option<u64> {
        if let State::Leaving { until } = self.state { until } else { None }
    }
}
