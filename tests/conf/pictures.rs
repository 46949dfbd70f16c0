//! The picture of a mistake that `drover -t` shows: the sentence, the place, the words above the carets, the help.

mod errors;
mod values;
mod warnings;

use std::path::Path;
use std::process::Command;

/// A message, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    level: String,
    /// With its place, as in the error log.
    sentence: String,
    /// `LINE:COLUMN`
    at: String,
    /// The text that the carets mark.
    marked: String,
    help: String,
}

/// The messages of `drover -t` with this conf, `%dir%` being the directory of the conf, whose name is left out of what
/// comes back.
fn said(dir: &Path, text: &str) -> (bool, Vec<Message>) {
    run(dir, text, &["-t", "-q"])
}

/// Runs drover with this conf and these arguments; returns whether that succeeds, and the messages.
fn run(dir: &Path, text: &str, args: &[&str]) -> (bool, Vec<Message>) {
    let file = dir.join("c.conf");
    let path = dir.display().to_string();
    std::fs::write(&file, text.replace("%dir%", &path)).unwrap();
    let globals = if text.contains("pid\n") { "daemon off;" } else { "daemon off; pid off;" };
    let mut program = Command::new(env!("CARGO_BIN_EXE_drover"));
    let output = program.args(args).args(["-g", globals, "-c"]).arg(&file).output().unwrap();
    let mut messages = messages(&String::from_utf8(output.stderr).unwrap());
    for Message { sentence, at, marked, help, .. } in &mut messages {
        for text in [sentence, at, marked, help] {
            *text = text.replace(&format!("{path}/"), "").replace(&path, "DIR");
        }
    }
    (output.status.success(), messages)
}

fn messages(stderr: &str) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut source = "";
    for line in stderr.lines() {
        if let Some((level, sentence)) = line.strip_prefix("drover: [").and_then(|rest| rest.split_once("] ")) {
            let (level, sentence) = (level.to_owned(), sentence.to_owned());
            let (at, marked, help) = Default::default();
            messages.push(Message { level, sentence, at, marked, help });
        } else if let Some(last) = messages.last_mut() {
            let (margin, rest) = line.split_at(line.find(['|', '-', '=']).unwrap_or(line.len()));
            if let Some(place) = rest.strip_prefix("--> ") {
                last.at = place.rsplit_once("c.conf:").unwrap().1.to_owned();
            } else if let Some(help) = rest.strip_prefix("= ") {
                last.help = help.to_owned();
            } else if let Some(shown) = rest.strip_prefix("| ").filter(|_| !margin.trim().is_empty()) {
                source = shown;
            } else if let Some(carets) = rest.strip_prefix("| ") {
                let from = carets.chars().position(|c| c == '^').unwrap();
                let len = carets.chars().skip(from).take_while(|c| *c == '^').count();
                last.marked = source.chars().skip(from).take(len).collect();
                last.help = carets.chars().skip(from + len + 1).collect();
            }
        }
    }
    messages
}

/// `(conf, sentence, place, marked, help)` of the one error of each conf.
type Case<'c> = (&'c str, &'c str, &'c str, &'c str, &'c str);

fn check(level: &str, cases: &[Case]) {
    let dir = tempfile::tempdir().unwrap();
    for (text, sentence, at, marked, help) in cases {
        let expected = Message {
            level: level.to_owned(),
            sentence: (*sentence).to_owned(),
            at: (*at).to_owned(),
            marked: (*marked).to_owned(),
            help: (*help).to_owned(),
        };
        let (is_fine, messages) = said(dir.path(), text);
        assert_eq!((is_fine, messages), (level == "warn", vec![expected]), "{text}");
    }
}

/// A server that says this in its third line.
fn in_server(line: &str) -> String {
    format!("events {{}}\nhttp {{ server {{\n {line}\n}}}}\n")
}
