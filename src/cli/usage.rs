//! The options of the command line: one list for `--help`, the manual page and the completions of shells.

/// An option.
pub struct Opt {
    /// Its spellings, as they are typed.
    pub names: &'static [&'static str],
    /// The argument.
    pub value: Value,
    /// The line of `--help`, or several.
    pub help: &'static [&'static str],
    /// Sentences for the manual page, with code in backquotes.
    pub about: &'static str,
}

/// The argument of an option.
pub enum Value {
    /// None.
    Nothing,
    /// A file.
    File(&'static str),
    /// A directory.
    Directory(&'static str),
    /// Any text.
    Text(&'static str),
    /// A name, and the words of which the argument is one.
    OneOf(&'static str, &'static [&'static str]),
    /// A name, and the words of which the argument may be one.
    Maybe(&'static str, &'static [&'static str]),
    /// The name of a directive, or none.
    MaybeDirective,
}

impl Value {
    /// The argument as usage lines write it.
    pub fn name(&self) -> &'static str {
        match self {
            Value::Nothing => "",
            Value::File(name) | Value::Directory(name) | Value::Text(name) => name,
            Value::OneOf(name, _) => name,
            Value::Maybe(name, _) => name,
            Value::MaybeDirective => "[directive]",
        }
    }
}

/// All options: nginx's, then drover's own.
pub static OPTIONS: &[Opt] = &[
    Opt { names: &["-?", "-h", "--help"], value: Value::Nothing, help: &["this help"], about: "Shows the options." },
    Opt {
        names: &["-v", "--version"],
        value: Value::Nothing,
        help: &["show version and exit"],
        about: "Shows the version.",
    },
    Opt {
        names: &["-V"],
        value: Value::Nothing,
        help: &["show version and how it was built, and exit"],
        about: "Shows the version, how it was built, and the dispatch models.",
    },
    Opt {
        names: &["-t"],
        value: Value::Nothing,
        help: &["test configuration and exit"],
        about: "Checks everything that a start would need, and exits: 0, or 1 with all mistakes on standard error.",
    },
    Opt {
        names: &["-T"],
        value: Value::Nothing,
        help: &["test configuration, dump it and exit"],
        about: "As `-t`, and prints the configuration with all included files; private keys are left out.",
    },
    Opt {
        names: &["-q"],
        value: Value::Nothing,
        help: &["suppress non-error messages during configuration testing"],
        about: "Lets `-t` and `-T` say nothing but errors.",
    },
    Opt {
        names: &["-s"],
        value: Value::OneOf("signal", &["stop", "quit", "reopen", "reload"]),
        help: &[
            "send signal to a master process: stop, quit, reopen, reload",
            "(reload waits, and fails when the master refuses)",
        ],
        about: "Sends a signal to the running master of this configuration: `stop` ends it at once, `quit` when the \
                requests in progress are answered, `reopen` opens the log files anew, `reload` reads the configuration \
                again, waits for the master's answer, and exits with 1 when it refuses.",
    },
    Opt {
        names: &["-p"],
        value: Value::Directory("prefix"),
        help: &["set prefix path (default: DIR for -c DIR/conf/FILE,", "else the working directory)"],
        about: "The directory where relative paths start. Without it that is the directory around one called `conf` \
                that holds the configuration, else the working directory.",
    },
    Opt {
        names: &["-e"],
        value: Value::File("filename"),
        help: &["set error log file (default: stderr)"],
        about: "The error log until the configuration names one; `stderr` is the default.",
    },
    Opt {
        names: &["-c"],
        value: Value::File("filename"),
        help: &["set configuration file (default: a built-in one)"],
        about: "The configuration, as drover.conf(5) describes it.",
    },
    Opt {
        names: &["-g"],
        value: Value::Text("directives"),
        help: &["set global directives out of configuration file"],
        about: "Directives that are put in front of the configuration: `-g 'worker_processes 2; daemon on;'`.",
    },
    Opt {
        names: &["--help-conf"],
        value: Value::MaybeDirective,
        help: &["what a directive does; without a name, the list of all"],
        about: "Prints the reference of a directive, or a line for each of them.",
    },
    Opt {
        names: &["--health"],
        value: Value::Maybe("[url]", &[]),
        help: &["ask the URL, or the first address of the configuration;", "0 when it answers, else 1"],
        about: "Sends one request and exits with 0, or with 1 and the reason when there is no good answer within \
                2 seconds. With a URL (`http://`) the answer must be below 400; without, the first address that the \
                configuration listens on is asked, and must answer below 500. For images without a shell.",
    },
    Opt {
        names: &["--agent"],
        value: Value::Text("addr"),
        help: &["answer HAProxy's agent checks with the service's weight", "([address:]port or unix:path), with -c"],
        about: "Answers HAProxy's agent checks (`agent-check`) on this address, a port of 127.0.0.1 (`9000`), an \
                address and a port (`192.0.2.11:9000`, `[::1]:9000`, `*:9000`) or `unix:/PATH`, until a signal ends \
                it. The answer is `up N%`: the part of the connections that is free, less where connections are \
                accepted late; `up 0%` while the service drains, `up 1%` while it is full or its page does not answer, \
                and `down#REASON` when it has ended. The configuration (`-c`) is that of the service; it needs a \
                location with `ledger`, which is read once in a second, and a `pid` file that this user can read. No \
                other right is needed.",
    },
    Opt {
        names: &["--init"],
        value: Value::Directory("directory"),
        help: &["write a commented configuration, mime.types and a page", "to begin with; nothing is overwritten"],
        about: "Writes `drover.conf`, `mime.types` and `html/index.html` into the directory, which is made if it is \
                not there. Where one of these files exists, nothing is written.",
    },
    Opt {
        names: &["--format"],
        value: Value::File("filename..."),
        help: &["print configuration files with usual indentation;", "- for standard input"],
        about: "Prints configuration files in their usual form: a statement in each line, blocks indented by four \
                blanks. Words, comments and columns of neighbouring lines stay, and so does code in other languages. \
                Formatting twice changes nothing more. `-` is standard input. Nothing is checked but the syntax, and \
                no `include` is followed: several files may be named.",
    },
    Opt {
        names: &["--write"],
        value: Value::Nothing,
        help: &["--format: replace the files instead of printing them"],
        about: "Lets `--format` replace each file by its usual form, at once and with its mode and owner kept, instead \
                of printing it. A file with a mistake, or in its usual form already, is left alone.",
    },
    Opt {
        names: &["--check"],
        value: Value::Nothing,
        help: &["--format: print the names of files that would change,", "and exit with 1 if there are any"],
        about: "Lets `--format` print the names of the files that it would change, and exit with 1 if there are any.",
    },
    Opt {
        names: &["--man"],
        value: Value::Maybe("[page]", &["drover", "conf"]),
        help: &["print the manual page drover(8), or drover.conf(5)", "with \"conf\": drover --man conf | man -l -"],
        about: "Prints the source of a manual page: drover(8), or with `conf` drover.conf(5). To read one: \
                `drover --man conf | man -l -`.",
    },
    Opt {
        names: &["--completions"],
        value: Value::OneOf("shell", &["bash", "zsh", "fish"]),
        help: &["print the completions for bash, zsh or fish"],
        about: "Prints a script with which the shell completes options and their values.",
    },
];

const HEAD: &str = "\
Usage: drover [-?hvVtTq] [-s signal] [-p prefix]
              [-e filename] [-c filename] [-g directives]
       drover directory [[address:]port]
       drover --help-conf [directive]
       drover --health [url] [-c filename]
       drover --agent addr -c filename
       drover --init directory
       drover --format [--write | --check] filename...

Options:
";

const TAIL: &str = "
Without -c, drover serves the directory, with lists of what has no
index file and without names that begin with a dot, or a welcome page.
A port alone is one of 127.0.0.1; without one it is 8080. Started by
root, the workers are the directory's owner, or user 65534.";

/// Columns of the options in the help.
const WIDTH: usize = 19;

/// The text of `--help`, whose lines are nginx's where the option is.
pub fn help() -> String {
    let mut text = HEAD.to_owned();
    for option in OPTIONS {
        let is_short = |name: &&&str| !name.starts_with("--");
        let mut names: Vec<&str> = option.names.iter().filter(is_short).copied().collect();
        if names.is_empty() {
            names = option.names.to_vec();
        }
        let usage = format!("  {} {}", names.join(","), option.value.name());
        let mut column = format!("{:<16}: ", usage.trim_end());
        for line in option.help {
            if column.len() > WIDTH {
                text.push_str(column.trim_end_matches(": ").trim_end());
                text.push('\n');
                column = format!("{:16}: ", "");
            }
            text.push_str(&format!("{column}{line}\n"));
            column = " ".repeat(WIDTH - 1);
        }
    }
    text.push_str(TAIL);
    text
}
