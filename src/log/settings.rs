//! `error_log`.

use super::{Level, Peer, Target, To};

use crate::conf::{self, Contexts, Entry, Setting};

/// The sizes that a log in memory may have, bytes.
const LEAST_MEMORY: u64 = 4 << 10;
const MOST_MEMORY: u64 = 1 << 30;

/// The parts of nginx's debug log.
const DEBUG_PARTS: [&str; 7] =
    ["debug_core", "debug_alloc", "debug_mutex", "debug_event", "debug_http", "debug_mail", "debug_stream"];

/// The directives of this layer.
pub static DIRECTIVES: &[&dyn Entry] = &[&ERROR_LOG];

/// `error_log`: the files, and the level of each.
pub static ERROR_LOG: Setting<Vec<Target>> = Setting::many(&["error_log"], |a, targets: &mut Vec<Target>| {
    let target = parse(a)?;
    targets.push(target);
    Ok(())
})
.contexts(Contexts::MAIN.union(Contexts::HTTP_ALL).union(Contexts::STREAM).union(Contexts::STREAM_SERVER))
.args(1, usize::MAX)
.syntax(
    "FILE | stderr | syslog:server=ADDRESS[,OPTION ...] | memory:SIZE \
     [debug | info | notice | warn | error | crit | alert | emerg]",
)
.default("stderr error")
.about(
    "Where errors are written, and from which level on (`error` when none is given). Several lines in one block all \
     write. `/dev/stdout` and `/dev/stderr` work also when they are pipes. Without this directive, `drover -e FILE` \
     decides, else it is standard error. `syslog:` sends \
     lines as access_log does, with the severity of each. `memory:SIZE` keeps the last lines in memory: \
     `ls -l /proc/PID/fd` shows the number N of `memfd:drover-error-log`, and `cat /proc/PID/fd/N` prints it. \
     `debug_http` and the other parts of nginx's debug log stand for `debug`.",
);

fn parse(a: &mut conf::Args) -> Result<Target, conf::Error> {
    let text = a.str(0)?.to_owned();
    let to = match text.split_once(':') {
        _ if text == "stderr" => To::Stderr,
        Some(("syslog", _)) => To::Syslog(Peer::parse(a, 0)?),
        Some(("memory", size)) => match conf::parse_size(size) {
            Some(bytes @ LEAST_MEMORY..=MOST_MEMORY) => To::Memory(bytes),
            _ => return Err(a.bad(0, format!("invalid buffer size \"{size}\"")).help("from 4k to 1g")),
        },
        _ => To::File(a.path(0)?.into()),
    };
    let level = level(a)?;
    Ok(Target { to, level, span: a.span(0) })
}

/// The level that the arguments behind the place name (`ngx_log_set_levels`). All parts of nginx's debug log are one
/// here.
fn level(a: &conf::Args) -> Result<Level, conf::Error> {
    let (mut level, mut parts) = (None, false);
    for i in 1..a.len() {
        let word = a.str(i)?;
        let known = Level::NAMES.iter().find(|(name, _)| *name == word);
        match known {
            Some(_) if level.is_some() || parts => {
                return Err(a.bad(i, format!("duplicate log level \"{word}\"")).help("a log has one level"));
            }
            Some((_, known)) => level = Some(*known),
            None if level.is_none() && DEBUG_PARTS.contains(&word) => parts = true,
            None => return Err(unknown_level(a, i, word)),
        }
    }
    Ok(level.unwrap_or(if parts { Level::Debug } else { Level::Error }))
}

fn unknown_level(a: &conf::Args, i: usize, word: &str) -> conf::Error {
    let error = a.bad(i, format!("invalid log level \"{word}\""));
    let names = || Level::NAMES.iter().map(|(name, _)| *name);
    match conf::did_you_mean(word, names()) {
        _ if DEBUG_PARTS.contains(&word) => error.help("leave the other level out: a part of the debug log is lower"),
        Some(near) => error.help(format!("did you mean \"{near}\"?")),
        None => error.help(format!("one of {}", names().collect::<Vec<_>>().join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{Registry, parse};

    fn targets(text: &str) -> Result<Vec<Target>, String> {
        let registry = Registry::new(&[DIRECTIVES]);
        assert_eq!(registry.problems(), Vec::<String>::new());
        parse(&registry, text).map(|conf| conf.root.scope.get(&ERROR_LOG).clone()).map_err(|e| e.sentence())
    }

    #[test]
    fn lines_add_up_and_the_level_is_error_unless_said() {
        let file = |path: &str, level| Target { to: To::File(path.into()), level, span: conf::Span::NOWHERE };
        let both = targets("error_log logs/a; error_log /b debug;").unwrap();
        assert_eq!(both, [file("/logs/a", Level::Error), file("/b", Level::Debug)]);
        let parts = targets("error_log /a debug_http debug_core debug_http;").unwrap();
        assert_eq!(parts, [file("/a", Level::Debug)]);
        assert_eq!(targets("").unwrap(), [Target { to: To::Stderr, level: Level::Error, span: conf::Span::NOWHERE }]);
    }

    #[test]
    fn what_it_cannot_do_is_refused() {
        assert!(targets("error_log x loud;").unwrap_err().starts_with("invalid log level \"loud\" in conf:1"));
        assert!(targets("error_log memory:1k;").unwrap_err().starts_with("invalid buffer size \"1k\" in conf:1"));
        assert!(targets("error_log syslog:tag=x;").unwrap_err().starts_with("no syslog server specified in conf:1"));
        let [log] = &targets("error_log memory:32k debug;").unwrap()[..] else { panic!("one log") };
        assert_eq!((&log.to, log.level), (&To::Memory(32 << 10), Level::Debug));
    }
}
