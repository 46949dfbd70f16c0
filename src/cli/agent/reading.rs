//! The load of the service, read from its page `ledger`.
//!
//! The ledger can be had in two ways: as memory, by the descriptors of the master in /proc, or as the page of a
//! location with `ledger`. The page takes fewer rights, and is what the agent reads. Most masters are root's, their
//! /proc/PID/fd is open to root alone, and an upgrade makes another ledger: the agent, which talks to the network,
//! would have to stay root for good. The page takes a connection from this machine. It comes by way of a worker, so
//! that a service whose workers are stuck shows exactly that. A master that ends has closed its sockets, and is seen
//! at the pid file (`master/pid_file.rs`), which anybody may read.

use std::collections::VecDeque;

use serde::Deserialize;

use super::answer::{LATE_SECONDS, Load};

/// How many readings the number of late accepts spans: it is that of the last seconds.
const WINDOW: usize = 6;

/// The parts of the page that matter; `views/ledger.rs` has its schema.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    started_unix_ms: u64,
    /// The generation of the conf in service.
    pub(super) generation: u32,
    bounds: Bounds,
    totals: Totals,
    processes: Vec<Process>,
}

#[derive(Debug, Deserialize)]
struct Bounds {
    accept_delay: Vec<f64>,
}

#[derive(Debug, Deserialize)]
struct Totals {
    reading: u64,
    writing: u64,
    accept_delay: Vec<u64>,
}

#[derive(Debug, Deserialize)]
struct Process {
    role: String,
    generation: u32,
}

impl Page {
    /// Reads a page. Error: it is none, as a sentence.
    pub(super) fn parse(body: &[u8]) -> Result<Page, String> {
        serde_json::from_slice(body).map_err(|error| format!("the page is no ledger: {error}"))
    }

    /// Workers of the generation in service. Those of the one before finish what they have, and get nothing new.
    pub(super) fn workers(&self) -> u64 {
        let is_worker = |process: &&Process| process.role == "worker" && process.generation == self.generation;
        self.processes.iter().filter(is_worker).count() as u64
    }

    fn accepts(&self) -> Accepts {
        let is_late = |at: usize| self.bounds.accept_delay.get(at).is_none_or(|bound| *bound > LATE_SECONDS);
        let late = self.totals.accept_delay.iter().enumerate().filter(|(at, _)| is_late(*at)).map(|(_, count)| count);
        Accepts { started_unix_ms: self.started_unix_ms, all: self.totals.accept_delay.iter().sum(), late: late.sum() }
    }
}

/// The accepts of a service since its start.
#[derive(Debug, Clone, Copy)]
struct Accepts {
    started_unix_ms: u64,
    all: u64,
    late: u64,
}

/// The accepts of the last readings.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Accepts>);

impl History {
    /// The load by a new page, of a service that has so many places.
    pub(super) fn add(&mut self, page: &Page, places: u64) -> Load {
        let now = page.accepts();
        // Another master counts from 0.
        if self.0.back().is_some_and(|last| last.started_unix_ms != now.started_unix_ms || last.all > now.all) {
            self.0.clear();
        }
        self.0.push_back(now);
        if self.0.len() > WINDOW {
            self.0.pop_front();
        }
        let before = self.0.front().copied().unwrap_or(now);
        // The request for the page is under way while it is answered.
        let busy = (page.totals.reading + page.totals.writing).saturating_sub(1);
        Load { busy, places, accepted: now.all - before.all, late: now.late.saturating_sub(before.late) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(started: u64, busy: u64, delays: [u64; 3]) -> Page {
        let text = format!(
            "{{\"schema\":1,\"started_unix_ms\":{started},\"generation\":2,\
              \"bounds\":{{\"accept_delay\":[0.032,0.064]}},\
              \"totals\":{{\"reading\":1,\"writing\":{busy},\"accept_delay\":{delays:?},\"more\":[]}},\
              \"processes\":[{{\"role\":\"dispatcher\",\"generation\":2}},{{\"role\":\"worker\",\"generation\":1}},\
              {{\"role\":\"worker\",\"generation\":2}},{{\"role\":\"worker\",\"generation\":2}}]}}"
        );
        Page::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_load_is_what_is_under_way_and_what_was_late_between_readings() {
        let mut history = History::default();
        let load = |busy, accepted, late| Load { busy, places: 50, accepted, late };
        assert_eq!(history.add(&page(1, 3, [100, 50, 7]), 50), load(3, 0, 0), "what was before does not count");
        assert_eq!(history.add(&page(1, 0, [110, 52, 8]), 50), load(0, 13, 3));
        (0..WINDOW).for_each(|_| _ = history.add(&page(1, 0, [110, 52, 8]), 50));
        assert_eq!(history.add(&page(1, 0, [111, 52, 8]), 50), load(0, 1, 0), "long ago");
        assert_eq!(history.add(&page(2, 0, [2, 1, 0]), 50), load(0, 0, 0), "another master");
        assert_eq!(page(1, 0, [0; 3]).workers(), 2);
    }

    #[test]
    fn another_page_is_refused() {
        for body in ["", "{}", "<html>", "{\"schema\":1}", "[1]"] {
            assert!(Page::parse(body.as_bytes()).unwrap_err().starts_with("the page is no ledger"), "{body}");
        }
    }
}
