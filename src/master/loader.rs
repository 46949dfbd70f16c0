//! From the conf to a [`Cycle`] that can serve: read, check, open logs and sockets (ngx_init_cycle).

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::PidLocation;
use super::bound::Bound;
use super::cycle::{Cycle, make_model};
use super::inherited::Inherited;
use super::roots::{self, StartDirectories};
use super::settings::{MASTER_PROCESS, PID, PidPath, USER, WORKER_PROCESSES};
use super::sockets::{self, InUse, Wanted};
use super::user_files;
use crate::conf::{self, Conf, Input, Mistakes, Registry};
use crate::dispatch::{Choice, Sockets, acceptors};
use crate::http::HttpConf;
use crate::http::answer::{conditions, gzip};
use crate::http::exchange::secure::ClientCheck;
use crate::http::site::zones::Zones;
use crate::log::{self, ERROR_LOG, Level, Logs, Missing, Target, To};
use crate::os::users::{Credentials, LookupError, is_root};
use crate::os::{Addr, Failure, secrecy};
use crate::serve::access_log::{AccessLogs, check_formats};
use crate::serve::listen_sockets;
use crate::shm::{GzipCache, Ledger};
use crate::stream::Servers;
use crate::tls::{Endpoint, Endpoints};
use crate::worker::{self, Refused};

/// The user of the workers without a `user` directive, as in nginx (NGX_USER).
const DEFAULT_USER: &str = "nobody";

const USER_DATABASE: &str = "/etc/passwd";

/// The origin of the conf.
#[derive(Debug)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A text that the program carries.
    BuiltIn {
        /// The name of the text in errors.
        name: &'static str,
        /// The text.
        text: String,
        /// The user of the workers, by number, since a container image may have no user database.
        account: Option<Credentials>,
    },
}

impl Source {
    /// The name of the conf in messages.
    pub fn name(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::BuiltIn { name, .. } => (*name).to_owned(),
        }
    }

    /// The file; `None`: the conf is built in.
    pub fn path(&self) -> Option<&Path> {
        if let Source::File(path) = self { Some(path) } else { None }
    }

    fn input(&self) -> Input<'_> {
        match self {
            Source::File(path) => Input::File(path),
            Source::BuiltIn { name, text, .. } => Input::Text { name, text },
        }
    }
}

/// Reads the conf: at the start and at every reload.
pub struct Loader {
    /// All directives.
    pub registry: Registry,
    /// `-c`.
    pub source: Source,
    /// `-p`, `-g`.
    pub options: conf::Options,
    /// `-e`.
    pub error_log: Option<To>,
}

/// The generation that a new one replaces.
#[derive(Default)]
pub struct Before<'a> {
    /// The sockets that are open now.
    pub sockets: &'a [Bound],
    /// Its number; 0 at a start.
    pub generation: u32,
    /// The zones that have memory now.
    pub zones: Zones,
    /// Its certificates, and the keys of its tickets.
    pub endpoints: Option<&'a Endpoints>,
}

/// A conf that says what can be served, compiled. No log and no socket has been opened yet.
pub struct ParsedConf {
    /// The conf.
    pub conf: Conf,
    site: HttpConf,
    streams: Servers,
    endpoints: Endpoints,
    choice: Choice,
    user: Option<Credentials>,
    /// All mistakes, those of keys and certificates that can't be used among them: [`Loader::prepare`] tells them with
    /// the logs that can't be opened.
    mistakes: Mistakes,
    /// Whether statements are wrong: no log may be opened, and no missing one made.
    is_misread: bool,
}

/// The reason why a conf can't be served.
pub enum LoadError {
    /// Errors in the text.
    Conf(Box<conf::Problems>),
    /// A system call failed.
    Failed(Failure),
    /// Another reason, as a sentence.
    Other(String),
}

impl From<conf::Error> for LoadError {
    fn from(error: conf::Error) -> Self {
        conf::Problems::from(error).into()
    }
}

impl From<conf::Problems> for LoadError {
    fn from(problems: conf::Problems) -> Self {
        Self::Conf(Box::new(problems))
    }
}

impl From<Failure> for LoadError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl LoadError {
    /// Logs each error, with the line of the conf and a help for the person who starts the program.
    pub fn show(&self) {
        match self {
            Self::Conf(problems) => {
                problems.errors().for_each(|error| log::emerg!(at: InConf(error), "{}", error.sentence()));
                if let Some(summary) = problems.summary() {
                    log::emerg!("{summary}");
                }
            }
            other => log::emerg!("{other}"),
        }
    }
}

/// A single line, for the error log.
impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conf(problems) => {
                for (n, error) in problems.errors().enumerate() {
                    f.write_str(if n == 0 { "" } else { "; " })?;
                    f.write_str(&error.sentence())?;
                    log::Origin::context(&InConf(error), f)?;
                }
                problems.summary().map_or(Ok(()), |summary| write!(f, " ({summary})"))
            }
            Self::Failed(failure) => failure.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Loader {
    /// Reads the conf and checks all that can be checked without opening anything.
    pub fn read(&self) -> Result<ParsedConf, LoadError> {
        let mut read = self.read_for(Vec::new())?;
        read.conf.judge(std::mem::take(&mut read.mistakes))?;
        Ok(read)
    }

    fn read_for(&self, passed: Vec<Addr>) -> Result<ParsedConf, LoadError> {
        let (mut conf, mut mistakes) = conf::read(&self.registry, self.source.input(), &self.options)?;
        conf.passed = passed;
        let mut site = HttpConf::compile(&conf, &mut mistakes);
        let streams = Servers::compile(&conf, &site.sockets, &mut mistakes);
        check_formats(&conf, &site, &mut mistakes);
        let choice = mistakes.keep(Choice::of(&conf)).unwrap_or_default();
        let is_misread = !mistakes.is_empty();
        // The directive may stand where the conf was not understood.
        let user = if is_misread { conf.root.scope.get(&USER).clone() } else { user(&conf, &self.source)? };
        if is_misread {
            // A remark about values may be a consequence.
            conf.warnings.clear();
        } else {
            site.take_warnings().into_iter().for_each(|warning| conf.warn(warning));
            site.take_notice().into_iter().for_each(|notice| conf.notice(notice));
        }
        let endpoints = Endpoints::default();
        Ok(ParsedConf { conf, site, streams, endpoints, choice, user, mistakes, is_misread })
    }

    /// Reads the conf to serve or to test it: reads keys and certificates, and warns about roots that lead nowhere and
    /// password files that let nobody in. Mistakes are kept for [`Loader::prepare`]. `passed`: see [`Conf::passed`].
    /// To be called with one thread, as [`crate::os::in_child::in_child`].
    pub fn read_to_serve(&self, passed: Vec<Addr>) -> Result<ParsedConf, LoadError> {
        let mut read = self.read_for(passed)?;
        read.read_certificates()?;
        let conf_dir = self.source.path().and_then(Path::parent);
        let cwd = std::env::current_dir().ok();
        let others = [conf_dir.and_then(Path::parent), conf_dir, cwd.as_deref()];
        let places = StartDirectories {
            prefix: self.options.prefix.clone().into(),
            others: others.into_iter().flatten().map(Path::to_owned).collect(),
        };
        let roots = roots::check(&read.site, read.user.as_ref(), &places);
        for warning in roots.into_iter().chain(user_files::check(&read.site, read.user.as_ref())) {
            read.conf.warn(match self.source {
                Source::File(_) => warning,
                Source::BuiltIn { .. } => warning.without_place(),
            });
        }
        Ok(read)
    }

    /// Opens the files and sockets that the conf names, logs first, and makes all that its processes share. An error
    /// changes nothing. To be called with signals blocked and one thread.
    pub fn prepare(
        &self,
        read: ParsedConf,
        ledger: &Ledger,
        old: Before<'_>,
        inherited: &mut Inherited,
        in_use: InUse,
    ) -> Result<Cycle, LoadError> {
        let pid_location = read.pid_location(&self.source);
        let ParsedConf { mut conf, mut site, mut streams, mut endpoints, choice, user, mut mistakes, is_misread } =
            read;
        let is_start = old.generation == 0;
        if is_start {
            let span = conf.root.scope.span_of(&PID).unwrap_or(conf::Span::NOWHERE);
            mistakes.keep(pid_location.check().map_err(|failure| conf::Error::failed(span, failure)));
        }
        if is_misread {
            self.look_at_logs(&conf, &mut site, &mut streams, &mut mistakes);
            conf.judge(std::mem::take(&mut mistakes))?;
        }
        let missing = if in_use == InUse::Ignore { Missing::Leave } else { Missing::Make };
        let logs = self.open_logs(&conf, &mut site, &mut streams, missing, is_start, &mut mistakes);

        if is_start && !mistakes.is_empty() {
            let wanted: Vec<_> = listen_sockets(&site, &streams).collect();
            let each = wanted.iter().map(|socket| (&socket.addr, &socket.options));
            let failures = sockets::look(each, inherited, in_use);
            let at = |n: usize| wanted.get(n).map_or(conf::Span::NOWHERE, |socket| socket.span);
            failures.into_iter().for_each(|(n, failure)| mistakes.add(conf::Error::failed(at(n), failure)));
        }
        conf.judge(mistakes)?;
        if let Some(old) = old.endpoints {
            let mut mistakes = Mistakes::default();
            endpoints.check_renewal(old, &mut mistakes);
            conf.judge(mistakes)?;
        }
        // A location has the cache's size, which only http says.
        let scopes = || site.locations().iter().map(|location| &location.scope);
        let size = scopes().next().map_or(0, |scope| gzip::cache_size(scope, scopes()));
        let hashes_contents = scopes().any(conditions::hashes_contents);
        if size > 0 {
            let cache = GzipCache::of_size(size).map_err(|e| Failure::new("making the memory of gzip_cache", e))?;
            site.set_gzip_cache(cache);
        }
        if hashes_contents {
            let hashes = GzipCache::of_hashes().map_err(|e| Failure::new("making the memory of hashes", e))?;
            site.set_hashes(hashes);
        }
        // The directive counts at the start only: a process that reloads is a master.
        let has_master = *conf.root.scope.get(&MASTER_PROCESS) || old.generation > 0;
        let workers = has_master.then(|| conf.root.scope.get(&WORKER_PROCESSES).count());
        if has_master {
            worker::try_to_begin(&conf, user.as_ref()).map_err(|refused| explain(&conf, refused))?;
        }
        let generation = old.generation + 1;
        site.zones.make(&old.zones).map_err(LoadError::Other)?;
        endpoints.prepare(old.endpoints, inherited.ticket_keys.take()).map_err(LoadError::Other)?;
        let files = if has_master { worker::file_rules(&conf, &site, &endpoints, &logs)? } else { None };
        let model = make_model(&choice, workers, generation, ledger, &conf)
            .map_err(|failure| self.placed(&conf, Choice::span(&conf).unwrap_or(conf::Span::NOWHERE), failure))?;
        let (acceptors, own) = (acceptors(&model.plan()), model.sockets() != Sockets::Shared);
        let wanted =
            listen_sockets(&site, &streams).map(|socket| Wanted::new(&socket.addr, &socket.options, acceptors, own));
        let sockets = sockets::open(wanted, old.sockets, inherited, in_use).map_err(|(n, failure)| {
            let socket = listen_sockets(&site, &streams).nth(n);
            self.placed(&conf, socket.map_or(conf::Span::NOWHERE, |socket| socket.span), failure)
        })?;
        if model.sockets() == Sockets::OwnByCpu {
            worker::warning_of_idle_workers(&conf, acceptors).into_iter().for_each(|warning| conf.warn(warning));
        }
        Ok(Cycle {
            conf,
            site: Arc::new(site),
            streams: Arc::new(streams),
            endpoints: Arc::new(endpoints),
            logs,
            sockets,
            ledger: ledger.clone(),
            model,
            choice,
            workers,
            user,
            pid_location,
            files,
            generation,
        })
    }

    /// The files of the conf as it is now, which may have errors.
    pub fn watch(&self) -> conf::Watch {
        conf::Watch::of(self.source.input(), &self.options)
    }

    /// The location of the pid file by a conf that has errors now.
    pub fn salvage_pid_location(&self) -> PidLocation {
        let said = conf::salvage(self.source.input(), &self.options, "pid");
        let path = match said.as_deref() {
            None => PidPath::Default,
            Some("off") => PidPath::Off,
            Some(path) => PidPath::File(Path::new(&self.options.prefix).join(path)),
        };
        PidLocation::new(&path, self.source.path())
    }

    /// A failure on the object that the conf names at `span`, which is not shown of a built-in conf.
    fn placed(&self, conf: &Conf, span: conf::Span, failure: Failure) -> LoadError {
        match self.source {
            Source::File(_) => conf.explain(conf::Error::failed(span, failure)).into(),
            Source::BuiltIn { .. } => failure.into(),
        }
    }

    /// Opens every log while this process has root's powers. Mistakes: all that can't be opened.
    fn open_logs(
        &self,
        conf: &Conf,
        site: &mut HttpConf,
        streams: &mut Servers,
        missing: Missing,
        is_start: bool,
        mistakes: &mut Mistakes,
    ) -> Arc<Logs> {
        let mut closed = Mistakes::default();
        let logs = Arc::new(self.open_main_log(conf, missing, &mut closed));
        if is_start && closed.is_empty() {
            // From here on the error log gets the errors of a start as well.
            logs.make_current();
        }
        mistakes.append(closed);
        let mut error_log = |scope: &conf::Scope| logs.error_log(scope.get::<Vec<Target>>(&ERROR_LOG), mistakes);
        site.set_error_logs(&mut error_log);
        streams.set_error_logs(error_log);
        // Each worker makes access logs of its own, with buffers.
        let Ok(_) = AccessLogs::new(site, |log, to| {
            let opened = logs.output(to, log.contents()).map_err(|failure| conf::Error::failed(log.span(), failure));
            Ok::<_, Infallible>(mistakes.keep(opened))
        });
        logs
    }

    /// Tells which logs can't be opened, and makes no file.
    fn look_at_logs(&self, conf: &Conf, site: &mut HttpConf, streams: &mut Servers, mistakes: &mut Mistakes) {
        let mut seen: Vec<(To, conf::Span)> = Vec::new();
        let mut look = |to: &To, span: conf::Span| {
            if !seen.iter().any(|(known, at)| known == to && *at == span) {
                seen.push((to.clone(), span));
                mistakes.keep(to.check().map_err(|failure| conf::Error::failed(span, failure)));
            }
        };
        let main = &conf.root.scope;
        match &self.error_log {
            Some(to) if !main.set_here(&ERROR_LOG) => look(to, conf::Span::NOWHERE),
            _ => main.get::<Vec<Target>>(&ERROR_LOG).iter().for_each(|target| look(&target.to, target.span)),
        }
        let mut error_log = |scope: &conf::Scope| {
            // The targets of the main context have been looked at, and may be replaced.
            let own = scope.get::<Vec<Target>>(&ERROR_LOG).iter().filter(|target| target.span != conf::Span::NOWHERE);
            own.for_each(|target| look(&target.to, target.span));
            log::LogRef::main()
        };
        site.set_error_logs(&mut error_log);
        streams.set_error_logs(error_log);
        let Ok(_) = AccessLogs::new(site, |log, to| {
            look(to, log.span());
            Ok::<_, Infallible>(None)
        });
    }

    fn open_main_log(&self, conf: &Conf, missing: Missing, mistakes: &mut Mistakes) -> Logs {
        let said = conf.root.scope.get(&ERROR_LOG);
        match &self.error_log {
            Some(to) if !conf.root.scope.set_here(&ERROR_LOG) => {
                let instead = Target { to: to.clone(), level: Level::Error, span: conf::Span::NOWHERE };
                Logs::open_instead(said, &[instead], missing, mistakes)
            }
            _ => Logs::open(said, missing, mistakes),
        }
    }
}

/// Logs the warnings about a conf.
pub(crate) fn log_warnings(conf: &Conf) {
    for warning in &conf.warnings {
        let level = if warning.notice { Level::Notice } else { Level::Warn };
        log::emit!(level, at: InConf(&warning.error), "{}", warning.error.sentence());
    }
    worker::warn_about_limits(conf);
}

/// An error as the origin of an event: the person who starts the program is shown the line of the conf.
struct InConf<'e>(&'e conf::Error);

impl log::Origin for InConf<'_> {
    fn context(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.help_text().map_or(Ok(()), |help| write!(f, ": {help}"))?;
        self.0.others().map_or(Ok(()), |others| write!(f, " ({others})"))
    }

    fn snippet(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.snippet())
    }
}

impl ParsedConf {
    /// Reads the keys and certificates that the conf names, and keeps them out of core dumps.
    fn read_certificates(&mut self) -> Result<(), LoadError> {
        let conf = &mut self.conf;
        self.endpoints = Endpoints::build(&self.site, &mut self.mistakes);
        let servers = 0..self.site.all_servers().len();
        let check = |server| self.endpoints.of_server(server).map_or(ClientCheck::Off, Endpoint::client_check);
        let checks = servers.map(check).collect();
        self.site.set_client_checks(checks);
        let (warnings, notices) = self.endpoints.take_remarks();
        warnings.into_iter().for_each(|warning| conf.warn(warning));
        notices.into_iter().for_each(|notice| conf.notice(notice));
        if !self.endpoints.is_empty() {
            secrecy::hide_memory().map_err(|e| Failure::new("hiding the memory from core dumps", e))?;
        }
        Ok(())
    }

    /// Whether something is wrong that nginx finds while it reads the conf.
    pub fn has_mistakes(&self) -> bool {
        !self.mistakes.is_empty()
    }

    /// The location of the pid file, for a conf from `source`.
    pub fn pid_location(&self, source: &Source) -> PidLocation {
        PidLocation::new(self.conf.root.scope.get(&PID), source.path())
    }
}

/// Adds the line of the conf that names the user whom the workers can't become, if there is one.
fn explain(conf: &Conf, refused: Refused) -> LoadError {
    match (refused, conf.root.scope.span_of(&USER)) {
        (Refused::User(failure), Some(span)) => conf.explain(conf::Error::failed(span, failure)).into(),
        (Refused::User(failure) | Refused::Call(failure), _) => failure.into(),
    }
}

/// The user that the workers become; `None` when the master isn't root.
fn user(conf: &Conf, source: &Source) -> Result<Option<Credentials>, LoadError> {
    if let Some(user) = conf.root.scope.get(&USER) {
        return Ok(Some(user.clone()));
    }
    if let Source::BuiltIn { account: Some(account), .. } = source {
        return Ok(Some(account.clone()));
    }
    if !is_root() {
        return Ok(None);
    }
    let found = Credentials::with_own_group(DEFAULT_USER);
    if found.is_err() && !Path::new(USER_DATABASE).exists() {
        // In an image from scratch no user has a name.
        return Ok(Some(Credentials::nobody()));
    }
    found.map(Some).map_err(|error| match error {
        LookupError::Io(error) => Failure::new(format!("getpwnam(\"{DEFAULT_USER}\")"), error).into(),
        _ => LoadError::Other(format!("getpwnam(\"{DEFAULT_USER}\") failed: name the workers' account with \"user\"")),
    })
}
