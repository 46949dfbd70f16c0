//! Access logs: lines gathered in a buffer and written in batches, at the latest when the turn of the loop ends; or
//! sent to syslog, or to a file that the request names, as they come.

mod buffered;
mod settings;
mod sink;

pub use settings::{ACCESS_LOG, AccessLog, DIRECTIVES, check_formats};

use crate::event::Clock;
use crate::http::HttpConf;
use crate::http::exchange::{Cx, Exchange};
use crate::log::{Output, To};
use settings::Place;
use sink::Sink;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The directories where requests may have log files made: those of the paths with variables.
pub fn directories(site: &HttpConf) -> Vec<PathBuf> {
    let logs = site.locations().iter().flat_map(|location| location.scope.get(&ACCESS_LOG));
    let named = logs.filter_map(|log| if let Place::Named(path) = &log.place { Some(path.fixed_path()) } else { None });
    let directory = |path: &[u8]| PathBuf::from(OsStr::from_bytes(if path.is_empty() { b"/" } else { path }));
    named.map(directory).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The access logs of a worker, or of one of its threads.
#[derive(Debug, Default)]
pub struct AccessLogs {
    sinks: Vec<Sink>,
    /// The sinks of each location.
    by_location: Vec<Vec<usize>>,
    /// The sinks that the end of a turn looks at: those that have got lines in it, and those that are due at some time.
    /// A conf may have thousands that no request is for.
    active: Vec<usize>,
    /// Lines that could not be written, of sinks that are not active any more.
    lost: u64,
}

impl AccessLogs {
    /// Sets up the logs of `site`; `open` opens the place of a log, or leaves the log out.
    pub fn new<E>(
        site: &HttpConf,
        mut open: impl FnMut(&AccessLog, &To) -> Result<Option<Output>, E>,
    ) -> Result<AccessLogs, E> {
        let mut logs = AccessLogs::default();
        let mut known: HashMap<*const AccessLog, Option<usize>> = HashMap::new();
        for location in site.locations() {
            let mut sinks = Vec::new();
            for conf in location.scope.get(&ACCESS_LOG) {
                let index = match known.get(&std::ptr::from_ref(conf)) {
                    Some(index) => *index,
                    None => {
                        let format = site.log_formats().iter().find(|format| format.name == conf.format);
                        let Some(format) = format.cloned() else { continue };
                        let sink = match &conf.place {
                            Place::Fixed(to) => open(conf, to)?.and_then(|output| Sink::open(conf, format, output)),
                            Place::Named(path) => Some(Sink::named(conf, format, path.clone())),
                        };
                        let index = sink.is_some().then_some(logs.sinks.len());
                        logs.sinks.extend(sink);
                        known.insert(conf, index);
                        index
                    }
                };
                sinks.extend(index);
            }
            logs.by_location.push(sinks);
        }
        Ok(logs)
    }

    /// Adds the lines of an exchange that has ended.
    pub fn write(&mut self, ex: &Exchange, cx: &Cx) {
        let Some(sinks) = self.by_location.get(ex.location()) else { return };
        for &index in sinks {
            let Some(sink) = self.sinks.get_mut(index) else { continue };
            sink.add(ex, cx);
            if !std::mem::replace(&mut sink.is_active, true) {
                self.active.push(index);
            }
        }
    }

    /// Writes the lines of files without a buffer, and the buffers that are due.
    pub fn end_of_turn(&mut self, clock: &Clock) {
        let AccessLogs { sinks, active, lost, .. } = self;
        active.retain(|&index| {
            let Some(sink) = sinks.get_mut(index) else { return false };
            if let Some(file) = sink.file() {
                file.end_of_turn(clock.now_ms());
            }
            sink.is_active = sink.due_ms().is_some();
            if !sink.is_active {
                *lost += sink.take_lost();
            }
            sink.is_active
        });
    }

    /// Gives up the memory that no line is in: a long line has left much of it.
    pub fn shrink(&mut self) {
        self.sinks.iter_mut().for_each(Sink::shrink);
    }

    /// When the next buffer is due, ms of the clock.
    pub fn next_flush_ms(&self) -> Option<u64> {
        self.active.iter().filter_map(|&index| self.sinks.get(index)?.due_ms()).min()
    }

    /// Lines that could not be written since the last call; the count starts again at 0.
    pub fn take_lost(&mut self) -> u64 {
        let AccessLogs { sinks, active, lost, .. } = self;
        let of_active = active.iter().filter_map(|&index| sinks.get_mut(index).map(Sink::take_lost)).sum::<u64>();
        std::mem::take(lost) + of_active
    }

    /// Writes everything that its readers take.
    pub fn flush(&mut self) {
        for (index, sink) in self.sinks.iter_mut().enumerate() {
            let Some(file) = sink.file() else { continue };
            file.flush(0);
            // A reader that is too slow gets the remainder later.
            if file.due_ms().is_some() && !std::mem::replace(&mut sink.is_active, true) {
                self.active.push(index);
            }
            self.lost += sink.take_lost();
        }
    }
}
