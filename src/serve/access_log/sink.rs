//! The writer of one `access_log`: formats lines and passes them on to where they go.

use super::buffered::Buffered;
use super::settings::{AccessLog, OPEN_LOG_FILE_CACHE};
use crate::http::exchange::{Cx, Exchange, error_lines};
use crate::http::site::log_format::LogFormat;
use crate::http::site::template::Template;
use crate::log::{NamedFiles, Output, Syslog, Unwritten};
use crate::os::memory;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// The writer of one `access_log`.
#[derive(Debug)]
pub(super) struct Sink {
    format: LogFormat,
    condition: Option<Template>,
    out: Out,
    /// Memory for a line.
    line: Vec<u8>,
    /// Lines that went nowhere and are not counted in the ledger yet, but for those of `Buffered`.
    lost: u64,
    /// The sink is in `AccessLogs::active`.
    pub(super) is_active: bool,
}

#[derive(Debug)]
enum Out {
    File(Buffered),
    Syslog(Arc<Syslog>),
    /// The path is made for each line.
    Named(Template, NamedFiles),
}

impl Sink {
    /// The writer of a log whose place is open.
    pub(super) fn open(conf: &AccessLog, format: LogFormat, output: Output) -> Option<Sink> {
        let out = match output {
            Output::File(file) => Out::File(Buffered::new(file, conf.buffer, conf.flush_ms, conf.gzip)),
            Output::Syslog(syslog) => Out::Syslog(syslog),
            Output::Memory(_) => return None,
        };
        Some(Sink::new(conf, format, out))
    }

    /// The writer of a log whose path depends on the request.
    pub(super) fn named(conf: &AccessLog, format: LogFormat, path: Template) -> Sink {
        Sink::new(conf, format, Out::Named(path, NamedFiles::default()))
    }

    fn new(conf: &AccessLog, format: LogFormat, out: Out) -> Sink {
        Sink { format, condition: conf.condition.clone(), out, line: Vec::new(), lost: 0, is_active: false }
    }

    /// The file's buffer, if the log has one.
    pub(super) fn file(&mut self) -> Option<&mut Buffered> {
        match &mut self.out {
            Out::File(file) => Some(file),
            Out::Syslog(_) | Out::Named(..) => None,
        }
    }

    /// When the buffer must be written, ms of the clock.
    pub(super) fn due_ms(&self) -> Option<u64> {
        match &self.out {
            Out::File(file) => file.due_ms(),
            Out::Syslog(_) | Out::Named(..) => None,
        }
    }

    /// Gives up the memory that no line is in.
    pub(super) fn shrink(&mut self) {
        self.line = Vec::new();
        self.file().into_iter().for_each(Buffered::shrink);
    }

    /// Lines that could not be written since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost) + self.file().map_or(0, Buffered::take_lost)
    }

    /// Writes the line of an exchange, or puts it into the buffer.
    pub(super) fn add(&mut self, ex: &Exchange, cx: &Cx) {
        let Sink { format, condition, out, line, lost, .. } = self;
        line.clear();
        if let Some(condition) = condition {
            condition.eval(ex, cx, line);
            if matches!(line.as_slice(), b"" | b"0") {
                return;
            }
            line.clear();
        }
        match out {
            Out::File(file) => file.add(cx.clock.now_ms(), |buffer| format.write(ex, cx, buffer)),
            Out::Syslog(syslog) => {
                let is_out = format.write(ex, cx, line).is_ok() && syslog.write(cx.clock.unix_s(), line);
                *lost += u64::from(!is_out);
            }
            Out::Named(path, files) => {
                let is_whole = format.write(ex, cx, line).and_then(|()| memory::reserve(line, 1)).is_ok();
                line.push(b'\n');
                *lost += u64::from(!(is_whole && write_named(ex, cx, path, files, line)));
            }
        }
    }
}

/// Writes a line to the file that the request names, if the request's root exists (`ngx_http_log_script_write`): a log
/// for each host is not made for hosts that there are not. Returns whether the line is not lost.
fn write_named(ex: &Exchange, cx: &Cx, path: &Template, files: &mut NamedFiles, line: &[u8]) -> bool {
    let root = ex.document_root(cx);
    let is_dir = match std::fs::metadata(Path::new(OsStr::from_bytes(&root))) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(io::Error::from_raw_os_error(libc::ENOTDIR)),
        Err(error) => Err(error),
    };
    if let Err(error) = is_dir {
        error_lines::root_missing(ex, cx, &root, &error);
        return true;
    }
    let mut name = Vec::new();
    path.eval(ex, cx, &mut name);
    let keep = cx.conf.location(ex.location()).scope.get(&OPEN_LOG_FILE_CACHE);
    match files.write(&name, line, keep, cx.clock.now_ms() / 1000) {
        Ok(()) => true,
        Err(Unwritten::Unopened(failure)) => {
            error_lines::log_unopened(ex, cx, &failure);
            false
        }
        Err(Unwritten::Refused(error)) => {
            error_lines::log_unwritten(ex, cx, &name, &error);
            false
        }
    }
}
