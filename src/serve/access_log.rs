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

/// The access logs of a worker, or of one of its threads.
#[derive(Debug, Default)]
pub struct AccessLogs {
    sinks: Vec<Sink>,
    /// The sinks of each location.
    by_location: Vec<Vec<usize>>,
    /// A file without a buffer has lines that are to be written when the turn ends.
    fresh: bool,
}

impl AccessLogs {
    /// Sets up the logs of `site`; `open` opens the place of a log.
    pub fn new<E>(
        site: &HttpConf,
        mut open: impl FnMut(&AccessLog, &To) -> Result<Output, E>,
    ) -> Result<AccessLogs, E> {
        let mut logs = AccessLogs::default();
        let mut known: Vec<(*const AccessLog, usize)> = Vec::new();
        for location in site.locations() {
            let mut sinks = Vec::new();
            for conf in location.scope.get(&ACCESS_LOG) {
                let index = match known.iter().find(|(at, _)| std::ptr::eq(*at, conf)) {
                    Some((_, index)) => *index,
                    None => {
                        let format = site.log_formats().iter().find(|format| format.name == conf.format);
                        let Some(format) = format.cloned() else { continue };
                        let sink = match &conf.place {
                            Place::Fixed(to) => Sink::open(conf, format, open(conf, to)?),
                            Place::Named(path) => Some(Sink::named(conf, format, path.clone())),
                        };
                        let Some(sink) = sink else { continue };
                        logs.sinks.push(sink);
                        known.push((conf, logs.sinks.len() - 1));
                        logs.sinks.len() - 1
                    }
                };
                sinks.push(index);
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
            self.fresh |= sink.file().is_some_and(|file| file.is_unbuffered());
        }
    }

    /// Writes the lines of files without a buffer, and the buffers that are due.
    pub fn end_of_turn(&mut self, clock: &Clock) {
        let now = clock.now_ms();
        let is_due = |sink: &Sink| sink.due_ms().is_some_and(|due| due <= now);
        if std::mem::take(&mut self.fresh) || self.sinks.iter().any(is_due) {
            self.sinks.iter_mut().filter_map(Sink::file).for_each(|file| file.end_of_turn(now));
        }
    }

    /// When the next buffer is due, ms of the clock.
    pub fn next_flush_ms(&self) -> Option<u64> {
        self.sinks.iter().filter_map(Sink::due_ms).min()
    }

    /// Lines that could not be written since the last call; the count starts again at 0.
    pub fn take_lost(&mut self) -> u64 {
        self.sinks.iter_mut().map(Sink::take_lost).sum()
    }

    /// Writes everything that its readers take.
    pub fn flush(&mut self) {
        self.sinks.iter_mut().filter_map(Sink::file).for_each(|file| file.flush(0));
    }
}
