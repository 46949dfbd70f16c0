//! drover: a static web server that works the way nginx works, and makes the one thing that other servers hide a
//! choice you can see: who accepts the next connection.
//!
//! The tour, from the ground up; a layer uses only those above it in this list (`tests/layering/` compares):

// The empty lines keep rustfmt from sorting.

/// Every line of `unsafe` and every raw system call, behind safe, small types.
pub mod os;

/// Shared by all processes: the accept mutex, and the ledger in which each counts.
pub mod shm;

/// The conf file: lexer, blocks, typed values, inheritance, diagnostics. Knows no directive by name.
pub mod conf;

/// The error log, with nginx's levels and lines, and the files of the access logs.
pub mod log;

/// Parts of an event loop: clock, timers, posted events, connection slots.
pub mod event;

/// Bytes in, actions out: requests, sites, responses. No socket, no file.
pub mod http;

/// Two small TCP services of the same shape, to try a dispatch model without HTTP.
pub mod stream;

/// Drives both over sockets and files: non-blocking and blocking, with a file cache and access logs.
pub mod serve;

/// The dispatch models: who accepts. One file each.
pub mod dispatch;

/// Life of a child: privileges, CPUs, loop, drain, exit.
pub mod worker;

/// Life of the parent: start, children, reload, upgrade, signals.
pub mod master;

/// The command line.
pub mod cli;
