//! From events to lines: the subscriber.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::startup::is_startup;
use super::{Level, Logs};
use crate::os::process;
use crate::os::time::LocalTime;

/// Bytes of the longest line: a write of that length to a pipe is atomic (PIPE_BUF). nginx cuts at 2048.
const MAX_LINE: usize = 4096;

/// Installs the subscriber, once for this process and all its children; a second call changes nothing.
pub fn init() {
    // An error means that a subscriber is installed already.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Lines));
}

/// The layer that writes nginx's lines.
pub struct Lines;

#[derive(Default)]
struct Parts {
    severity: u64,
    log: u64,
    connection: u64,
    message: String,
    context: String,
    snippet: String,
    line: String,
}

impl Visit for Parts {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "severity" => self.severity = value,
            "log" => self.log = value,
            "connection" => self.connection = value,
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String fails only when the value's own formatting does; the text so far is kept.
        let _ = match field.name() {
            "message" => write!(Escaped(&mut self.message), "{value:?}"),
            "context" => write!(Escaped(&mut self.context), "{value:?}"),
            "snippet" if is_startup() => write!(self.snippet, "{value:?}"),
            _ => Ok(()),
        };
    }
}

/// Keeps an event on one line: a decoded path or a header may hold line feeds and escape sequences.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let mut rest = s;
        while let Some(at) = rest.find(|c: char| c.is_ascii_control()) {
            self.0.push_str(&rest[..at]);
            write!(self.0, "\\x{:02X}", rest.as_bytes()[at])?;
            rest = &rest[at + 1..];
        }
        self.0.push_str(rest);
        Ok(())
    }
}

thread_local! {
    static PARTS: RefCell<Parts> = RefCell::default();
}

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        // Fails only while the thread ends.
        let _ = PARTS.try_with(|cell| {
            // An event that is sent while another is being formatted is lost.
            let Ok(mut parts) = cell.try_borrow_mut() else { return };
            let parts = &mut *parts;
            parts.message.clear();
            parts.context.clear();
            parts.snippet.clear();
            event.record(parts);
            write_event(parts);
        });
    }
}

fn write_event(parts: &mut Parts) {
    let level = Level::from_number(parts.severity);
    let told = is_startup() && level <= Level::Warn;
    if told {
        let rest = if parts.snippet.is_empty() { &parts.context } else { &parts.snippet };
        eprint(format_args!("[{level}] {}{rest}", parts.message));
    }
    let Some(log) = Logs::current().and_then(|logs| logs.get(parts.log)) else { return };
    format_line(parts, level, LocalTime::now(), process::id(), process::thread_id());
    for (output, limit) in &log.outputs {
        if level <= *limit && !(told && output.is_stderr()) {
            output.write_event(level, &parts.line);
        }
    }
}

/// Writes `drover: ...` to standard error. A closed standard error is no failure.
fn eprint(text: fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "drover: {text}");
}

/// `2026/11/20 10:00:00 [error] 123#0: *7 message, client: ...` (ngx_log_error_core). The thread number is 0 in a
/// process's first thread.
fn format_line(parts: &mut Parts, level: Level, now: LocalTime, pid: i32, thread: i32) {
    let line = &mut parts.line;
    line.clear();
    let thread = if thread == pid { 0 } else { thread };
    let _ = write!(line, "{now} [{level}] {pid}#{thread}: ");
    if parts.connection != 0 {
        let _ = write!(line, "*{} ", parts.connection);
    }
    line.push_str(&parts.message);
    line.push_str(&parts.context);
    if line.len() >= MAX_LINE {
        let mut end = MAX_LINE - 1;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
    }
    line.push('\n');
}
