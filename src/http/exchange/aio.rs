//! `aio` and `thread_pool`: whether threads wait for the disk in the place of a worker (`src/core/ngx_thread_pool.c`,
//! `ngx_http_core_set_aio`).

use crate::conf::{self, Args, Contexts, Mistakes, Setting, parse_count};
use crate::http::site::template::Template;

/// Whether the worker waits for a disk, or a thread.
pub static AIO: Setting<Aio> = Setting::one("aio", parse_aio)
    .contexts(Contexts::HTTP_ALL)
    .args(1, 1)
    .syntax("on | off | threads[=POOL]")
    .default("off")
    .about(
        "`threads`: a file that is not in memory is looked up, opened, listed and read by a thread of `thread_pool`, \
         so that a slow disk holds up none of the worker's other clients; answers are compressed there too. What the \
         kernel has in memory is served without a thread, by the same system calls as without `aio`, but for a look in \
         each second: three calls more for the name, and one for each 32k of a file that is sent by sendfile. What the \
         kernel drops within that second, or of single pages in between, the worker waits for. Overlayfs, on which \
         containers have all but their volumes, does not tell: there each read is a thread's work. The name \
         of the pool may have variables. `off`, the default as in nginx: the worker waits itself, which for a file \
         that is not in memory and lies on a fast disk is cheaper than to hand it to a thread and back. `on` (the \
         kernel's own asynchronous reads, of use with `directio` alone) is `off`. The models `prefork`, `thread_pool` \
         and `fork`, where each client has a thread or a process, and `leader_follower` wait themselves: the directive \
         has no effect there.",
    );

/// A pool of threads.
pub static THREAD_POOL: Setting<()> = Setting::many(&["thread_pool"], |args, ()| declare(args))
    .contexts(Contexts::MAIN)
    .args(2, 3)
    .syntax("NAME threads=NUMBER [max_queue=NUMBER]")
    .about(
        "A pool of threads for `aio`, which each worker has for itself; a thread starts when there is work for it. At \
         most `max_queue` (65536) tasks wait for a thread: the request of one more fails, with 500 or, when its answer \
         is on its way, with the end of the connection. Without this directive there is `default`, of 32 threads.",
    );

/// The value of `aio`.
#[derive(Debug, Default)]
pub enum Aio {
    /// The worker waits.
    #[default]
    Off,
    /// This pool.
    Pool(u16),
    /// The pool of this name.
    Named(Template),
}

impl Aio {
    /// Whether there is a pool.
    pub(in crate::http) fn is_on(&self) -> bool {
        !matches!(self, Aio::Off)
    }
}

/// A pool of the conf.
#[derive(Debug, Clone)]
pub struct ThreadPool {
    /// Its name.
    pub name: String,
    /// Most threads; 0: it has not been declared.
    pub threads: usize,
    /// Most tasks that wait for a thread.
    pub max_queue: usize,
    /// The place of its first name, and of its declaration.
    span: conf::Span,
    declared: Option<conf::Span>,
}

/// A note ([`conf::Args::notes`]): the pools of a conf, in the order of their names.
#[derive(Debug, Default, Clone)]
pub struct ThreadPools(Vec<ThreadPool>);

const DEFAULT: &str = "default";
const DEFAULT_THREADS: usize = 32;
const DEFAULT_MAX_QUEUE: usize = 65536;

/// More threads than that no process gets.
const MOST_THREADS: u64 = 1 << 16;

impl ThreadPools {
    fn number(&mut self, name: &str, span: conf::Span) -> usize {
        let known = self.0.iter().position(|pool| pool.name == name);
        known.unwrap_or_else(|| {
            let is_default = name == DEFAULT;
            self.0.push(ThreadPool {
                name: name.to_owned(),
                threads: if is_default { DEFAULT_THREADS } else { 0 },
                max_queue: DEFAULT_MAX_QUEUE,
                span,
                declared: None,
            });
            self.0.len() - 1
        })
    }

    /// All pools, by their numbers.
    pub fn all(&self) -> &[ThreadPool] {
        &self.0
    }

    /// Checks that each pool is declared (`ngx_thread_pool_init_conf`).
    pub(in crate::http) fn check(&self, mistakes: &mut Mistakes) {
        for pool in self.0.iter().filter(|pool| pool.threads == 0) {
            let known = self.0.iter().filter(|pool| pool.threads > 0);
            let near = conf::did_you_mean(&pool.name, known.map(|pool| pool.name.as_str()));
            let error = conf::Error::at(pool.span, format!("unknown thread pool \"{}\"", pool.name));
            mistakes.add(error.misses(&*pool.name).help(match near {
                Some(name) => format!("did you mean \"{name}\"?"),
                None => format!("outside http: thread_pool {} threads=32;", pool.name),
            }));
        }
    }
}

fn parse_aio(args: &mut Args) -> Result<Aio, conf::Error> {
    let text = args.str(0)?.to_owned();
    let name = match text.as_str() {
        "off" | "on" => return Ok(Aio::Off),
        "threads" => DEFAULT,
        _ => {
            text.strip_prefix("threads=").ok_or_else(|| args.invalid(0, "value", "on, off, threads or threads=POOL"))?
        }
    };
    if name.contains('$') {
        return Ok(Aio::Named(Template::parse_text(args, 0, name)?));
    }
    let span = args.span(0);
    Ok(Aio::Pool(args.notes::<ThreadPools>().number(name, span) as u16))
}

fn declare(args: &mut Args) -> Result<(), conf::Error> {
    let (name, span) = (args.str(0)?.to_owned(), args.span(0));
    let first = args.notes::<ThreadPools>().0.iter().find(|pool| pool.name == name).and_then(|pool| pool.declared);
    if let Some(first) = first {
        return Err(args.bad(0, format!("duplicate thread pool \"{name}\"")).first_at(first));
    }
    let (mut threads, mut max_queue) = (None, DEFAULT_MAX_QUEUE);
    for i in 1..args.len() {
        let text = args.str(i)?;
        if let Some(number) = text.strip_prefix("threads=") {
            threads = parse_count(number).filter(|threads| *threads > 0);
            if threads.is_none() {
                return Err(args
                    .bad(i, format!("invalid threads value \"{text}\""))
                    .help("a number, such as threads=32"));
            }
        } else if let Some(number) = text.strip_prefix("max_queue=") {
            let invalid = || args.bad(i, format!("invalid max_queue value \"{text}\"")).help("a number of tasks");
            max_queue = parse_count(number).and_then(|max| usize::try_from(max).ok()).ok_or_else(invalid)?;
        }
    }
    let missing = || {
        let error = args.bad(0, "\"thread_pool\" must have \"threads\" parameter");
        error.help(format!("thread_pool {name} threads=32;"))
    };
    let threads = threads.ok_or_else(missing)?.min(MOST_THREADS) as usize;
    let pools = args.notes::<ThreadPools>();
    let number = pools.number(&name, span);
    if let Some(pool) = pools.0.get_mut(number) {
        (pool.threads, pool.max_queue, pool.declared) = (threads, max_queue, Some(span));
    }
    Ok(())
}

/// The directives of this module.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&AIO, &THREAD_POOL];
