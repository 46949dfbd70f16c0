//! `access_log` and `open_log_file_cache`, as in nginx's `ngx_http_log_module.c`.

use crate::conf::{self, Contexts, Setting, Span};
use crate::http::HttpConf;
use crate::http::site::template::Template;
use crate::log::{Contents, KeepOpen, Peer, To};

/// Bytes of the buffer where `gzip` asks for one and `buffer` does not.
const GZIP_BUFFER: usize = 64 << 10;

/// An `access_log` directive.
#[derive(Debug, Clone)]
pub struct AccessLog {
    pub(super) place: Place,
    pub(super) format: String,
    pub(super) condition: Option<Template>,
    /// Bytes to gather before a write; `None`: the lines of a turn are written when it ends.
    pub(super) buffer: Option<usize>,
    /// How long a line may wait in the buffer, ms.
    pub(super) flush_ms: Option<u64>,
    /// The level at which a full buffer is compressed.
    pub(super) gzip: Option<u32>,
    span: Span,
}

/// The place of a log.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Fixed(To),
    /// A path that depends on the request.
    Named(Template),
}

/// `access_log`: the logs that get a line for each request.
pub static ACCESS_LOG: Setting<Vec<AccessLog>> = Setting::many(&["access_log"], |args, logs: &mut Vec<AccessLog>| {
    if args.str(0)? == "off" {
        if args.len() > 1 {
            let error = args.bad(1, format!("invalid parameter \"{}\"", args.str(1)?));
            return Err(error.help("\"off\" stands alone"));
        }
        logs.clear();
    } else {
        logs.push(AccessLog::parse(args)?);
    }
    Ok(())
})
.contexts(Contexts::HTTP_AND_IF.union(Contexts::LIMIT_EXCEPT))
.args(1, usize::MAX)
.syntax(
    "PATH | syslog:server=ADDRESS[,OPTION ...] [FORMAT] [buffer=SIZE] [gzip[=LEVEL]] [flush=TIME] [if=CONDITION] | off",
)
.default("off")
.about(
    "Writes a line for each exchange to PATH (also /dev/stdout and /dev/stderr), in a format that log_format names, \
     `combined` by default. Without a buffer, lines are written when the turn of the loop ends; with one, when it is \
     full, when the oldest line has waited for TIME, or when the log is reopened; `gzip` compresses \
     each buffer, of 64k unless `buffer` says another size, at LEVEL 1 to 9 (1). A line is skipped when CONDITION is \
     empty or 0. Several logs may be named. What can't be written (the disk is full, the reader gone or too slow) is \
     lost, counted as `lost_log_lines`, and said in the error log once a minute.\n\n\
     PATH may hold variables: the worker's user opens the file, line by line or as `open_log_file_cache` says, \
     and only where the `root` of the request exists. `syslog:` sends each line as a datagram to `server=ADDRESS:PORT` \
     (514) or `server=unix:PATH`, further OPTIONs being `facility=` (local7), `severity=` (info), `tag=` (drover) and \
     `nohostname`; a receiver that is gone or too slow costs lines, and no time.",
);

impl AccessLog {
    fn parse(args: &mut conf::Args) -> Result<AccessLog, conf::Error> {
        let text = args.str(0)?;
        let place = if text.starts_with("syslog:") {
            Place::Fixed(To::Syslog(Peer::parse(args, 0)?))
        } else if text.contains('$') {
            let path = args.path(0)?;
            Place::Named(Template::parse_text(args, 0, &path)?)
        } else {
            Place::Fixed(To::File(args.path(0)?.into()))
        };
        let mut log = AccessLog {
            place,
            format: "combined".to_owned(),
            condition: None,
            buffer: None,
            flush_ms: None,
            gzip: None,
            span: args.span(0),
        };
        for i in 1..args.len() {
            log.option(args, i)?;
        }
        if log.flush_ms.is_some() && log.buffer.is_none() {
            let error = args.bad(0, format!("no buffer is defined for access_log \"{}\"", args.str(0)?));
            return Err(error.help("\"flush\" is about a buffer: add buffer=SIZE or gzip, or leave it out"));
        }
        match &log.place {
            _ if log.buffer.is_none() => {}
            Place::Named(_) => {
                let error = args.bad(0, "buffered logs cannot have variables in name");
                return Err(error.help("leave \"buffer\" and \"gzip\" out; open_log_file_cache keeps such files open"));
            }
            Place::Fixed(To::Syslog(_)) => {
                let error = args.bad(0, "logs to syslog cannot be buffered");
                return Err(error.help("each line is a datagram: leave \"buffer\" and \"gzip\" out"));
            }
            Place::Fixed(to) => log.check_buffer(args, to.clone())?,
        }
        Ok(log)
    }

    /// Fails where another line has the same file with another buffer, and notes this one.
    fn check_buffer(&self, args: &mut conf::Args, to: To) -> Result<(), conf::Error> {
        let (buffer, span) = ((self.buffer, self.flush_ms, self.gzip), self.span);
        let text = args.str(0)?;
        let known = &mut args.notes::<Buffers>().0;
        let first = known.iter().find(|first| first.to == to).map(|first| (first.buffer, first.span));
        match first {
            None => known.push(Buffer { to, buffer, span }),
            Some((first, _)) if first == buffer => {}
            Some((_, first)) => {
                let message = format!("access_log \"{text}\" already defined with conflicting parameters");
                return Err(args.bad(0, message).first_at(first));
            }
        }
        Ok(())
    }

    fn option(&mut self, args: &mut conf::Args, i: usize) -> Result<(), conf::Error> {
        let text = args.str(i)?.to_owned();
        match text.split_once('=').filter(|_| i > 1) {
            Some(("buffer", value)) => match conf::parse_size(value) {
                Some(size @ 1..=0x4000_0000) => self.buffer = Some(size as usize),
                _ => {
                    let error = args.bad(i, format!("invalid buffer size \"{value}\""));
                    return Err(error.help("a size such as 32k, of 1g at most"));
                }
            },
            Some(("flush", value)) => match conf::parse_time_ms(value) {
                Some(ms @ 1..) => self.flush_ms = Some(ms),
                _ => {
                    let error = args.bad(i, format!("invalid flush time \"{value}\""));
                    return Err(error.help("a time such as 5s or 1m"));
                }
            },
            Some(("if", value)) => self.condition = Some(Template::parse_text(args, i, value)?),
            None if i == 1 => {
                self.format = text;
                let span = args.span(i);
                args.notes::<FormatsUsed>().0.push((self.format.clone(), span));
            }
            Some(("gzip", value)) => match conf::parse_count(value) {
                Some(level @ 1..=9) => self.compress(level as u32),
                _ => {
                    return Err(args
                        .bad(i, format!("invalid compression level \"{value}\""))
                        .help("a number from 1 to 9"));
                }
            },
            None if text == "gzip" => self.compress(1),
            _ => {
                let error = args.bad(i, format!("invalid parameter \"{text}\""));
                let name = text.split_once('=').map_or(&*text, |(name, _)| name);
                return Err(match conf::did_you_mean(name, ["buffer", "gzip", "flush", "if"]) {
                    Some(near) => error.help(format!("did you mean \"{near}\"?")),
                    None => error.help("buffer=SIZE, gzip[=LEVEL], flush=TIME or if=CONDITION"),
                });
            }
        }
        Ok(())
    }

    fn compress(&mut self, level: u32) {
        self.gzip = Some(level);
        self.buffer.get_or_insert(GZIP_BUFFER);
    }

    /// The contents of the log's file.
    pub fn contents(&self) -> Contents {
        if self.gzip.is_some() { Contents::Pieces } else { Contents::Lines }
    }

    /// The place in the conf where the log is named.
    pub fn span(&self) -> Span {
        self.span
    }
}

/// The buffers of the logs that have one, by their files.
#[derive(Debug, Default)]
struct Buffers(Vec<Buffer>);

#[derive(Debug)]
struct Buffer {
    to: To,
    /// Size, time to wait, and level of compression.
    buffer: (Option<usize>, Option<u64>, Option<u32>),
    span: Span,
}

/// The formats that a conf's access logs name.
#[derive(Debug, Default)]
struct FormatsUsed(Vec<(String, Span)>);

/// Complains with nginx's `unknown log format "x"` about the formats that no log_format defines.
pub fn check_formats(conf: &conf::Conf, site: &HttpConf, mistakes: &mut conf::Mistakes) {
    let Some(used) = conf.notes::<FormatsUsed>() else { return };
    let known = || site.log_formats().iter().map(|format| format.name.as_str());
    for (name, span) in used.0.iter().filter(|(name, _)| known().all(|known| known != name)) {
        let error = conf::Error::at(*span, format!("unknown log format \"{name}\"")).misses(name);
        let is_option = name == "gzip" || name.contains('=');
        mistakes.add(match conf::did_you_mean(name, known()) {
            _ if is_option => error.help(format!("a format goes before it: combined {name}")),
            Some(near) => error.help(format!("did you mean \"{near}\"?")),
            None => error.help(format!("the formats are {}", known().collect::<Vec<_>>().join(", "))),
        });
    }
}

/// `open_log_file_cache`: the files of logs with variables in their paths that stay open.
pub(super) static OPEN_LOG_FILE_CACHE: Setting<KeepOpen> = Setting::one("open_log_file_cache", |args| {
    let mut keep = KeepOpen { max: 0, inactive_s: 10, min_uses: 1, valid_s: 60 };
    let mut is_off = false;
    for i in 0..args.len() {
        let text = args.str(i)?;
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let bad = || {
            let help = match name {
                "max" | "min_uses" => format!("{name}=NUMBER"),
                "inactive" | "valid" => format!("{name}=TIME, such as 30s or 1m"),
                _ => "max=NUMBER, inactive=TIME, min_uses=NUMBER, valid=TIME, or off".to_owned(),
            };
            args.bad(i, format!("invalid \"open_log_file_cache\" parameter \"{text}\"")).help(help)
        };
        match name {
            _ if text == "off" => is_off = true,
            "max" => keep.max = conf::parse_count(value).ok_or_else(bad)? as usize,
            "inactive" => keep.inactive_s = conf::parse_time_s(value).ok_or_else(bad)?,
            "min_uses" => keep.min_uses = conf::parse_count(value).ok_or_else(bad)?,
            "valid" => keep.valid_s = conf::parse_time_s(value).ok_or_else(bad)?,
            _ => return Err(bad()),
        }
    }
    match keep.max {
        _ if is_off => Ok(KeepOpen::default()),
        0 => {
            let error = args.bad(0, "\"open_log_file_cache\" must have \"max\" parameter");
            Err(error.help("max=NUMBER, of one file at least"))
        }
        _ => Ok(keep),
    }
})
.contexts(Contexts::HTTP_ALL)
.args(1, 4)
.syntax("max=NUMBER [inactive=TIME] [min_uses=NUMBER] [valid=TIME] | off")
.default("off")
.about(
    "How many files of an `access_log` with variables in its path stay open in a worker, or in each thread of one; \
     others are opened for each line. A file that gets no line within `inactive`, 10s by default, is closed, one that \
     gets fewer than `min_uses` is not kept. After `valid`, 60s by default, it is looked up again, whether a rotation \
     has moved it.",
);

/// The directives of this module: `access_log` and `open_log_file_cache`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&ACCESS_LOG, &OPEN_LOG_FILE_CACHE];
