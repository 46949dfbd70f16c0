//! Access logs: lines gathered in a buffer and written in batches, at the latest when the turn of the loop ends.

use crate::conf::{self, Contexts, Setting, Span};
use crate::event::Clock;
use crate::http::HttpConf;
use crate::http::exchange::{Cx, Exchange};
use crate::http::site::log_format::LogFormat;
use crate::http::site::template::Template;
use crate::log::LogFile;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes kept for a reader that is too slow; further lines are lost.
const MOST_HELD: usize = 1 << 20;

/// How long a reader that was too slow is left alone before the next try, ms.
const RETRY_MS: u64 = 20;

/// Bytes of lines gathered within one turn, where the conf asks for no buffer.
const TURN_BUFFER: usize = 64 << 10;

/// An `access_log` directive.
#[derive(Debug, Clone)]
pub struct AccessLog {
    path: PathBuf,
    format: String,
    condition: Option<Template>,
    /// Bytes to gather before a write; `None`: the lines of a turn are written when it ends.
    buffer: Option<usize>,
    /// How long a line may wait in the buffer, ms.
    flush_ms: Option<u64>,
    span: Span,
}

/// `access_log`: the logs that get a line for each request.
pub static ACCESS_LOG: Setting<Vec<AccessLog>> = Setting::many(&["access_log"], |args, logs: &mut Vec<AccessLog>| {
    if args.str(0)? == "off" {
        if args.len() > 1 {
            return Err(args.bad(1, format!("invalid parameter \"{}\"", args.str(1)?)));
        }
        logs.clear();
    } else {
        logs.push(AccessLog::parse(args)?);
    }
    Ok(())
})
.contexts(Contexts::HTTP_AND_IF)
.args(1, 6)
.syntax("PATH [FORMAT] [buffer=SIZE] [flush=TIME] [if=CONDITION] | off")
.default("off")
.about(
    "Writes a line for each exchange to PATH (also /dev/stdout and /dev/stderr), in a format that log_format names, \
     `combined` by default. Without a buffer, lines are written when the turn of the loop ends; with one, when it is \
     full, when the oldest line has waited for TIME, or when the log is reopened. A line is skipped when CONDITION is \
     empty or 0. Several logs may be named. What can't be written (the disk is full, the reader gone or too slow) is \
     lost, counted as `lost_log_lines`, and said in the error log once a minute.",
);

impl AccessLog {
    fn parse(args: &mut conf::Args) -> Result<AccessLog, conf::Error> {
        let text = args.str(0)?;
        if text.starts_with("syslog:") {
            return Err(args.bad(0, "logging to syslog is not supported").help("log to /dev/stdout or to a file"));
        }
        if text.contains('$') {
            return Err(args.bad(0, "variables in the path of \"access_log\" are not supported"));
        }
        let mut log = AccessLog {
            path: args.path(0)?.into(),
            format: "combined".to_owned(),
            condition: None,
            buffer: None,
            flush_ms: None,
            span: args.span(0),
        };
        for i in 1..args.len() {
            log.option(args, i)?;
        }
        if log.flush_ms.is_some() && log.buffer.is_none() {
            return Err(args.bad(0, format!("no buffer is defined for access_log \"{}\"", args.str(0)?)));
        }
        Ok(log)
    }

    fn option(&mut self, args: &mut conf::Args, i: usize) -> Result<(), conf::Error> {
        let text = args.str(i)?.to_owned();
        match text.split_once('=').filter(|_| i > 1) {
            Some(("buffer", value)) => match conf::parse_size(value) {
                Some(size @ 1..=0x4000_0000) => self.buffer = Some(size as usize),
                _ => return Err(args.bad(i, format!("invalid buffer size \"{value}\""))),
            },
            Some(("flush", value)) => match conf::parse_time_ms(value) {
                Some(ms @ 1..) => self.flush_ms = Some(ms),
                _ => return Err(args.bad(i, format!("invalid flush time \"{value}\""))),
            },
            Some(("if", value)) => self.condition = Some(Template::parse_text(args, i, value)?),
            None if i == 1 => {
                self.format = text;
                let span = args.span(i);
                args.notes::<FormatsUsed>().0.push((self.format.clone(), span));
            }
            _ if text == "gzip" || text.starts_with("gzip=") => {
                return Err(args.bad(i, "compressed access logs are not supported"));
            }
            _ => return Err(args.bad(i, format!("invalid parameter \"{text}\""))),
        }
        Ok(())
    }

    /// The file the log is written to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The place in the conf where the log is named.
    pub fn span(&self) -> Span {
        self.span
    }
}

/// The formats that a conf's access logs name.
#[derive(Debug, Default)]
struct FormatsUsed(Vec<(String, Span)>);

/// Fails with nginx's `unknown log format "x"` for the first format that no log_format defines.
pub fn check_formats(conf: &conf::Conf, site: &HttpConf) -> Result<(), conf::Error> {
    let Some(used) = conf.notes::<FormatsUsed>() else { return Ok(()) };
    let known = || site.log_formats().iter().map(|format| format.name.as_str());
    let Some((name, span)) = used.0.iter().find(|(name, _)| known().all(|known| known != name)) else {
        return Ok(());
    };
    let error = conf::Error::at(*span, format!("unknown log format \"{name}\""));
    Err(match conf::did_you_mean(name, known()) {
        Some(near) => error.help(format!("did you mean \"{near}\"?")),
        None => error,
    })
}

#[derive(Debug)]
struct Sink {
    file: Arc<LogFile>,
    format: LogFormat,
    condition: Option<Template>,
    capacity: Option<usize>,
    flush_ms: Option<u64>,
    buffer: Vec<u8>,
    /// When the buffer's oldest line must be out, ms of the clock.
    due_ms: Option<u64>,
    /// The last write took less than the buffer held: the reader is too slow.
    is_behind: bool,
    /// Lines that could not be written and are not counted in the ledger yet.
    lost: u64,
}

/// The access logs of a worker, or of one of its threads.
#[derive(Debug, Default)]
pub struct AccessLogs {
    sinks: Vec<Sink>,
    /// The sinks of each location.
    by_location: Vec<Vec<usize>>,
    /// A sink without a buffer has lines that are to be written when the turn ends.
    fresh: bool,
}

impl AccessLogs {
    /// Sets up the logs of `site`; `open` yields the file of a log.
    pub fn new<E>(
        site: &HttpConf,
        mut open: impl FnMut(&AccessLog) -> Result<Arc<LogFile>, E>,
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
                        logs.sinks.push(Sink::new(conf, format, open(conf)?));
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
            self.fresh |= sink.capacity.is_none();
        }
    }

    /// Writes the lines of sinks without a buffer, and the buffers that are due.
    pub fn end_of_turn(&mut self, clock: &Clock) {
        if self.fresh {
            let unbuffered = self.sinks.iter_mut().filter(|sink| sink.capacity.is_none() && !sink.is_behind);
            unbuffered.for_each(|sink| sink.flush(clock.now_ms()));
            self.fresh = false;
        }
        let now = clock.now_ms();
        let due = self.sinks.iter_mut().filter(|sink| sink.due_ms.is_some_and(|due| due <= now));
        due.for_each(|sink| sink.flush(now));
    }

    /// When the next buffer is due, ms of the clock.
    pub fn next_flush_ms(&self) -> Option<u64> {
        self.sinks.iter().filter_map(|sink| sink.due_ms).min()
    }

    /// Lines that could not be written since the last call; the count starts again at 0.
    pub fn take_lost(&mut self) -> u64 {
        self.sinks.iter_mut().map(|sink| std::mem::take(&mut sink.lost)).sum()
    }

    /// Writes everything that its readers take.
    pub fn flush(&mut self) {
        self.sinks.iter_mut().for_each(|sink| sink.flush(0));
    }
}

impl Sink {
    fn new(conf: &AccessLog, format: LogFormat, file: Arc<LogFile>) -> Sink {
        Sink {
            file,
            format,
            condition: conf.condition.clone(),
            capacity: conf.buffer,
            flush_ms: conf.flush_ms,
            buffer: Vec::new(),
            due_ms: None,
            is_behind: false,
            lost: 0,
        }
    }

    fn add(&mut self, ex: &Exchange, cx: &Cx) {
        let start = self.buffer.len();
        if let Some(condition) = &self.condition {
            condition.eval(ex, cx, &mut self.buffer);
            let skip = matches!(&self.buffer[start..], b"" | b"0");
            self.buffer.truncate(start);
            if skip {
                return;
            }
        }
        self.format.write(ex, cx, &mut self.buffer);
        self.buffer.push(b'\n');
        if self.is_behind {
            if self.buffer.len() > MOST_HELD {
                self.buffer.truncate(start);
                self.lose(1, &io::Error::from_raw_os_error(libc::EAGAIN));
            }
            return;
        }
        let now = cx.clock.now_ms();
        let capacity = self.capacity.unwrap_or(TURN_BUFFER);
        if self.buffer.len() > capacity && start > 0 {
            // Writes whole lines only: the line that does not fit any more waits for the next write.
            let line = self.buffer.split_off(start);
            self.flush(now);
            self.buffer.extend_from_slice(&line);
        }
        if self.buffer.len() >= capacity && !self.is_behind {
            self.flush(now);
        } else if let (None, Some(flush_ms)) = (self.due_ms, self.flush_ms) {
            self.due_ms = Some(now + flush_ms);
        }
    }

    /// Writes what the reader takes, and keeps the remainder for the next try. A log that can't be written (disk full,
    /// reader gone) must not stop the service: its lines are lost.
    fn flush(&mut self, now_ms: u64) {
        if !self.buffer.is_empty() {
            match self.file.write(&self.buffer) {
                Ok(taken) => drop(self.buffer.drain(..taken)),
                Err(error) => {
                    self.lose(memchr::memchr_iter(b'\n', &self.buffer).count() as u64, &error);
                    self.buffer.clear();
                }
            }
        }
        self.is_behind = !self.buffer.is_empty();
        self.due_ms = self.is_behind.then_some(now_ms + RETRY_MS);
    }

    fn lose(&mut self, lines: u64, error: &io::Error) {
        self.lost += lines;
        self.file.lose(lines, error);
    }
}

/// The directive of this module: `access_log`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&ACCESS_LOG];
