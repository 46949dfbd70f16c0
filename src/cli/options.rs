//! nginx's command line (ngx_get_options), and three additions: a directory, `--help-conf`, `--help`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use super::embedded;

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
    /// `-h`, `-?`.
    Help,
    /// `-v`, `-V`: show the version.
    Version {
        /// `-V`: show how the program was built as well.
        configuration: bool,
    },
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
        };
        let (mut test, mut version, mut help) = (None, None, false);
        let mut directory: Option<PathBuf> = None;
        let mut address: Option<SocketAddr> = None;
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
                Arg::Short('s') => options.action = Action::Signal(command(value(&mut parser, 's', "parameter")?)?),
                Arg::Long("help-conf") => {
                    let name = parser.optional_value().or_else(|| parser.value().ok()).map(text).transpose()?;
                    options.action = Action::HelpConf(name);
                }
                Arg::Value(path) if directory.is_none() => directory = Some(path.into()),
                Arg::Value(text) if address.is_none() => address = Some(listen_address(&text)?),
                Arg::Value(extra) => return Err(format!("invalid option: \"{}\"", extra.display())),
                Arg::Short(other) => return Err(format!("invalid option: \"{other}\"")),
                Arg::Long(other) => return Err(format!("invalid option: \"--{other}\"")),
            }
        }
        if let Some(directory) = directory {
            if matches!(options.source, Source::File(_)) {
                return Err(format!("a directory (\"{}\") and option \"-c\" exclude each other", directory.display()));
            }
            options.source = Source::Directory(directory, address.unwrap_or(embedded::ADDRESS));
        }
        if !matches!(options.source, Source::File(_)) {
            not_a_port(&options)?;
        }
        // The order of main() in nginx.c: version and help first, then the test, then the signal.
        if let Some(dump) = test {
            options.action = Action::Test { dump };
        }
        if help {
            options.action = Action::Help;
        } else if let Some(configuration) = version {
            options.action = Action::Version { configuration };
        }
        Ok(options)
    }
}

fn value(parser: &mut Parser, option: char, what: &str) -> Result<OsString, String> {
    let missing = || format!("option \"-{option}\" requires {what}");
    let value = parser.value().map_err(|_| missing())?;
    if value.is_empty() { Err(missing()) } else { Ok(value) }
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
        assert_eq!(parse("-t -V").unwrap().action, Action::Version { configuration: true });
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
