//! The reasons why accept4 gives no connection.

use std::io;

use nix::errno::Errno;

use crate::log;
use crate::os::ErrnoText;
use crate::shm::Tally;

/// Why accept4 gave no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptError {
    /// EAGAIN: no connection waits; EINVAL: the socket does not listen now, because the master has moved its queue to
    /// other workers.
    NoneWaits,
    /// ECONNABORTED: the client was gone before it was accepted; the next one may wait.
    ClientGone,
    /// EMFILE or ENFILE: this process, or the system, has no descriptor left.
    OutOfFiles(Errno),
    /// Any other error.
    Other,
}

impl AcceptError {
    /// Counts a failed accept, and logs it unless descriptors have run out: the caller may find some, and calls
    /// `log_out_of_files` if not.
    pub(crate) fn count(error: &io::Error, tally: &Tally) -> AcceptError {
        if error.kind() == io::ErrorKind::WouldBlock {
            tally.empty_accepts.add(1);
            return AcceptError::NoneWaits;
        }
        if error.kind() == io::ErrorKind::InvalidInput {
            return AcceptError::NoneWaits;
        }
        tally.failed_accepts.add(1);
        let text = ErrnoText(error);
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ECONNABORTED) => {
                log::error!("accept4() failed ({text})");
                AcceptError::ClientGone
            }
            Some(errno @ (Errno::EMFILE | Errno::ENFILE)) => AcceptError::OutOfFiles(errno),
            _ => {
                log::alert!("accept4() failed ({text})");
                AcceptError::Other
            }
        }
    }

    /// Logs that descriptors have run out and none could be released. No line for other errors.
    pub(crate) fn log_out_of_files(self) {
        if let AcceptError::OutOfFiles(errno) = self {
            log::crit!("accept4() failed ({})", ErrnoText(&errno.into()));
        }
    }
}
