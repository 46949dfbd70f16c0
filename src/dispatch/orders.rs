//! What the master tells its children, by signals (ngx_worker_process_cycle).

use crate::log;
use crate::os::signals::{Signal, Signals};
use crate::os::{ErrnoText, parent, set_title};

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// QUIT: finish what is open, then end.
    Leave,
    /// TERM, INT: end now.
    End,
    /// USR1: write out what is buffered for the logs, and open them anew.
    ReopenLogs,
    /// CHLD: a child of this process has died.
    ChildDied,
}

/// The next order that waits. A process whose master has died leaves by itself, and ends when its patience is over:
/// nobody will reload it, or tell it to end.
pub fn next_order(signals: &Signals) -> Option<Order> {
    loop {
        match signals.next() {
            Ok(Some(received)) => match received.signal {
                Signal::SIGTERM | Signal::SIGINT => return Some(Order::End),
                Signal::SIGQUIT => return Some(Order::Leave),
                Signal::SIGUSR1 => return Some(Order::ReopenLogs),
                Signal::SIGCHLD => return Some(Order::ChildDied),
                Signal::SIGIO if parent::is_orphan() => {
                    log::alert!("the master process {} has died, no more connections are taken", parent::master_id());
                    parent::set_alarm();
                    return Some(Order::Leave);
                }
                Signal::SIGALRM if parent::is_orphan() => return Some(Order::End),
                _ => {}
            },
            Ok(None) => return None,
            Err(error) => {
                log::alert!("read() from the signalfd failed ({})", ErrnoText(&error));
                return None;
            }
        }
    }
}

/// Says in the log and to ps(1) that this process takes no new clients.
pub fn announce_leaving(name: &str) {
    log::notice!("gracefully shutting down");
    set_title(&format!("drover: {name} is shutting down"));
}
