//! The table of a soak over time, and the limits of growth.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::run::{Event, Plan};
use crate::samples::{Sample, growth, median, quantile};

/// Growth of memory that is none: of a thread in KiB, whose heap breathes with the load, and as a share of a process.
const KIB: f64 = 256.0;
const SHARE: f64 = 0.05;
/// The same for each thread in a soak of less than [`LONG`]: each heap becomes as large as its work wants it, and there
/// is a coder for gzip.
const KIB_OF_THREAD: f64 = 512.0;
const LONG: Duration = Duration::from_secs(20 * 60);
/// The median p99 of the last third may be so many times that of the first: other work of the machine is in it.
const SLOWER: f64 = 2.0;

/// The figures of a server.
pub struct Report {
    name: String,
    pub samples: Vec<Sample>,
    rows: Vec<Row>,
    events: BTreeMap<String, u64>,
    pub last_event: Option<Event>,
    /// Requests on connections that a killed process held.
    pub excused: u64,
    /// Requests that were lost without such an excuse.
    pub lost: usize,
}

/// A line of the table.
pub struct Row {
    at: Duration,
    answered: u64,
    p50: f64,
    p99: f64,
    sample: Sample,
}

impl Row {
    pub fn new(at: Duration, answered: u64, mut times: Vec<u32>, sample: Option<&Sample>) -> Row {
        let (p50, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
        Row { at, answered, p50, p99, sample: sample.cloned().unwrap_or_default() }
    }

    fn text(&self) -> String {
        let Row { at, answered, p50, p99, sample } = self;
        format!(
            "{:>6} {answered:>9} {p50:>7.2} {p99:>8.2} {:>6.0} {:>8.0} {:>7.0} {:>8.0} {:>6.0} {:>4} {:>4.0} {:>4.0}",
            at.as_secs(),
            sample.master.anonymous,
            sample.children.anonymous,
            sample.master.pss + sample.children.pss,
            sample.master.private_dirty + sample.children.private_dirty,
            sample.master.shared + sample.children.shared,
            sample.processes,
            sample.master_descriptors,
            sample.child_descriptors,
        )
    }
}

const HEAD: &str = "     s  requests  p50 ms   p99 ms master children     Pss    dirty shared proc  fds of children";

impl Report {
    pub fn new(name: &str) -> Report {
        Report {
            name: name.to_owned(),
            samples: Vec::new(),
            rows: Vec::new(),
            events: BTreeMap::new(),
            last_event: None,
            excused: 0,
            lost: 0,
        }
    }

    pub fn count(&mut self, event: Event) {
        *self.events.entry(format!("{event:?}")).or_default() += 1;
        self.last_event = Some(event);
    }

    /// Adds a row. Returns its line.
    pub fn add(&mut self, row: Row) -> String {
        let line = format!("{:24} {}", self.name, row.text());
        self.rows.push(row);
        line
    }

    /// All rows, and what has happened.
    pub fn table(&self) -> String {
        let lines: String = self.rows.iter().map(|row| format!("{}\n", row.text())).collect();
        let answered = self.rows.last().map_or(0, |row| row.answered);
        format!(
            "\n{}: memory in KiB, of master and children their anonymous memory\n{HEAD}\n{lines}{}: {answered} \
             requests, lost {}, {} on connections of killed processes, events {:?}\n",
            self.name, self.name, self.lost, self.excused, self.events
        )
    }

    /// Panics where something has grown.
    pub fn assert_flat(&self, plan: &Plan) {
        let mut harm = Vec::new();
        // Latency is judged by long soaks alone: CI has no timed test.
        let is_long = plan.lasts >= LONG;
        type Value = fn(&Sample) -> f64;
        let of_children = self.most_threads() * if is_long { KIB } else { KIB_OF_THREAD };
        let of_one = if is_long { KIB } else { 2.0 * KIB_OF_THREAD };
        let memories: [(&str, Value, f64); 3] = [
            ("master, KiB", |s| s.master.anonymous, of_one),
            ("children, KiB", |s| s.children.anonymous, of_children),
            ("shared memory, KiB", |s| s.master.shared + s.children.shared, of_one),
        ];
        // The number of workers is another one after each reload.
        // Heaps of threads fill for half an hour: 31 to 40 MB in the processes of `thread_pool`. In two hours they went
        // from 30 to 35 MB when other work had loaded the machine, after 95 minutes without growth.
        let from = if is_long { self.samples.len() / 2 } else { 0 };
        for (name, value, kib) in memories.into_iter().take(if plan.is_restless { 1 } else { 3 }) {
            harm.extend(self.grown(name, &self.samples[from..], value, |median| kib.max(SHARE * median)));
        }
        let descriptors: [(&str, Value); 2] =
            [("descriptors of the master", |s| s.master_descriptors), ("of children", |s| s.child_descriptors)];
        for (name, value) in descriptors.into_iter().take(if plan.is_restless { 1 } else { 2 }) {
            harm.extend(self.grown(name, &self.samples, value, |_| 0.9));
        }
        let third = self.rows.len() / 3;
        let p99 = |rows: &[Row]| median(&mut rows.iter().map(|row| row.p99).collect::<Vec<_>>()).unwrap_or(0.0);
        let (first, last) = (p99(&self.rows[..third]), p99(&self.rows[self.rows.len() - third..]));
        println!("{}: median p99 of the first third {first:.2} ms, of the last {last:.2} ms", self.name);
        if is_long && last > SLOWER * first {
            harm.push(format!("p99 has risen from {first} to {last} ms"));
        }
        assert!(harm.is_empty(), "{}: not flat: {harm:?}", self.name);
    }

    /// The most threads that the children had.
    fn most_threads(&self) -> f64 {
        self.samples.iter().map(|sample| sample.threads).max().unwrap_or(1) as f64
    }

    /// Prints a growth. Returns it if it is over the limit, which depends on the median.
    fn grown(
        &self,
        name: &str,
        samples: &[Sample],
        value: fn(&Sample) -> f64,
        limit: impl Fn(f64) -> f64,
    ) -> Option<String> {
        let growth = growth(samples, value)?;
        let limit = limit(growth.median);
        let text = format!(
            "{name}: median {:.0}, slope {:+.1} an hour, {:+.1} over a master's life (limit {limit:.1})",
            growth.median, growth.per_hour, growth.over_life
        );
        println!("{}: {text}", self.name);
        (growth.over_life > limit).then_some(text)
    }
}
