//! The command line: nginx's options.

pub mod agent;
pub mod completions;
pub mod embedded;
pub mod format;
mod health;
pub mod init;
pub mod man;
pub mod options;
pub mod usage;

use std::ffi::OsString;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::conf::{self, Entry, Registry, reference};
use crate::dispatch;
use crate::http;
use crate::http::site::HttpBlock;
use crate::log;
use crate::master::Inherited;
use crate::master::{self, Loader, Source as Conf, client};
use crate::os::inherit::note_strays;
use crate::os::signals::Signal;
use crate::os::users::Credentials;
use crate::os::{self, Failure};
use crate::{serve, stream, tls, worker};
use health::Probe;
use options::{Action, Command, Options, Source};

/// Runs the program. Returns its exit code: 0, or 1 after an error.
pub fn run(args: impl IntoIterator<Item = OsString>) -> i32 {
    log::init();
    let options = match Options::parse(args) {
        Ok(options) => options,
        Err(message) => return fail(&message),
    };
    let inherited = match options.action {
        Action::Serve => Inherited::from_environment(|name| std::env::var_os(name)),
        _ => Inherited::default(),
    };
    note_strays();
    if options.version.is_some_and(|configuration| show_version(configuration) != 0) {
        return 1;
    }
    match &options.action {
        Action::Help => show(&format!("{}\n{}", version(), usage::help())),
        Action::Version { configuration } => show_version(*configuration),
        Action::HelpConf(name) => help_conf(name.as_deref()),
        Action::Health(Some(url)) => is_healthy(Probe::of_url(url)),
        Action::Init(dir) => print(init::init(dir)),
        Action::Format(files, into) => format::format(&registry(), files, *into),
        Action::Man(page) => print(Ok(man::page(*page, &registry(), &http::variables()))),
        Action::Completions(shell) => print(Ok(completions::script(*shell))),
        Action::Serve | Action::Agent(_) | Action::Health(None) | Action::Test { .. } | Action::Signal(_) => {
            match loader(&options) {
                Ok(loader) => act(&options, loader, inherited),
                Err(message) => fail(&format!("[emerg] {message}")),
            }
        }
    }
}

fn act(options: &Options, loader: Loader, inherited: Inherited) -> i32 {
    match &options.action {
        Action::Agent(place) => fail(&agent::run(loader, place)),
        Action::Signal(command) => send(&loader, *command),
        Action::Health(_) => is_healthy(first_listen(&loader)),
        Action::Test { dump } => master::test(&loader, *dump, options.quiet),
        _ => {
            let what = match &options.source {
                Source::File(_) => None,
                Source::Embedded => Some(("a welcome page".to_owned(), "\"drover DIR\" serves a directory")),
                Source::Directory(dir, _) => Some((format!("\"{}\"", dir.display()), "")),
            };
            let code = master::serve(loader, inherited, what.as_ref().map(|(what, hint)| (what.as_str(), *hint)));
            if let Some(hint) = hint_of_port(&options.source).filter(|_| code != 0) {
                eprint(&hint);
            }
            code
        }
    }
}

/// The command to type when another program has the port.
fn hint_of_port(source: &Source) -> Option<String> {
    let (directory, address) = match source {
        Source::File(_) => return None,
        Source::Embedded => ("DIR".to_owned(), embedded::ADDRESS),
        Source::Directory(directory, address) => (directory.display().to_string(), *address),
    };
    let is_taken = |port| match TcpListener::bind((address.ip(), port)) {
        Ok(_) => false,
        Err(error) => error.kind() == std::io::ErrorKind::AddrInUse,
    };
    if !is_taken(address.port()) {
        return None;
    }
    let free = (address.port()..u16::MAX).skip(1).find(|port| !is_taken(*port))?;
    let free = if address.ip() == embedded::ADDRESS.ip() {
        free.to_string()
    } else {
        SocketAddr::new(address.ip(), free).to_string()
    };
    Some(format!("another program has port {}; for another port: \"drover {directory} {free}\"", address.port()))
}

/// Every directive, in the order of the reference.
pub fn registry() -> Registry {
    let single: [&[&'static dyn Entry]; 4] =
        [master::DIRECTIVES, worker::DIRECTIVES, log::DIRECTIVES, dispatch::settings::DIRECTIVES];
    let lists: Vec<_> =
        [&single[..], http::DIRECTIVES, tls::DIRECTIVES, &[stream::DIRECTIVES], serve::DIRECTIVES].concat();
    Registry::new(&lists)
}

fn loader(options: &Options) -> Result<Loader, String> {
    let cwd = || std::env::current_dir().map_err(|e| Failure::new("getcwd()", e).to_string());
    let base = match &options.prefix {
        Some(prefix) if prefix.is_absolute() => prefix.clone(),
        Some(prefix) => cwd()?.join(prefix),
        None => cwd()?,
    };
    let prefix = match &options.source {
        Source::File(path) if options.prefix.is_none() => prefix_of(&base.join(path)).unwrap_or(&base).to_owned(),
        _ => base.clone(),
    };
    let source = match &options.source {
        Source::File(path) => Conf::File(base.join(path)),
        Source::Embedded => carried(embedded::welcome(), embedded::account(None)?),
        Source::Directory(dir, address) => {
            let real = real_directory(dir)?;
            carried(embedded::directory(&real, address)?, embedded::account(Some(&real))?)
        }
    };
    let prefix = utf8(&prefix)?;
    let error_log = options.error_log.as_ref().map(|path| match path.as_str() {
        "stderr" => log::To::Stderr,
        path => log::To::File(Path::new(&prefix).join(path)),
    });
    let options = conf::Options { prefix, globals: options.globals.clone(), built_in: http::BUILT_IN };
    Ok(Loader { registry: registry(), source, options, error_log })
}

/// The prefix by nginx's layout: PREFIX/conf/nginx.conf beside PREFIX/html and PREFIX/logs.
fn prefix_of(conf: &Path) -> Option<&Path> {
    conf.parent().filter(|dir| dir.ends_with("conf")).and_then(Path::parent)
}

fn carried(text: String, account: Option<Credentials>) -> Conf {
    Conf::BuiltIn { name: "(built in)", text, account }
}

/// The absolute path of a directory. Errors: it is no directory, or can't be read.
fn real_directory(dir: &Path) -> Result<PathBuf, String> {
    let failed = |call: &str, e| Failure::on_path(call, dir, e).to_string();
    let real = dir.canonicalize().map_err(|e| failed("open", e))?;
    if real.is_file() {
        return Err(format!("\"{0}\" is a file: \"drover -c {0}\" serves what a configuration says", dir.display()));
    }
    std::fs::read_dir(&real).map_err(|e| failed("opendir", e))?;
    Ok(real)
}

fn utf8(path: &Path) -> Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| format!("\"{}\" is not valid UTF-8", path.display()))
}

/// `-s`: reads the configuration to find the pid file; before a reload, an error in it ends the command.
fn send(loader: &Loader, command: Command) -> i32 {
    let location = match loader.read() {
        Ok(read) => read.pid_location(&loader.source),
        Err(error) if command == Command::Reload => {
            error.show();
            return 1;
        }
        // A conf that was broken after the start must not prevent the service's end.
        Err(error) => {
            eprint(&format!("drover: [warn] {error}"));
            loader.salvage_pid_location()
        }
    };
    let pid_file = match location.find(loader.source.path()) {
        Ok(pid_file) => pid_file,
        Err(message) => return fail(&format!("[error] {message}")),
    };
    let sent = match command {
        Command::Reload => client::reload(&pid_file),
        Command::Stop => client::signal(&pid_file, Signal::SIGTERM).map(drop),
        Command::Quit => client::signal(&pid_file, Signal::SIGQUIT).map(drop),
        Command::Reopen => client::signal(&pid_file, Signal::SIGUSR1).map(drop),
    };
    match sent {
        Ok(()) => 0,
        Err(message) => fail(&format!("[error] {message}")),
    }
}

/// The probe of the first address that the conf listens on.
fn first_listen(loader: &Loader) -> Result<Probe, String> {
    let read = loader.read().map_err(|error| error.to_string())?;
    let listen = HttpBlock::first_listen(&read.conf);
    listen.map(|listen| Probe::of_listen(&listen)).ok_or_else(|| "the configuration has no \"server\"".to_owned())
}

/// `--health`: 0 when the service answers; else 1, with the reason on standard error.
fn is_healthy(probe: Result<Probe, String>) -> i32 {
    match probe.and_then(|probe| probe.send()) {
        Ok(_) => 0,
        Err(reason) => fail(&format!("unhealthy: {reason}")),
    }
}

fn help_conf(name: Option<&str>) -> i32 {
    let registry = registry();
    print(name.map_or_else(|| Ok(reference::names(&registry)), |name| reference::one(&registry, name)))
}

/// Writes a text to standard output, or an error to standard error. Returns the exit code.
fn print(text: Result<String, String>) -> i32 {
    let printed = text.and_then(|text| {
        let text = format!("{}\n", text.trim_end());
        os::print(text.as_bytes()).map_err(|failure| format!("[emerg] {failure}"))
    });
    printed.map_or_else(|message| fail(&message), |()| 0)
}

fn version() -> String {
    format!("drover version: drover/{}", env!("CARGO_PKG_VERSION"))
}

fn show_version(configuration: bool) -> i32 {
    let mut text = version();
    if configuration {
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        text.push_str(&format!("\nbuilt for {}-{} ({build})", std::env::consts::ARCH, std::env::consts::OS));
        let models: Vec<&str> = dispatch::MODELS.iter().map(|kind| kind.name).collect();
        text.push_str(&format!("\ndispatch models: {}", models.join(" ")));
    }
    show(&text)
}

/// Writes what was asked for to standard error, as nginx does. Returns the exit code.
fn show(text: &str) -> i32 {
    match writeln!(std::io::stderr(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => 1,
        _ => 0,
    }
}

/// Writes an error to standard error and returns the exit code.
fn fail(message: &str) -> i32 {
    eprint(&format!("drover: {message}"));
    1
}

/// Writes a line to standard error. A closed standard error is no failure.
fn eprint(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
