//! The manual pages drover(8) and drover.conf(5), made from the options and from the entries of the directives.

use super::usage::{OPTIONS, Opt};
use crate::conf::roff::{code, escape, paragraphs};
use crate::conf::{Registry, reference};
use std::fmt::Write;

/// A manual page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// drover(8).
    Program,
    /// drover.conf(5).
    Conf,
}

/// The source of a page.
pub fn page(page: Page, registry: &Registry, variables: &[(&str, &str)]) -> String {
    match page {
        Page::Program => program(),
        Page::Conf => conf(registry, variables),
    }
}

/// The day when the text of this file changed last.
const DATE: &str = "2026-11-29";

/// The first lines of a page.
fn head(name: &str, section: u8, title: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(".TH {name} {section} {DATE} \"drover {version}\" \"\"\n.SH NAME\n{title}\n")
}

fn program() -> String {
    let mut text = head("DROVER", 8, "drover \\- static web server that works the way nginx works");
    text.push_str(".SH SYNOPSIS\n.nf\n");
    for usage in [
        "drover [-tTq] [-c filename] [-p prefix] [-g directives] [-e filename]",
        "drover -s stop | quit | reopen | reload [-c filename] [-p prefix] [-g directives]",
        "drover directory [[address:]port]",
        "drover --help-conf [directive]",
        "drover --health [url] [-c filename]",
        "drover --agent addr -c filename",
        "drover --init directory",
        "drover --format [--write | --check] filename...",
        "drover --man [page]",
        "drover --completions shell",
        "drover -h | -v | -V",
    ] {
        let _ = writeln!(text, "{}", synopsis(usage));
    }
    text.push_str(".fi\n");
    section(&mut text, "DESCRIPTION", DESCRIPTION);
    text.push_str(".SH OPTIONS\n");
    for option in OPTIONS {
        let _ = write!(text, ".TP\n{}\n{}", spelling(option), paragraphs(option.about));
    }
    text.push_str(".SH SIGNALS\nThe master process takes these signals:\n");
    items(&mut text, SIGNALS);
    text.push_str(".SH FILES\n");
    items(&mut text, FILES);
    section(&mut text, "EXIT STATUS", EXIT_STATUS);
    text.push_str(".SH EXAMPLES\n");
    for (n, (about, commands)) in EXAMPLES.iter().enumerate() {
        let before = if n == 0 { "" } else { ".PP\n" };
        let _ = write!(text, "{before}{}.PP\n{}", paragraphs(about), code(commands.iter().copied()));
    }
    text.push_str(".SH SEE ALSO\n.BR drover.conf (5)\n");
    text
}

/// A usage with what is typed in bold, and what stands for something else in italics.
fn synopsis(usage: &str) -> String {
    let mut out = String::new();
    for (n, word) in usage.split(' ').enumerate() {
        let inner = word.trim_matches(['[', ']']);
        let is_typed = n == 0 || inner.starts_with('-') || ["stop", "quit", "reopen", "reload"].contains(&inner);
        let (before, after) = word.split_once(inner).unwrap_or_default();
        let font = if is_typed { 'B' } else { 'I' };
        let between = if n == 0 { "" } else { " " };
        let _ = match inner {
            "|" => write!(out, " |"),
            _ => write!(out, "{between}{}\\f{font}{}\\fR{}", escape(before), escape(inner), escape(after)),
        };
    }
    out
}

/// The spellings of an option with its argument.
fn spelling(option: &Opt) -> String {
    let names: Vec<String> = option.names.iter().map(|name| format!("\\fB{}\\fR", escape(name))).collect();
    let value = match option.value.name() {
        "" => String::new(),
        name => format!(" \\fI{}\\fR", escape(name)),
    };
    names.join(", ") + &value
}

fn section(text: &mut String, title: &str, about: &str) {
    let _ = write!(text, ".SH {title}\n{}", paragraphs(about));
}

fn items(text: &mut String, items: &[(&str, &str)]) {
    for (name, about) in items {
        let _ = write!(text, ".TP\n\\fB{}\\fR\n{}", escape(name), paragraphs(about));
    }
}

fn conf(registry: &Registry, variables: &[(&str, &str)]) -> String {
    let mut text = head("DROVER.CONF", 5, "drover.conf \\- configuration of the web server drover");
    section(&mut text, "DESCRIPTION", LANGUAGE);
    let _ = write!(text, ".PP\n{}", code(EXAMPLE.lines()));
    text.push_str(".SH DIRECTIVES\n");
    text.push_str(&reference::roff(registry));
    section(&mut text, "VARIABLES", VARIABLES);
    for (name, about) in variables {
        let _ = write!(text, ".TP\n\\fB${}\\fR\n{}", escape(name), paragraphs(about));
    }
    text.push_str(".SH SEE ALSO\n.BR drover (8)\n");
    text
}

const DESCRIPTION: &str = "drover serves files over HTTP/1.1 and HTTP/2, with or without TLS. A master process reads \
    the configuration, opens the listening sockets and forks workers, which serve; the configuration's language, \
    the options and the signals are nginx's. The directive `dispatch` chooses which process accepts the next \
    connection.\n\n\
    With the name of a directory drover serves that directory, with lists of what has no index file and without names \
    that begin with a dot, on 127.0.0.1 port 8080, or where the second argument says. Without arguments it serves a \
    welcome page.\n\n\
    Without `daemon on` in the configuration drover stays in the foreground.";

const SIGNALS: &[(&str, &str)] = &[
    ("TERM, INT", "Stop at once."),
    ("QUIT", "Finish the requests in progress, then stop."),
    (
        "HUP",
        "Read the configuration again. When it is bad, the old one stays in force, and the error log has the reason.",
    ),
    ("USR1", "Reopen the log files."),
    (
        "USR2",
        "Start the program that is at this one's path now, with the listening sockets. QUIT then ends the old one, or \
         QUIT to the new one takes the upgrade back.",
    ),
    ("WINCH", "End the workers gracefully, and keep the master."),
];

const FILES: &[(&str, &str)] = &[
    ("/etc/drover/drover.conf", "The configuration of Debian's package and its service."),
    ("/run/drover.pid", "The process id of the master, where the configuration has `pid /run/drover.pid`."),
];

const EXIT_STATUS: &str = "0, or 1 after an error, which standard error has.";

const EXAMPLES: &[(&str, &[&str])] = &[
    ("To serve a directory, to this machine only:", &["drover public"]),
    (
        "To begin with a configuration, check it, and serve:",
        &["drover --init site", "drover -t -c site/drover.conf", "drover -c site/drover.conf"],
    ),
    ("To change it without losing a request:", &["drover -c site/drover.conf -s reload"]),
    ("To look up a directive:", &["drover --help-conf try_files"]),
];

const LANGUAGE: &str = "The language is nginx's. A statement is a name with arguments and a semicolon, or a name with \
    arguments and a block in braces. What a block does not say it inherits from the block around it. `#` begins a \
    comment up to the end of the line.\n\n\
    Arguments are separated by blanks. One that holds blanks, a semicolon or a brace stands in quotes, `\"` or `'`; a \
    backslash takes the meaning from a quote. `$name` or `${name}` is a variable's value, in directives that take \
    variables.\n\n\
    TIME is a number of seconds, or numbers with units: `500ms`, `75s`, `1h30m`, `30d`, `1y`. SIZE is a number of \
    bytes, or one with a unit: `8k`, `1m`, `2g`.\n\n\
    Relative paths of `include` start at the directory of the configuration, and all others at the prefix, which \
    drover(8) describes under `-p`. `drover -t` names all mistakes of a configuration, and `drover --format` indents \
    it.\n\n\
    A whole one:";

const EXAMPLE: &str = "\
worker_processes  auto;

events { }

http {
    include  mime.types;

    server {
        listen       80;
        server_name  example.org;
        root         /srv/www;

        location / {
            try_files  $uri $uri/ =404;
        }
    }
}";

const VARIABLES: &str = "Beside these there are `$http_NAME` and `$sent_http_NAME` (a header of the request and of the \
    answer, in lower case and with underscores), `$arg_NAME` (an argument of the query), `$cookie_NAME`, the groups \
    `$1` to `$9` and `$NAME` of a regex, and those that `set`, `map`, `geo` and `split_clients` define.";
