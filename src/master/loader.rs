//! From the conf to a [`Cycle`] that can serve: read, check, open logs and sockets (ngx_init_cycle).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::PidPlace;
use super::cycle::{Cycle, make_model};
use super::roots::{self, Places};
use super::settings::{MASTER_PROCESS, PID, PidPath, USER, WORKER_PROCESSES};
use super::sockets::{self, Bound, InUse, Inherited, Wanted};
use crate::conf::{self, Conf, Input, Registry};
use crate::dispatch::{Choice, Sockets, acceptors};
use crate::http::HttpConf;
use crate::log::{self, ERROR_LOG, Level, Logs, Target, To};
use crate::os::users::{Credentials, LookupError, is_root};
use crate::os::{Addr, Failure};
use crate::serve::access_log::{AccessLogs, check_formats};
use crate::serve::listen_sockets;
use crate::shm::Ledger;
use crate::stream::Servers;
use crate::worker::{self, Refused};

/// Who the workers are without a `user` directive, as in nginx (NGX_USER).
const STAND_IN: &str = "nobody";

/// Where the conf comes from.
#[derive(Debug)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A text of the program's own.
    Carried {
        /// What errors call it.
        name: &'static str,
        /// The conf.
        text: String,
        /// The user of the workers, by number: an image may have no user database.
        account: Option<Credentials>,
    },
}

impl Source {
    /// As messages name it.
    pub fn name(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::Carried { name, .. } => (*name).to_owned(),
        }
    }

    /// The file; `None`: the program carries the conf.
    pub fn path(&self) -> Option<&Path> {
        if let Source::File(path) = self { Some(path) } else { None }
    }

    fn input(&self) -> Input<'_> {
        match self {
            Source::File(path) => Input::File(path),
            Source::Carried { name, text, .. } => Input::Text { name, text },
        }
    }
}

/// Reads the conf, as often as it is asked to: at the start and at every reload.
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

/// A conf without an error in itself. Nothing has been opened.
pub struct Read {
    /// What was said.
    pub conf: Conf,
    site: HttpConf,
    streams: Servers,
    choice: Choice,
    user: Option<Credentials>,
}

/// Why a conf can't be served.
pub enum LoadError {
    /// There is something wrong in the text.
    Conf(conf::Error),
    /// A system call failed.
    Failed(Failure),
    /// Another reason.
    Other(String),
}

impl From<conf::Error> for LoadError {
    fn from(error: conf::Error) -> Self {
        Self::Conf(error)
    }
}

impl From<Failure> for LoadError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl LoadError {
    /// Tells whoever started the program, with the line of the conf and what may have been meant.
    pub fn show(&self) {
        match self {
            Self::Conf(error) => log::emerg!(at: InConf(error), "{}", error.sentence()),
            other => log::emerg!("{other}"),
        }
    }
}

/// One line, for the error log.
impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conf(error) => {
                f.write_str(&error.sentence())?;
                log::Origin::context(&InConf(error), f)
            }
            Self::Failed(failure) => failure.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Loader {
    /// Reads the conf and checks all that can be checked without opening anything.
    pub fn read(&self) -> Result<Read, LoadError> {
        self.read_for(Vec::new())
    }

    fn read_for(&self, passed: Vec<Addr>) -> Result<Read, LoadError> {
        let mut conf = conf::load(&self.registry, self.source.input(), &self.options)?;
        conf.passed = passed;
        let mut site = HttpConf::new(&conf).map_err(|e| conf.explain(e))?;
        let streams = Servers::new(&conf, &site.sockets).map_err(|e| conf.explain(e))?;
        check_formats(&conf, &site).map_err(|e| conf.explain(e))?;
        let choice = Choice::of(&conf).map_err(|e| conf.explain(e))?;
        let user = user(&conf, &self.source)?;
        site.take_warnings().into_iter().for_each(|warning| conf.warn(warning));
        Ok(Read { conf, site, streams, choice, user })
    }

    /// The same, with warnings about roots that lead nowhere, for whoever serves the conf or tests it; `passed`: the
    /// listening sockets that there are, see [`Conf::passed`].
    pub fn read_to_serve(&self, passed: Vec<Addr>) -> Result<Read, LoadError> {
        let mut read = self.read_for(passed)?;
        let conf_dir = self.source.path().and_then(Path::parent);
        let cwd = std::env::current_dir().ok();
        let others = [conf_dir.and_then(Path::parent), conf_dir, cwd.as_deref()];
        let places = Places {
            prefix: self.options.prefix.clone().into(),
            others: others.into_iter().flatten().map(Path::to_owned).collect(),
        };
        for warning in roots::check(&read.site, read.user.as_ref(), &places) {
            read.conf.warn(match self.source {
                Source::File(_) => warning,
                Source::Carried { .. } => warning.without_place(),
            });
        }
        Ok(read)
    }

    /// Opens what the conf names, logs first, and makes what its processes share. On an error everything is as before. `old`: the
    /// sockets that are open now, and the generation that they belong to.
    pub fn prepare(
        &self,
        read: Read,
        ledger: &Ledger,
        old: (&[Bound], u32),
        inherited: &mut Inherited,
        in_use: InUse,
    ) -> Result<Cycle, LoadError> {
        let pid_place = read.pid_place(&self.source);
        let Read { conf, mut site, mut streams, choice, user } = read;
        let logs = Arc::new(self.open_logs(&conf).map_err(|e| conf.explain(e))?);
        if old.1 == 0 {
            // What goes wrong from here on in a start is told to the error log as well.
            logs.make_current();
        }
        let error_log = |scope: &conf::Scope| logs.error_log(scope.get::<Vec<Target>>(&ERROR_LOG));
        site.set_error_logs(error_log).map_err(|e| conf.explain(e))?;
        streams.set_error_logs(error_log).map_err(|e| conf.explain(e))?;
        // Each worker makes its own, with buffers; here the files are opened, while there is root's power to do so.
        AccessLogs::new(&site, |log| {
            logs.file(log.path()).map_err(|failure| conf.explain(conf::Error::failed(log.span(), failure)))
        })?;
        // Read at the start only: whoever reloads is a master.
        let has_master = *conf.root.scope.get(&MASTER_PROCESS) || old.1 > 0;
        let workers = has_master.then(|| conf.root.scope.get(&WORKER_PROCESSES).count());
        if has_master {
            worker::try_to_begin(&conf, user.as_ref()).map_err(|refused| explain(&conf, refused))?;
        }
        let generation = old.1 + 1;
        let model = make_model(&choice, workers, generation, ledger, &conf)?;
        let (acceptors, own) = (acceptors(&model.plan()), model.sockets() != Sockets::Shared);
        let wanted =
            listen_sockets(&site, &streams).map(|socket| Wanted::new(&socket.addr, &socket.options, acceptors, own));
        let sockets = sockets::open(wanted, old.0, inherited, in_use).map_err(|(n, failure)| {
            let socket = listen_sockets(&site, &streams).nth(n);
            self.placed(&conf, socket.map_or(conf::Span::NOWHERE, |socket| socket.span), failure)
        })?;
        Ok(Cycle {
            conf,
            site: Arc::new(site),
            streams: Arc::new(streams),
            logs,
            sockets,
            ledger: ledger.clone(),
            model,
            choice,
            workers,
            user,
            pid_place,
            generation,
        })
    }

    /// Where the master's id is, by a conf that can't be served any more; as far as it can be read.
    pub fn salvage_pid_place(&self) -> PidPlace {
        let said = conf::salvage(self.source.input(), &self.options, "pid");
        let path = match said.as_deref() {
            None => PidPath::Default,
            Some("off") => PidPath::Off,
            Some(path) => PidPath::File(Path::new(&self.options.prefix).join(path)),
        };
        PidPlace::new(&path, self.source.path())
    }

    /// A failure on what the conf names at `span`. The text of a carried conf is none of the user's business.
    fn placed(&self, conf: &Conf, span: conf::Span, failure: Failure) -> LoadError {
        match self.source {
            Source::File(_) => conf.explain(conf::Error::failed(span, failure)).into(),
            Source::Carried { .. } => failure.into(),
        }
    }

    fn open_logs(&self, conf: &Conf) -> Result<Logs, conf::Error> {
        let said = conf.root.scope.get(&ERROR_LOG);
        match &self.error_log {
            Some(to) if !conf.root.scope.set_here(&ERROR_LOG) => {
                Logs::open_instead(said, &[Target { to: to.clone(), level: Level::Error, span: conf::Span::NOWHERE }])
            }
            _ => Logs::open(said),
        }
    }
}

/// Logs what the reading of a conf that works gave cause to say.
pub fn log_warnings(conf: &Conf) {
    for warning in &conf.warnings {
        let level = if warning.notice { Level::Notice } else { Level::Warn };
        log::emit!(level, at: InConf(&warning.error), "{}", warning.error.sentence());
    }
    worker::warn_about_limits(conf);
}

/// A place in the conf, which whoever starts the program is shown.
struct InConf<'e>(&'e conf::Error);

impl log::Origin for InConf<'_> {
    fn context(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.help_text().map_or(Ok(()), |help| write!(f, ": {help}"))
    }

    fn snippet(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.snippet())
    }
}

impl Read {
    /// Where the master's id is to be written, by a conf from `source`.
    pub fn pid_place(&self, source: &Source) -> PidPlace {
        PidPlace::new(self.conf.root.scope.get(&PID), source.path())
    }
}

/// With the line of the conf that the workers can't obey, if there is one.
fn explain(conf: &Conf, refused: Refused) -> LoadError {
    match (refused, conf.root.scope.span_of(&USER)) {
        (Refused::User(failure), Some(span)) => conf.explain(conf::Error::failed(span, failure)).into(),
        (Refused::User(failure) | Refused::Call(failure), _) => failure.into(),
    }
}

/// Who the workers become; `None` when the master isn't root.
fn user(conf: &Conf, source: &Source) -> Result<Option<Credentials>, LoadError> {
    if let Some(user) = conf.root.scope.get(&USER) {
        return Ok(Some(user.clone()));
    }
    if let Source::Carried { account: Some(account), .. } = source {
        return Ok(Some(account.clone()));
    }
    if !is_root() {
        return Ok(None);
    }
    Credentials::with_own_group(STAND_IN).map(Some).map_err(|error| match error {
        LookupError::Io(error) => Failure::new(format!("getpwnam(\"{STAND_IN}\")"), error).into(),
        _ => LoadError::Other(format!("getpwnam(\"{STAND_IN}\") failed: name the workers' account with \"user\"")),
    })
}
