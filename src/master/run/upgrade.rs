//! USR2: the next binary starts with the listening sockets of this one.

use super::Master;
use crate::log;
use crate::master::bound::for_next_binary;
use crate::master::inherited::{OLD_BINARY_VARIABLE, STEER_VARIABLE, TICKETS_VARIABLE, UPGRADE_VARIABLE};
use crate::master::pid_file::PidFile;
use crate::master::steered::arrays_for_next_binary;
use crate::os::process::{self, Exit, Pid};
use crate::os::{Failure, inherit};
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd};

impl Master {
    /// The old binary that started this process, while it lives: then it is the parent.
    pub(super) fn old_binary(&self) -> Option<Pid> {
        self.old_binary.filter(|&pid| process::parent_id() == pid)
    }

    /// Starts the program at this one's path with the listening sockets (ngx_exec_new_binary); this process goes on.
    pub(super) fn start_next_binary(&mut self) {
        if self.next_binary.is_some() || self.old_binary().is_some() || self.shutdown.has_begun() {
            log::notice!("a binary upgrade is under way already: ignored");
            return;
        }
        if let Some(reason) = &self.upgrade_refusal {
            log::error!("signal USR2 is refused: {reason}");
            return;
        }
        if self.cycle.sockets.is_empty() {
            log::error!(
                "a binary upgrade hands over listening sockets, and there are none: restart the service instead"
            );
            return;
        }
        if let Some(Err(failure)) = self.pid_file.as_mut().map(PidFile::rename_to_oldbin) {
            log::alert!("{failure}");
            return;
        }
        log::notice!("start new binary process \"{}\"", self.executable.display());
        self.cycle.settle();
        let (list, mut keep) = for_next_binary(&self.cycle.sockets);
        let (arrays, descriptors) = arrays_for_next_binary(&self.cycle.sockets);
        keep.extend(descriptors);
        let keys = self.cycle.endpoints.ticket_keys();
        keep.extend(keys.map(|keys| keys.as_fd()));
        // An empty variable takes the place of one that an older binary has set.
        let number = keys.map_or(OsString::new(), |keys| keys.as_fd().as_raw_fd().to_string().into());
        let own = process::id().to_string().into();
        let variables = [
            (UPGRADE_VARIABLE, list),
            (OLD_BINARY_VARIABLE, own),
            (TICKETS_VARIABLE, number),
            (STEER_VARIABLE, arrays),
        ];
        match inherit::spawn_inheriting(&self.executable, &self.args, &variables, &keep) {
            Ok(pid) => self.next_binary = Some(pid),
            Err(error) => {
                log::alert!("{}", Failure::on_path("execve", &self.executable, error));
                self.rename_pid_file_back();
            }
        }
    }

    pub(super) fn rename_pid_file_back(&mut self) {
        if let Some(Err(failure)) = self.pid_file.as_mut().map(PidFile::rename_back) {
            log::alert!("{failure}");
        }
    }

    pub(super) fn next_binary_ended(&mut self, pid: Pid, exit: Exit) {
        super::deaths::log_exit("new binary process", pid, exit);
        self.next_binary = None;
        self.rename_pid_file_back();
        // The next binary may have kept new connections from sockets that its conf has no use for.
        self.cycle.steer(&[]);
        if self.is_idle
            && !self.shutdown.has_begun()
            && let Err(error) = self.renew_workers()
        {
            log::emerg!("{error}");
        }
    }
}
