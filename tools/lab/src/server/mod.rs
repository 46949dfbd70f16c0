//! The servers that are measured: drover under each of its models, nginx, h2o.

mod conf;
mod side;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use drover::shm::Ledger;

pub(crate) use self::conf::{ServerSpec, daemon_argument, user_directive, write_site};
pub(crate) use self::side::{BUILT_NGINX, Program, Side, models};
use crate::interrupt;
use crate::load;
use crate::measure;
use crate::process::{KeptProcess, ProgramSpec, find};

/// How long a server may take to answer its first request.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running server.
pub(crate) struct Server {
    kept: KeptProcess,
    pub address: SocketAddr,
    pub ledger: Option<Ledger>,
    pub dir: PathBuf,
}

impl Server {
    /// Starts `side` in a new directory below `work`, and waits until the server answers. Errors: it is not installed,
    /// does not know the model, ends at once, or does not answer; each with the output of the server.
    pub(crate) fn start(side: &Side, spec: &ServerSpec, work: &Path) -> Result<Server> {
        let dir = tempfile::Builder::new().prefix("server-").tempdir_in(work)?.keep();
        let address = free_address()?;
        let conf = dir.join("server.conf");
        std::fs::write(&conf, side.conf(spec, address, &dir)?)?;
        let spec =
            ProgramSpec { program: program(side)?, args: arguments(side, spec, &conf, &dir), cpus: spec.cpus.clone() };
        let mut kept = KeptProcess::start(&spec, &dir.join("output"))?;
        if let Err(error) = answers(&mut kept, address) {
            let log = std::fs::read_to_string(dir.join("error.log")).unwrap_or_default();
            bail!("{side}: {error}\n{}{}", kept.output(), log);
        }
        let ledger = match side.program {
            Program::Drover => Some(measure::open_ledger(kept.pid())?),
            Program::Nginx | Program::BuiltNginx | Program::H2o => None,
        };
        Ok(Server { kept, address, ledger, dir })
    }

    /// The pid of the master.
    pub(crate) fn pid(&self) -> u32 {
        self.kept.pid()
    }

    /// Error: the server has ended; with the last lines of its output.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(status) = self.kept.exit_status() else { return Ok(()) };
        let log = std::fs::read_to_string(self.dir.join("error.log")).unwrap_or_default();
        let said = format!("{}{log}", self.kept.output());
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        bail!("the server died ({status}): {}", last.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The processes die with `kept`, and their output has been read.
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

impl Side {
    /// Error: the program of the side is not installed.
    pub(crate) fn is_installed(&self) -> Result<()> {
        program(self).map(drop)
    }

    /// Lets the server test the conf of this side (`-t`), before anything is measured. Errors: it is not installed; it
    /// refuses the conf, with what it says.
    pub(crate) fn check(&self, spec: &ServerSpec, work: &Path) -> Result<()> {
        let dir = tempfile::Builder::new().prefix("test-").tempdir_in(work)?;
        let conf = dir.path().join("server.conf");
        std::fs::write(&conf, self.conf(spec, free_address()?, dir.path())?)?;
        let mut command = Command::new(program(self)?);
        let output = command.args(arguments(self, spec, &conf, dir.path())).arg("-t").stdin(Stdio::null()).output()?;
        let log = std::fs::read_to_string(dir.path().join("error.log")).unwrap_or_default();
        match output.status.success() {
            true => Ok(()),
            false => bail!("{self}: the server refuses its conf\n{}{log}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

fn program(side: &Side) -> Result<std::ffi::OsString> {
    let installed = |name: &str| {
        let path =
            find(name).with_context(|| format!("{name} is not installed (Debian, Ubuntu: apt-get install {name})"));
        path.map(Into::into)
    };
    match (side.program, &side.binary) {
        // drover is linked into the lab: the build that is measured is the build of the lab.
        (Program::Drover, None) => Ok(std::env::current_exe()?.into()),
        (Program::Drover, Some(binary)) => Ok(binary.into()),
        (Program::Nginx, _) => installed("nginx"),
        (Program::BuiltNginx, _) => {
            built_nginx().map(Into::into).with_context(|| format!("{BUILT_NGINX} is not built: tools/nginx builds it"))
        }
        (Program::H2o, _) => installed("h2o"),
    }
}

/// The nginx that `tools/nginx` has built, from here or from where the lab was built.
pub(crate) fn built_nginx() -> Option<PathBuf> {
    let built = Path::new("target/nginx/nginx");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(built);
    [built.to_owned(), source].into_iter().find(|file| file.is_file())?.canonicalize().ok()
}

fn arguments(side: &Side, spec: &ServerSpec, conf: &Path, dir: &Path) -> Vec<std::ffi::OsString> {
    let (conf, dir) = (conf.as_os_str(), dir.as_os_str());
    let args: Vec<&std::ffi::OsStr> = match side.program {
        Program::Drover => {
            let linked = side.binary.is_none().then_some("drover".as_ref());
            let is_open = spec.template.as_deref().is_some_and(|conf| daemon_argument(conf).is_none());
            let stay: &[&str] = if is_open { &["-g", "daemon off;"] } else { &[] };
            let stay = stay.iter().map(std::convert::AsRef::as_ref);
            linked.into_iter().chain(["-p".as_ref(), dir, "-c".as_ref(), conf]).chain(stay).collect()
        }
        Program::Nginx | Program::BuiltNginx => {
            vec!["-p".as_ref(), dir, "-e".as_ref(), "error.log".as_ref(), "-c".as_ref(), conf]
        }
        Program::H2o => vec!["-c".as_ref(), conf],
    };
    args.into_iter().map(Into::into).collect()
}

/// An address with a free port. Another program may take the port before the server does; then the server reports it
/// and the start fails.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn answers(kept: &mut KeptProcess, address: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = kept.exit_status() {
            bail!("the server ended at once ({status})");
        }
        match ask(address) {
            Ok(status) if status == "200" => return Ok(()),
            Ok(status) => bail!("the server answers {status}"),
            Err(error) if Instant::now() >= deadline => bail!("the server does not answer ({error})"),
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
        interrupt::check()?;
    }
}

/// Asks for the small page. Returns the status of the answer.
fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n", load::SMALL)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.is_empty() {
        // A worker may die between the accept and the answer.
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or("nothing").to_owned())
}
