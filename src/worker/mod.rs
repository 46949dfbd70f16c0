//! The life of a child of the master.
//!
//! ```text
//!  fork ──▶ starting ─────▶ serving ──QUIT──▶ draining ─────▶ ending ──▶ exit 0
//!              │               │                                ▲
//!              ▼               └───────────TERM, INT────────────┘
//!          exit 2 or 3
//!
//!  state     event                                            next         where
//!  starting  limits, user, CPUs are set, the master watched   starting     prepare, watch_master
//!            a step failed                                    exit 2 or 3  exit_code
//!            its own signalfd is open                         serving      live
//!  serving   QUIT, or the master has died                     draining     WorkerSignals::quit
//!            TERM, INT                                        ending       WorkerSignals::signalled
//!            USR1: the logs are reopened                      serving      WorkerSignals::signalled
//!  draining  no connection is left, and the model agrees      ending       WorkerSignals::done
//!            worker_shutdown_timeout is over                  ending       WorkerSignals::done
//!            TERM, INT; an orphan's patience is over          ending       WorkerSignals::signalled
//!  ending    the turn of the loop is over                     exit 0       event_loop::run, Driver::close_all
//! ```
//!
//! Serving, draining, ending are the values of [`crate::event::Shutdown`]: No, Graceful, Fast. A child whose model has
//! a life of its own (`Life::Own`: dispatchers, threads) passes the same states, moved by the same commands.

mod affinity;
pub mod event_loop;
mod sandbox;
mod settings;
mod signals;
mod trial;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::errno::Errno;

use crate::conf::{self, Conf};
use crate::dispatch::{AcceptOptions, Engines, Hooks, Life, Listening, Loop, Model, ProcessContext, Seat};
use crate::http::HttpConf;
use crate::log::{self, Logs};
use crate::os::confine::Confinement;
use crate::os::signals::Signals;
use crate::os::users::Credentials;
use crate::os::{ErrnoText, Failure, Listener, Poller};
use crate::os::{inherit, limits, machine, memory, parent, privileges, process, users};
use crate::serve::EventDriver;
use crate::shm::Tally;
use crate::stream::Servers;
use crate::tls::Endpoints;
pub(crate) use affinity::WorkersByCpu;
pub use sandbox::file_rules;
pub use settings::DIRECTIVES;
use settings::{WORKER_CPU_AFFINITY, WORKER_RLIMIT_NOFILE, WORKER_SHUTDOWN_TIMEOUT};
pub use trial::{Refused, try_to_begin};

use signals::WorkerSignals;

/// The things a master hands to a child at the fork.
pub struct Start<'a> {
    /// The child's role and number in the model's plan.
    pub seat: Seat,
    /// The dispatch model that the child takes part in.
    pub model: Arc<dyn Model>,
    /// The child's slot in the ledger.
    pub tally: Tally,
    /// The loaded conf, from which the child reads its limits, its CPUs and how to accept.
    pub conf: &'a Conf,
    /// The compiled `http` block.
    pub site: Arc<HttpConf>,
    /// The compiled `stream` block.
    pub streams: Arc<Servers>,
    /// Certificates, keys and rules for TLS.
    pub endpoints: Arc<Endpoints>,
    /// The listening sockets, those of the site, then those of the streams; and whether no other process has each.
    pub sockets: Vec<(Arc<Listener>, bool)>,
    /// The log files, which the child reopens on USR1.
    pub logs: Arc<Logs>,
    /// The user the child becomes; `None`: it keeps the master's.
    pub user: Option<Credentials>,
    /// The files that the child may open, by [`file_rules`]; `None`: whatever its user may.
    pub files: Option<Confinement>,
}

/// How long a child whose master was killed serves the connections it has, where the conf sets no limit.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(300);

/// The exit code of a child that could not begin for a reason that any successor would meet as well
/// (ngx_worker_process_init).
pub const FATAL: i32 = 2;
/// The exit code of a child that could not begin for a reason that may have passed when its successor starts.
pub const UNLUCKY: i32 = 3;

/// Lives the child's life, directly after the fork. Returns its exit code.
pub fn run(mut start: Start<'_>) -> i32 {
    prepare(&mut start).and_then(|()| watch_master(&start)).and_then(|()| live(start)).map_or_else(
        |failure| {
            log::emerg!("{failure}");
            exit_code(&failure)
        },
        |()| 0,
    )
}

/// Tells the failures apart: what the whole machine is short of may be there again soon; a limit of the process itself
/// (EMFILE) is its successor's as well.
fn exit_code(failure: &Failure) -> i32 {
    match failure.error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENFILE | Errno::ENOMEM | Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOSPC) => UNLUCKY,
        _ => FATAL,
    }
}

/// Sets limits, user, CPUs, in the order of ngx_worker_process_init. An error of a limit or a CPU is logged and borne;
/// a child that should give up root's powers and can't must not live.
fn prepare(start: &mut Start<'_>) -> Result<(), Failure> {
    let main = &start.conf.root.scope;
    if let Some(count) = *main.get(&WORKER_RLIMIT_NOFILE)
        && let Err(error) = limits::set_max_open_files(count)
    {
        log::alert!("setrlimit(RLIMIT_NOFILE, {count}) failed ({})", ErrnoText(&error));
    }
    let has_master = !is_its_own_master(start);
    let mut rules = sandbox::Rules::default();
    if has_master {
        inherit::close_strays();
        let extra = start.model.extra_calls(start.seat);
        rules = sandbox::prepare(start.conf, extra, start.files.take());
        privileges::empty_bounding_set();
    }
    if let Some(user) = &start.user {
        user.assume()?;
    }
    if has_master {
        privileges::give_up()?;
        if users::is_root() || start.user.is_some() {
            privileges::hide_from_tracers()?;
        }
    }
    if let Some(cpus) = main.get(&WORKER_CPU_AFFINITY).of_worker(start.seat.number)
        && let Err(error) = machine::set_cpus(&cpus)
    {
        log::alert!("sched_setaffinity() failed ({})", ErrnoText(&error));
    }
    rules.enter(start.seat, &start.logs)
}

/// Whether the process is the only one (`master_process off`): what a master may do, this one has to do as well.
fn is_its_own_master(start: &Start<'_>) -> bool {
    start.tally.ledger().header().master.load(Ordering::Relaxed) as i32 == process::id()
}

/// Asks the kernel for a signal when the master dies: the child then shuts down gracefully. A process without a master
/// (`master_process off`) has none to outlive.
fn watch_master(start: &Start<'_>) -> Result<(), Failure> {
    if is_its_own_master(start) {
        return Ok(());
    }
    let master = start.tally.ledger().header().master.load(Ordering::Relaxed) as i32;
    let patience = match *start.conf.root.scope.get(&WORKER_SHUTDOWN_TIMEOUT) {
        0 => ORPHAN_PATIENCE,
        ms => Duration::from_millis(ms),
    };
    parent::watch_master(master, patience).map_err(|e| Failure::new("prctl(PR_SET_PDEATHSIG)", e))
}

fn live(start: Start<'_>) -> Result<(), Failure> {
    memory::map_stack();
    if !memory::refill() {
        return Err(Failure::new("malloc() of a reserve", Errno::ENOMEM.into()));
    }
    let context = ProcessContext {
        seat: start.seat,
        pid: process::id() as u32,
        tally: Arc::new(start.tally),
        is_own: start.sockets.iter().map(|(_, is_own)| *is_own).collect(),
        listeners: start.sockets.into_iter().map(|(listener, _)| listener).collect(),
        signals: Signals::open().map_err(|e| Failure::new("signalfd()", e))?,
        options: AcceptOptions::of(start.conf),
        shutdown_timeout_ms: *start.conf.root.scope.get(&WORKER_SHUTDOWN_TIMEOUT),
        engines: Engines { site: start.site, streams: start.streams, endpoints: start.endpoints, logs: start.logs },
    };
    match start.model.life(start.seat) {
        Life::Loop(hooks) => event_driven(context, hooks, start.model.poller(start.seat)),
        Life::Own(live) => live(context),
    }
}

fn event_driven(
    context: ProcessContext,
    mut hooks: Box<dyn Hooks>,
    poller: Option<Arc<Poller>>,
) -> Result<(), Failure> {
    let made = || Poller::new().map(Arc::new).map_err(|e| Failure::new("epoll_create()", e));
    let poller = poller.map_or_else(made, Ok)?;
    context.watch_signals(&poller)?;
    let engine = context.engines.engine(context.tally.clone())?;
    let driver = Box::new(EventDriver::new(engine, context.capacity()));
    let listening = Listening::new(&context.listeners).with_own(&context.is_own);
    // From here on `listening` decides when the process closes the sockets.
    drop(context.listeners);
    let mut state = Loop::new(poller, driver, listening, context.tally, context.pid, context.options);
    let mut signals = WorkerSignals::new(context.signals, context.engines.logs, context.shutdown_timeout_ms);
    event_loop::run(&mut state, &mut *hooks, &mut signals);
    state.driver.close_all();
    Ok(())
}

/// The workers of each CPU that is there, by `worker_cpu_affinity`.
pub(crate) fn workers_by_cpu(conf: &Conf, workers: u32) -> WorkersByCpu {
    let online = machine::online_cpus().or_else(|_| machine::cpus()).unwrap_or_default();
    conf.root.scope.get(&WORKER_CPU_AFFINITY).workers_by_cpu(&online, workers)
}

/// The warning that connections, which are steered by CPU, can't reach some of the workers; `None`: they reach all.
pub(crate) fn warning_of_idle_workers(conf: &Conf, workers: u32) -> Option<conf::Error> {
    let idle = workers_by_cpu(conf, workers).idle;
    let span = conf.root.scope.span_of(&WORKER_CPU_AFFINITY)?;
    let numbers: Vec<String> = idle.iter().map(u32::to_string).collect();
    let (them, their) = if idle.len() == 1 { ("worker", "its") } else { ("workers", "their") };
    let numbers = numbers.join(", ");
    let message = format!("{them} {numbers} can get no TCP connection, none of {their} CPUs is there");
    let help = "connections go to the workers of the CPU that takes them in (\"dispatch\"); workers count from 0";
    (!idle.is_empty()).then(|| conf::Error::at(span, message).help(help))
}

/// Warns, as ngx_event_module_init does, that a worker will run out of descriptors before it runs out of slots.
pub fn warn_about_limits(conf: &Conf) {
    let connections = AcceptOptions::of(conf).connections as u64;
    let said = *conf.root.scope.get(&WORKER_RLIMIT_NOFILE);
    let Ok(limit) = said.map_or_else(limits::max_open_files, Ok) else { return };
    if connections > limit {
        log::warn!("{connections} worker_connections exceed open file resource limit: {limit}");
    }
}
