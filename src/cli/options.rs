//! nginx's command line (ngx_get_options), and additions: a directory, and options with two dashes.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use super::agent::Place;
use super::completions::Shell;
use super::embedded;
use super::man::Page;

/// The task that the command line gives the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start the server.
    Serve,
    /// `-t`, `-T`: check the configuration.
    Test {
        /// `-T`: print the configuration as well.
        dump: bool,
    },
    /// `-s`: send a signal to the master.
    Signal(Command),
    /// `--help-conf`: the reference of one directive, or the list of all.
    HelpConf(Option<String>),
    /// `--init`: write files to begin with.
    Init(PathBuf),
    /// `--format`: bring confs into their usual form.
    Format(Vec<PathBuf>, Into),
    /// `--man`: print a manual page.
    Man(Page),
    /// `--completions`: print the script for a shell.
    Completions(Shell),
    /// `--health`: ask the service, or a URL, whether it answers.
    Health(Option<String>),
    /// `--agent`: answer the agent checks of a balancer.
    Agent(Place),
    /// `-h`, `-?`.
    Help,
    /// `-v`, `-V`: show the version.
    Version {
        /// `-V`: show how the program was built as well.
        configuration: bool,
    },
}

/// Where the formatted confs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// Standard output.
    Output,
    /// `--write`: the files themselves.
    Files,
    /// `--check`: nowhere; the names of those that would change are printed.
    Names,
}

/// The arguments of `-s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Fast shutdown.
    Stop,
    /// Graceful shutdown.
    Quit,
    /// Reopen the log files.
    Reopen,
    /// Read the configuration again.
    Reload,
}

/// Where the configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The built-in configuration: a welcome page.
    Embedded,
    /// `drover DIR [ADDRESS]`: a built-in configuration with this directory as the root, on this address.
    Directory(PathBuf, SocketAddr),
    /// `-c FILE`.
    File(PathBuf),
}

/// The parsed command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The task.
    pub action: Action,
    /// The origin of the configuration.
    pub source: Source,
    /// `-p`: the directory where relative paths start.
    pub prefix: Option<PathBuf>,
    /// `-g`: directives put before the configuration.
    pub globals: Option<String>,
    /// `-e`: the error log until, and unless, the configuration names one.
    pub error_log: Option<String>,
    /// `-q`: no messages of success from `-t`.
    pub quiet: bool,
    /// `-v`, or `-V` (true), beside `-t`: the version is shown before the test.
    pub version: Option<bool>,
}

impl Options {
    /// Parses the arguments after the program's name. The error is nginx's sentence, without the program's name.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut parser = Parser::from_args(args);
        let mut options = Options {
            action: Action::Serve,
            source: Source::Embedded,
            prefix: None,
            globals: None,
            error_log: None,
            quiet: false,
            version: None,
        };
        let (mut test, mut version, mut help) = (None, None, false);
        let mut task: Option<(&str, Action)> = None;
        let mut choose = |option, action| match task.replace((option, action)) {
            Some((other, _)) if other != option => Err(excluded(other, option)),
            _ => Ok(()),
        };
        let mut names: Vec<OsString> = Vec::new();
        let (mut format, mut into) = (false, None);
        while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
            match arg {
                Arg::Short('?' | 'h') | Arg::Long("help") => help = true,
                Arg::Short('v') | Arg::Long("version") => version = version.or(Some(false)),
                Arg::Short('V') => version = Some(true),
                Arg::Short('t') => test = test.or(Some(false)),
                Arg::Short('T') => test = Some(true),
                Arg::Short('q') => options.quiet = true,
                Arg::Short('c') => options.source = Source::File(value(&mut parser, 'c', "file name")?.into()),
                Arg::Short('p') => options.prefix = Some(value(&mut parser, 'p', "directory name")?.into()),
                Arg::Short('g') => options.globals = Some(text(value(&mut parser, 'g', "parameter")?)?),
                Arg::Short('e') => options.error_log = Some(text(value(&mut parser, 'e', "file name")?)?),
                Arg::Short('s') => {
                    choose("-s", Action::Signal(command(value(&mut parser, 's', "parameter")?)?))?;
                }
                Arg::Long("help-conf") => {
                    let name = parser.optional_value().or_else(|| parser.value().ok()).map(text).transpose()?;
                    choose("--help-conf", Action::HelpConf(name))?;
                }
                Arg::Long("init") => {
                    choose("--init", Action::Init(long_value(&mut parser, "init", "directory name")?.into()))?;
                }
                Arg::Long("format") => {
                    format = true;
                    names.extend(parser.optional_value());
                }
                Arg::Long("write") => into = Some(("write", Into::Files)),
                Arg::Long("check") => into = Some(("check", Into::Names)),
                Arg::Long("man") => {
                    let name = parser.optional_value().or_else(|| parser.value().ok());
                    choose("--man", Action::Man(page(name.as_deref())?))?;
                }
                Arg::Long("completions") => {
                    let shell = long_value(&mut parser, "completions", "shell")?;
                    choose("--completions", Action::Completions(shell_of(&shell)?))?;
                }
                Arg::Long("health") => {
                    let is_url = |text: &OsString| text.to_str().is_some_and(|text| text.contains("://"));
                    let url = match parser.optional_value() {
                        Some(url) => Some(url),
                        None => parser.raw_args().ok().and_then(|mut raw| raw.next_if(|next| is_url(&next.to_owned()))),
                    };
                    choose("--health", Action::Health(url.map(text).transpose()?))?;
                }
                Arg::Long("agent") => {
                    let place = text(long_value(&mut parser, "agent", "address")?)?;
                    choose("--agent", Action::Agent(Place::parse(&place)?))?;
                }
                Arg::Value(name) => names.push(name),
                Arg::Short(other) => return Err(format!("invalid option: \"{other}\"")),
                Arg::Long(other) => return Err(format!("invalid option: \"--{other}\"")),
            }
        }
        match into {
            _ if format => {
                let into = into.map_or(Into::Output, |(_, into)| into);
                choose("--format", Action::Format(files(std::mem::take(&mut names))?, into))?;
            }
            Some((name, _)) => return Err(format!("option \"--{name}\" belongs to \"--format\"")),
            None => {}
        }
        match (&task, test.map(|_| "-t").or(version.map(|_| "-v"))) {
            (Some((option, _)), Some(other)) if *option != "-s" => return Err(excluded(option, other)),
            _ => {}
        }
        options.action = task.map_or(Action::Serve, |(_, action)| action);
        let is_shown = help || version.is_some();
        let mut names = names.into_iter();
        if is_shown || test.is_none() && takes_no_directory(&options.action) {
            names.next().map_or(Ok(()), |extra| Err(invalid(&extra)))?;
        }
        if let Some(directory) = names.next() {
            let directory = PathBuf::from(directory);
            let address = names.next().map(|text| listen_address(&text)).transpose()?;
            if let Some(extra) = names.next() {
                return Err(invalid(&extra));
            }
            if matches!(options.source, Source::File(_)) {
                return Err(format!("a directory (\"{}\") and option \"-c\" exclude each other", directory.display()));
            }
            options.source = Source::Directory(directory, address.unwrap_or(embedded::ADDRESS));
        }
        if !matches!(options.source, Source::File(_)) {
            not_a_port(&options)?;
        }
        // The order of main() in nginx.c: version and help first, then the test, then the signal.
        let is_agent = matches!(options.action, Action::Agent(_));
        if is_agent && !is_shown && !matches!(options.source, Source::File(_)) {
            return Err("option \"--agent\" requires the configuration of the service (-c FILE)".to_owned());
        }
        match (test, version) {
            _ if help => options.action = Action::Help,
            (Some(dump), _) => (options.action, options.version) = (Action::Test { dump }, version),
            (None, Some(configuration)) => options.action = Action::Version { configuration },
            (None, None) => {}
        }
        Ok(options)
    }
}

/// Whether the task is none of a service, which may be that of a directory.
fn takes_no_directory(action: &Action) -> bool {
    match action {
        Action::Init(_) | Action::Man(_) | Action::Completions(_) | Action::HelpConf(_) => true,
        Action::Health(url) => url.is_some(),
        _ => false,
    }
}

/// The refusal of two tasks at once, of which one would be dropped without a word.
fn excluded(one: &str, other: &str) -> String {
    format!("options \"{one}\" and \"{other}\" exclude each other")
}

/// The refusal of an argument that nothing takes.
fn invalid(extra: &OsStr) -> String {
    format!("invalid option: \"{}\"", extra.display())
}

fn value(parser: &mut Parser, option: char, what: &str) -> Result<OsString, String> {
    let missing = || format!("option \"-{option}\" requires {what}");
    let value = parser.value().map_err(|_| missing())?;
    if value.is_empty() { Err(missing()) } else { Ok(value) }
}

fn long_value(parser: &mut Parser, option: &str, what: &str) -> Result<OsString, String> {
    let value = parser.value().ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| format!("option \"--{option}\" requires {what}"))
}

/// The arguments of `--format`.
fn files(names: Vec<OsString>) -> Result<Vec<PathBuf>, String> {
    if names.is_empty() {
        return Err("option \"--format\" requires file name".to_owned());
    }
    Ok(names.into_iter().map(PathBuf::from).collect())
}

/// The argument of `--man`.
fn page(name: Option<&OsStr>) -> Result<Page, String> {
    match name.map(|name| name.to_string_lossy()).as_deref() {
        None | Some("drover" | "drover.8") => Ok(Page::Program),
        Some("conf" | "drover.conf" | "drover.conf.5") => Ok(Page::Conf),
        Some(other) => Err(format!("there is no page \"{other}\", but \"drover\" and \"conf\"")),
    }
}

/// The argument of `--completions`.
fn shell_of(name: &OsStr) -> Result<Shell, String> {
    match name.to_str() {
        Some("bash") => Ok(Shell::Bash),
        Some("zsh") => Ok(Shell::Zsh),
        Some("fish") => Ok(Shell::Fish),
        _ => Err(format!("no completions for \"{}\", but for \"bash\", \"zsh\" and \"fish\"", name.display())),
    }
}

/// The address of `drover DIR`. A port alone is one of the loopback address, which other machines don't reach.
fn listen_address(text: &OsString) -> Result<SocketAddr, String> {
    let parsed = text.to_str().and_then(|text| match text.parse::<u16>() {
        Ok(port) => Some(SocketAddr::new(embedded::ADDRESS.ip(), port)),
        Err(_) => text.replacen('*', "0.0.0.0", 1).parse().ok(),
    });
    let wrong = || {
        format!(
            "\"{}\" is no address: a port (9000), or an address of this machine and a port (0.0.0.0:9000, [::1]:9000)",
            text.display()
        )
    };
    parsed.filter(|address| address.port() != 0).ok_or_else(wrong)
}

/// Refuses a port after `-p`, which is nginx's prefix, and the port of other servers for directories.
fn not_a_port(options: &Options) -> Result<(), String> {
    let Some(prefix) = &options.prefix else { return Ok(()) };
    let is_port = prefix.to_str().is_some_and(|text| text.parse::<u16>().is_ok()) && !prefix.exists();
    if !is_port {
        return Ok(());
    }
    let directory = match &options.source {
        Source::Directory(directory, _) => directory.display().to_string(),
        _ => "DIR".to_owned(),
    };
    let port = prefix.display();
    Err(format!(
        "option \"-p\" names the directory where relative paths start; for a port: \"drover {directory} {port}\""
    ))
}

fn text(value: OsString) -> Result<String, String> {
    value.string().map_err(|e| e.to_string())
}

fn command(value: OsString) -> Result<Command, String> {
    match value.to_str() {
        Some("stop") => Ok(Command::Stop),
        Some("quit") => Ok(Command::Quit),
        Some("reopen") => Ok(Command::Reopen),
        Some("reload") => Ok(Command::Reload),
        _ => Err(format!("invalid option: \"-s {}\"", value.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_combine_as_in_nginx() {
        for line in ["-t -q -c x.conf", "-tq -c x.conf", "-tqcx.conf", "-c x.conf -qt"] {
            let o = parse(line).unwrap();
            assert_eq!(o.action, Action::Test { dump: false }, "{line}");
            assert!(o.quiet && o.source == Source::File("x.conf".into()), "{line}");
        }
        assert_eq!(parse("-sreload -c x").unwrap().action, Action::Signal(Command::Reload));
        assert_eq!(parse("-T").unwrap().action, Action::Test { dump: true });
        let both = parse("-t -V").unwrap();
        assert_eq!((both.action, both.version), (Action::Test { dump: false }, Some(true)));
        assert_eq!(parse("-?").unwrap().action, Action::Help);
    }

    #[test]
    fn a_directory_or_nothing_uses_the_embedded_configuration() {
        assert_eq!(parse("").unwrap().source, Source::Embedded);
        let directory = |address: &str| Source::Directory("site".into(), address.parse().unwrap());
        assert_eq!(parse("site").unwrap().source, directory("127.0.0.1:8080"));
        for (text, address) in [
            ("9000", "127.0.0.1:9000"),
            ("0.0.0.0:9000", "0.0.0.0:9000"),
            ("*:9000", "0.0.0.0:9000"),
            ("[::]:80", "[::]:80"),
        ] {
            assert_eq!(parse(&format!("site {text}")).unwrap().source, directory(address), "{text}");
        }
        assert!(parse("site -c x").is_err() && parse("a 1 2").is_err());
        for text in ["b", "0", "65536", "1.2.3.4", "[::1]", "localhost:80", ":80"] {
            assert!(
                parse(&format!("site {text}")).unwrap_err().starts_with(&format!("\"{text}\" is no address")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_port_in_the_place_of_the_prefix_is_seen() {
        assert!(parse("site -p 8081").unwrap_err().ends_with("for a port: \"drover site 8081\""));
        assert!(parse("-p 8081").unwrap_err().ends_with("for a port: \"drover DIR 8081\""));
        assert!(parse("-p 8081 -c x").is_ok() && parse("site -p /").is_ok());
    }

    #[test]
    fn help_conf_takes_a_name_or_none() {
        assert_eq!(parse("--help-conf").unwrap().action, Action::HelpConf(None));
        assert_eq!(parse("--help-conf listen").unwrap().action, Action::HelpConf(Some("listen".into())));
        assert_eq!(parse("--help-conf=listen").unwrap().action, Action::HelpConf(Some("listen".into())));
    }

    #[test]
    fn formatting_takes_files_and_one_place_for_them() {
        let format = |line| parse(line).unwrap().action;
        let files = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(format("--format a b"), Action::Format(files(&["a", "b"]), Into::Output));
        assert_eq!(format("--format=a --write"), Action::Format(files(&["a"]), Into::Files));
        assert_eq!(format("--check --format -"), Action::Format(files(&["-"]), Into::Names));
        assert_eq!(parse("--format").unwrap_err(), "option \"--format\" requires file name");
        assert_eq!(parse("--write a").unwrap_err(), "option \"--write\" belongs to \"--format\"");
    }

    #[test]
    fn pages_and_shells_are_known_by_name() {
        assert_eq!(parse("--man").unwrap().action, Action::Man(Page::Program));
        assert_eq!(parse("--man conf").unwrap().action, Action::Man(Page::Conf));
        assert_eq!(parse("--completions=zsh").unwrap().action, Action::Completions(Shell::Zsh));
        assert_eq!(parse("--init x").unwrap().action, Action::Init("x".into()));
        for line in ["--man x", "--completions", "--completions csh", "--init"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    /// The list of options and the parser know the same: every letter is tried, and every name of the list.
    #[test]
    fn every_option_is_in_the_list() {
        let known: Vec<&str> = super::super::usage::OPTIONS.iter().flat_map(|option| option.names).copied().collect();
        let is_known = |name: &str| {
            !parse(name).is_err_and(|error| {
                error == format!("invalid option: \"{}\"", name.trim_start_matches('-'))
                    || error == format!("invalid option: \"{name}\"")
            })
        };
        for letter in ('!'..='~').filter(|letter| *letter != '-') {
            let name = format!("-{letter}");
            assert_eq!(is_known(&name), known.contains(&&*name), "{name}");
        }
        for name in known {
            assert!(is_known(name), "{name}");
        }
    }

    #[test]
    fn health_takes_a_url_or_none() {
        assert_eq!(parse("--health -c x").unwrap().action, Action::Health(None));
        let url = || Action::Health(Some("http://x/".into()));
        assert_eq!(parse("--health http://x/").unwrap().action, url());
        let both = parse("--health=http://x/ -c y").unwrap();
        assert_eq!((both.action, both.source), (url(), Source::File("y".into())));
    }

    #[test]
    fn an_argument_that_nothing_takes_is_refused() {
        for line in [
            "--init q1 q2",
            "q2 --init q1",
            "--health http://x/ q2",
            "--health=http://x/ -c y q2",
            "--man conf q2",
            "--completions zsh q2",
            "--help-conf listen q2 q3",
            "a 1 q2",
            "-v q2",
            "q2 -V",
            "-h q2",
            "-? -t q2",
        ] {
            assert_eq!(parse(line).unwrap_err(), "invalid option: \"q2\"", "{line}");
        }
        let second = parse("--health http://x/ http://y/").unwrap_err();
        assert_eq!(second, "invalid option: \"http://y/\"");
        // The service of a directory has an address to ask.
        let Options { action, source, .. } = parse("--health site 9000").unwrap();
        assert_eq!(action, Action::Health(None));
        assert_eq!(source, Source::Directory("site".into(), "127.0.0.1:9000".parse().unwrap()));
    }

    #[test]
    fn two_tasks_exclude_each_other() {
        for (line, one, other) in [
            ("--agent 9000 -c x -squit", "--agent", "-s"),
            ("--health --init x", "--health", "--init"),
            ("--completions zsh --help-conf", "--completions", "--help-conf"),
            ("--init x -t", "--init", "-t"),
            ("-v --health", "--health", "-v"),
        ] {
            assert_eq!(parse(line).unwrap_err(), excluded(one, other), "{line}");
        }
        assert_eq!(parse("-s stop -s quit").unwrap().action, Action::Signal(Command::Quit), "as in nginx");
        assert_eq!(parse("-t -s quit").unwrap().action, Action::Test { dump: false }, "as in nginx");
    }

    #[test]
    fn the_agent_takes_an_address_and_a_conf() {
        let place = Place::parse("9000").unwrap();
        assert_eq!(parse("--agent 9000 -c x").unwrap().action, Action::Agent(place.clone()));
        assert_eq!(parse("-c x --agent=127.0.0.1:9000").unwrap().action, Action::Agent(place));
        assert!(parse("--agent").unwrap_err().ends_with("\"--agent\" requires address"));
        assert!(parse("--agent nowhere -c x").unwrap_err().starts_with("\"nowhere\" is no address"));
        assert!(parse("--agent 9000").unwrap_err().ends_with("(-c FILE)"));
        assert!(parse("--agent 9000 site").unwrap_err().ends_with("(-c FILE)"));
    }

    #[test]
    fn errors_are_nginx_s_sentences() {
        let error = |line| parse(line).unwrap_err();
        assert_eq!(error("-x"), "invalid option: \"x\"");
        assert_eq!(error("-s bad"), "invalid option: \"-s bad\"");
        assert_eq!(error("-c"), "option \"-c\" requires file name");
        assert_eq!(error("-p"), "option \"-p\" requires directory name");
        assert_eq!(error("-g"), "option \"-g\" requires parameter");
        assert_eq!(error("-e"), "option \"-e\" requires file name");
        assert_eq!(error("-s"), "option \"-s\" requires parameter");
    }
}
