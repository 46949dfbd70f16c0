//! drover: a static web server that works the way nginx works, and makes a choice visible that other servers hide: who
//! accepts the next connection.
//!
//! # The processes
//!
//! ```text
//!                    signals, drover -s
//!                            │
//!                            ▼
//!   conf file ──────►     master      reads the conf, opens sockets and logs, forks, reaps, reloads; touches no client
//!                      │     │     │
//!              fork ┌──┘     │     └──┐
//!                   ▼        ▼        ▼
//!               worker 0  worker n  dispatcher    the seats of the dispatch model's plan; a dispatcher in some models
//!                   ▲        ▲        │
//!        accept4    │        │        └──► a connection, or the notice of one, to a worker or a child
//!                   └── listening sockets, shared or one for each worker
//!
//!   ledger: the memory that all of them share: counters of each process, the accept mutexes
//! ```
//!
//! `master/mod.rs` draws what the processes share, `dispatch/mod.rs` which of them exist in each model.
//!
//! # The life of a connection in ten steps
//!
//! 1. The kernel completes the handshake at a listening socket, which `master/sockets.rs` opened before the fork.
//! 2. `worker/event_loop.rs`: the loop asks the model's hook `before_wait` whether to watch the listening sockets
//!    (`dispatch/accept_mutex.rs` and the other models), and waits in epoll (`os/poller.rs`).
//! 3. `dispatch/model/accepting.rs`: the loop accepts connections; in some models one comes from another process
//!    (`dispatch/pool/channel_reader.rs`).
//!    Once the accepts of a turn are done, the hook `after_accepts` releases the accept mutex.
//! 4. `serve/event_driver.rs`: the connection gets a slot and a timer; its bytes go to the engine (`serve/engine.rs`).
//!    `serve/engine/advance.rs` leads it through the states that `serve/connection.rs` draws. Blocking models use
//!    `serve/blocking.rs` with the same engine.
//! 5. `http/message/request.rs` parses the head of a request. In HTTP/2 `http/h2/` takes it out of frames, and
//!    `serve/engine/http2/` has an exchange for each stream, whose answer goes into frames.
//! 6. `http/phases/walk.rs` leads the request through nginx's phases: server and location (`http/site/route.rs`),
//!    access, rewrite, content. A request and its response are an exchange (`http/exchange/state.rs`).
//! 7. The exchange asks for files by actions (`http/exchange/action.rs`), which `serve/engine/exchange.rs` carries out
//!    with `serve/file_cache.rs`.
//! 8. `http/answer/file.rs` makes the answer of a file, by the request's conditions (`http/answer/conditions.rs`) and
//!    ranges (`http/answer/ranges.rs`); `http/answer/response.rs` writes the head; `serve/output.rs` sends head and
//!    body in as few system calls as possible.
//! 9. `serve/access_log.rs` writes the line of the access log, `serve/engine/account.rs` counts in the ledger
//!    (`shm/ledger.rs`).
//! 10. The next request on the connection begins, or the connection is idle and owns no buffer, or it ends
//!     (`serve/engine/close.rs`).
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | accept mutex | a lock in shared memory; only its holder has the listening sockets in its epoll set |
//! | back-off | a worker over 7/8 of `worker_connections` does not compete: `accept_disabled = n/8 - free` |
//! | conf | the configuration file, and the values read from it |
//! | cycle | a generation of the conf with its open files and sockets; a reload makes the next (`ngx_cycle_t`) |
//! | dispatch model | the rule by which a new connection reaches a worker; a file each in `dispatch` |
//! | dispatcher | a child that accepts or watches for others, in the models that have one; not the master |
//! | driver | carries out a connection's actions over its socket: event-driven, shared by threads, or blocking |
//! | engine | the part of a driver that knows no waiting: the states of a connection |
//! | exchange | a request and its response |
//! | generation | the number of a cycle, counted from 1 |
//! | hand-off | a loaded worker makes a less loaded one the next holder of the accept mutex |
//! | hooks | the methods by which a model takes part in the event loop of its processes |
//! | lease | how long a holder may keep the mutex without a sign of life before another may take it |
//! | ledger | the counters that every process keeps in shared memory, a slot each |
//! | master | the parent: reads the conf, opens listening sockets, forks, reaps, reloads, upgrades |
//! | phase | a step of nginx's in the handling of a request: rewrite, access, content; a file each |
//! | plan, seat | the processes of a model, and the place of each in it: role and number |
//! | posted events | events that wait in a queue: accepts run first, then the mutex is released, then the rest |
//! | role | worker or dispatcher |
//! | slot | the memory of a process in the ledger, or of a connection in its driver |
//! | turn | a pass of the event loop, from one wait to the next |
//! | worker | a forked child that serves clients |
//!
//! # The layers
//!
//! From the ground up: a layer uses itself and those before it in the list below (`tests/layering/` reads it there).

#![warn(missing_docs, unreachable_pub)]

// The empty lines keep rustfmt from sorting.

// All `unsafe` code and all raw system calls, behind safe, small types.
pub mod os;

// The memory that all processes share: the ledger of counters, and in it the accept mutexes.
pub mod shm;

// The conf file: lexer, blocks, typed values, inheritance, errors. Knows no directive by name.
pub mod conf;

// The error log, with nginx's levels and lines, and the files of the access logs.
pub mod log;

// The parts of an event loop: clock, timers, posted events, connection slots.
pub mod event;

// Bytes in, actions out: requests, sites, responses. Has no socket, no file, no clock.
pub mod http;

// Two small TCP services of the same shape, to try a dispatch model without HTTP.
pub mod stream;

// TLS by rustls: certificates, keys, the choice of them by the client's hello.
pub mod tls;

// Drives `http` and `stream` over sockets and files, blocking or not, with a file cache and access logs.
pub mod serve;

// The dispatch models, which decide who accepts: a file each.
pub mod dispatch;

// The life of a child: privileges, CPUs, loop, drain, exit.
pub mod worker;

// The life of the parent: start, children, reload, upgrade, signals.
pub mod master;

// The command line.
pub mod cli;
