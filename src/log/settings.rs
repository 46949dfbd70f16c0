//! `error_log`.

use super::{Level, Peer, Target, To};

use crate::conf::{self, Contexts, Entry, Setting};

/// The sizes that a log in memory may have, bytes.
const LEAST_MEMORY: u64 = 4 << 10;
const MOST_MEMORY: u64 = 1 << 30;

/// The directives of this layer.
pub static DIRECTIVES: &[&dyn Entry] = &[&ERROR_LOG];

/// `error_log`: the files, and the level of each.
pub static ERROR_LOG: Setting<Vec<Target>> = Setting::many(&["error_log"], |a, targets: &mut Vec<Target>| {
    let target = parse(a)?;
    targets.push(target);
    Ok(())
})
.contexts(Contexts::MAIN.union(Contexts::HTTP_ALL).union(Contexts::STREAM).union(Contexts::STREAM_SERVER))
.args(1, 2)
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
     `ls -l /proc/PID/fd` shows the number N of `memfd:drover-error-log`, and `cat /proc/PID/fd/N` prints it.",
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
    let level = match a.len() {
        1 => Level::Error,
        _ => {
            let word = a.str(1)?;
            let known = Level::NAMES.iter().find(|(name, _)| *name == word);
            known
                .ok_or_else(|| {
                    let error = a.bad(1, format!("invalid log level \"{word}\""));
                    match conf::did_you_mean(word, Level::NAMES.iter().map(|(name, _)| *name)) {
                        Some(near) => error.help(format!("did you mean \"{near}\"?")),
                        None => {
                            let names: Vec<&str> = Level::NAMES.iter().map(|(name, _)| *name).collect();
                            error.help(format!("one of {}", names.join(", ")))
                        }
                    }
                })?
                .1
        }
    };
    Ok(Target { to, level, span: a.span(0) })
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
