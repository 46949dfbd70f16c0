use super::*;
use crate::conf::Mistakes;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tracing_subscriber::layer::SubscriberExt;

struct Somewhere(LogRef);

impl Origin for Somewhere {
    fn log(&self) -> LogRef {
        self.0
    }
    fn connection(&self) -> u64 {
        7
    }
    fn context(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(", client: 127.0.0.1, request: \"GET /a\x1b\nb HTTP/1.1\"")
    }
}

fn target(path: &Path, level: Level) -> Target {
    Target { to: To::File(path.to_owned()), level, span: crate::conf::Span::NOWHERE }
}

/// The current logs belong to the process: one test at a time.
static ONE: Mutex<()> = Mutex::new(());

fn with_logs(main: Level, body: impl FnOnce(&Logs, &Path)) -> Vec<String> {
    let _one = ONE.lock().unwrap_or_else(|e| e.into_inner());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("error.log");
    let logs = Arc::new(Logs::open(&[target(&path, main)], Missing::Make, &mut Mistakes::default()));
    set_startup(false);
    logs.make_current();
    let subscriber = tracing_subscriber::registry().with(Lines);
    tracing::subscriber::with_default(subscriber, || body(&logs, &path));
    std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect()
}

/// The level and the text of a line, without time and process.
fn tail(line: &str) -> String {
    let (time, rest) = line.split_at(19);
    assert!(time.bytes().enumerate().all(|(i, b)| match i {
        4 | 7 => b == b'/',
        10 => b == b' ',
        13 | 16 => b == b':',
        _ => b.is_ascii_digit(),
    }));
    let (level, rest) = rest.strip_prefix(" [").and_then(|r| r.split_once("] ")).unwrap();
    let (process, text) = rest.split_once(": ").unwrap();
    let (pid, thread) = process.split_once('#').unwrap();
    assert_eq!(pid.parse::<u32>().unwrap(), std::process::id());
    assert!(thread.parse::<u32>().is_ok());
    format!("{level}|{text}")
}

#[test]
fn lines_look_like_nginx_s() {
    let lines = with_logs(Level::Info, |_, _| {
        notice!("start worker process {}", 12);
        error!(at: Somewhere(LogRef::main()), "open() \"{}\" failed", "/a/b");
        debug!("unseen");
    });
    let tails: Vec<_> = lines.iter().map(|l| tail(l)).collect();
    assert_eq!(
        tails,
        [
            "notice|start worker process 12",
            "error|*7 open() \"/a/b\" failed, client: 127.0.0.1, request: \"GET /a\\x1B\\x0Ab HTTP/1.1\"",
        ]
    );
}

#[test]
fn every_level_is_named_and_filtered() {
    let lines = with_logs(Level::Crit, |_, _| {
        for (_, level) in Level::NAMES {
            emit!(*level, "x");
        }
    });
    let tails: Vec<_> = lines.iter().map(|l| tail(l)).collect();
    assert_eq!(tails, ["crit|x", "alert|x", "emerg|x"]);
}

#[test]
fn a_place_writes_to_its_own_log_with_its_own_level() {
    let lines = with_logs(Level::Error, |logs, path| {
        let other = path.with_file_name("other.log");
        let both = [target(&other, Level::Debug), target(path, Level::Emerg)];
        let place = Somewhere(logs.error_log(&both, &mut Mistakes::default()));
        assert_eq!(logs.error_log(&both, &mut Mistakes::default()), place.0);
        debug!(at: place, "detail");
        emerg!(at: place, "both");
        error!("main");
        let text = std::fs::read_to_string(&other).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("detail, client"));
    });
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("[emerg]") && lines[1].ends_with("main"));
}

#[test]
fn a_long_line_is_cut_between_characters() {
    let lines = with_logs(Level::Error, |_, _| error!("{}", "é".repeat(5000)));
    assert_eq!(lines.len(), 1);
    assert!(lines[0].len() < 4096 && lines[0].len() > 4000 && lines[0].ends_with('é'));
}
