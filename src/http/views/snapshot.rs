//! The ledger's numbers at one moment, as the views need them.

use crate::http::exchange::Cx;
use crate::http::exchange::service_variables::count_asker;
use crate::shm::{Header, Ledger, Role, Slot, Sums};

/// The numbers of all processes. Each counter is read while its process goes on counting: together they are of about
/// the same moment, and none of them ever goes back.
pub(crate) struct Snapshot<'a> {
    pub header: &'a Header,
    /// Over all processes, dead and alive.
    pub totals: Sums,
    /// The living, dispatchers first, by their numbers.
    pub processes: Vec<Process>,
    /// Pid of the worker that has the accept mutex.
    pub holder: Option<u32>,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

/// A process; its serving threads, if it has any, are summed up.
pub(crate) struct Process {
    pub pid: u32,
    pub role: Role,
    /// Number among those of its role, from 0.
    pub number: u32,
    /// Generation of the conf it runs with.
    pub generation: u32,
    /// Slots of the ledger it writes to.
    pub slots: u32,
    pub counts: Sums,
}

impl<'a> Snapshot<'a> {
    /// `None`: there is no ledger.
    pub(crate) fn take(cx: &Cx<'a>) -> Option<Snapshot<'a>> {
        let ledger = cx.ledger?;
        let mut snapshot = Snapshot {
            header: ledger.header(),
            totals: ledger.sums(),
            processes: processes(ledger),
            holder: ledger.mutex().holder(),
            now_ms: cx.clock.unix_ms(),
        };
        snapshot.totals.clamp_negatives();
        snapshot.processes.iter_mut().for_each(|process| process.counts.clamp_negatives());
        count_asker(&mut snapshot.totals, cx.conn.published);
        let pid = std::process::id();
        if let Some(own) = snapshot.processes.iter_mut().find(|process| process.pid == pid) {
            count_asker(&mut own.counts, cx.conn.published);
        }
        Some(snapshot)
    }
}

fn processes(ledger: &Ledger) -> Vec<Process> {
    let mut processes: Vec<Process> = Vec::new();
    for slot in ledger.live() {
        let Some(pid) = slot.pid() else { continue };
        match processes.iter_mut().find(|process| process.pid == pid) {
            Some(process) => {
                process.slots += 1;
                process.counts.add(slot);
                // A dispatcher that forks keeps the slots of children that are gone for those to come.
                if slot.role() == Role::Dispatcher {
                    (process.role, process.number) = (slot.role(), slot.number());
                }
            }
            None => processes.push(Process::of(pid, slot)),
        }
    }
    processes.sort_by_key(|process| (process.role == Role::Worker, process.number, process.generation));
    processes
}

impl Process {
    fn of(pid: u32, slot: &Slot) -> Process {
        let (role, number, generation) = (slot.role(), slot.number(), slot.generation());
        Process { pid, role, number, generation, slots: 1, counts: slot.read() }
    }

    pub(crate) fn role_name(&self) -> &'static str {
        match self.role {
            Role::Worker => "worker",
            Role::Dispatcher => "dispatcher",
        }
    }
}
