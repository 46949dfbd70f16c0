//! The commands of the master to its children, which come as signals (ngx_worker_process_cycle).

use crate::log;
use crate::os::signals::{Signal, Signals};
use crate::os::{ErrnoText, parent, set_title};

/// A signal of the master or of the kernel, by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// QUIT: finish what is open, then end.
    Quit,
    /// TERM, INT: end now.
    Terminate,
    /// USR1: write out what is buffered for the logs, and open them anew.
    Reopen,
    /// CHLD: a child of this process has died.
    ChildDied,
}

/// The next command that waits; `None`: none waits, or the signalfd fails. A process whose master has died quits by
/// itself, and terminates when its patience is over: no master is left to reload or to end it.
pub fn next_command(signals: &Signals) -> Option<Command> {
    loop {
        match signals.next() {
            Ok(Some(received)) => match received.signal {
                Signal::SIGTERM | Signal::SIGINT => return Some(Command::Terminate),
                Signal::SIGQUIT => return Some(Command::Quit),
                Signal::SIGUSR1 => return Some(Command::Reopen),
                Signal::SIGCHLD => return Some(Command::ChildDied),
                Signal::SIGIO if parent::is_orphan() => {
                    log::alert!("the master process {} has died, no more connections are taken", parent::master_id());
                    parent::set_alarm();
                    return Some(Command::Quit);
                }
                Signal::SIGALRM if parent::is_orphan() => return Some(Command::Terminate),
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
pub fn announce_shutdown(name: &str) {
    log::notice!("gracefully shutting down");
    set_title(&format!("drover: {name} is shutting down"));
}
