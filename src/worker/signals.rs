//! The commands of the master, which reach a worker as signals (ngx_worker_process_cycle): its loop goes on, drains, or
//! ends.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::event_loop::LoopControl;
use crate::dispatch::{Command, Hooks, Loop, announce_shutdown, next_command};
use crate::event::Shutdown;
use crate::log::{self, Logs};
use crate::os::signals::Signals;

/// Moves a worker from serving to draining and ending, see the drawing in `worker/mod.rs`.
pub(crate) struct WorkerSignals {
    signals: Signals,
    logs: Arc<Logs>,
    /// `worker_shutdown_timeout`, ms; 0: none.
    shutdown_timeout_ms: u64,
    /// When a graceful shutdown ends, whatever is open still, ms of the clock.
    shutdown_deadline: Option<u64>,
}

impl WorkerSignals {
    pub(crate) fn new(signals: Signals, logs: Arc<Logs>, shutdown_timeout_ms: u64) -> WorkerSignals {
        WorkerSignals { signals, logs, shutdown_timeout_ms, shutdown_deadline: None }
    }

    fn quit(&mut self, state: &mut Loop, hooks: &mut dyn Hooks) {
        if state.shutdown.has_begun() {
            return;
        }
        announce_shutdown("worker process");
        state.shutdown = Shutdown::Graceful;
        hooks.leave(state);
        state.driver.drain();
        let now = state.driver.clock().now_ms();
        self.shutdown_deadline = (self.shutdown_timeout_ms > 0).then(|| now + self.shutdown_timeout_ms);
    }
}

impl LoopControl for WorkerSignals {
    fn signalled(&mut self, state: &mut Loop, hooks: &mut dyn Hooks) {
        while let Some(command) = next_command(&self.signals) {
            match command {
                Command::Terminate => state.shutdown = Shutdown::Fast,
                Command::Quit => self.quit(state, hooks),
                Command::Reopen => {
                    log::notice!("reopening logs");
                    state.driver.flush_logs();
                    self.logs.reopen(None);
                }
                Command::ChildDied => {}
            }
        }
    }

    fn done(&mut self, state: &mut Loop, hooks: &mut dyn Hooks) -> ControlFlow<()> {
        let is_over = match state.shutdown {
            Shutdown::No => return ControlFlow::Continue(()),
            Shutdown::Fast => true,
            Shutdown::Graceful => {
                state.drain_queues();
                let now = state.driver.clock().now_ms();
                let is_late = self.shutdown_deadline.is_some_and(|deadline| now >= deadline);
                (state.driver.live() == 0 && hooks.finish(state)) || is_late
            }
        };
        if !is_over {
            return ControlFlow::Continue(());
        }
        log::notice!("exiting");
        ControlFlow::Break(())
    }

    fn deadline(&self) -> Option<u64> {
        self.shutdown_deadline
    }
}
