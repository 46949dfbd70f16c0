//! The ledger: the counters of every process, in memory that all of them, and anyone who opens the memfd, can read
//! while the service runs.
//!
//! Each slot has one writer. A counter is therefore a load and a store, without a locked instruction; slots start on
//! cache lines of their own, so that writers don't share any (two lines: the prefetcher takes them in pairs). The
//! counts of a dead process are added to the sums of the dead, so that no total ever goes back.
//!
//! # The atomics: who writes, who reads, in which order
//!
//! ```text
//! atomic                          writer                            reader           ordering, and its partner
//! Header::magic                   master, once                      Ledger::open     Release / Acquire: the layout is
//!                                                                                    set up
//! Header::master, generation      master                            all processes    Relaxed: written before the fork
//! Header::worker_connections,     master                            all processes    Relaxed: they stand alone
//! certificate_expiry_unix_s
//! Header::used                    claim                             live, find       AcqRel / Acquire: the pid of the
//!                                                                                    claimed slot
//! Header::moving                  retire, odd while it moves        sums             a sequence lock: Release fence
//!                                 counters                                           and fetch_add / Acquire load,
//!                                                                                    Acquire fence and second load
//! Slot::pid                       claim, pass_on, retire            pid, live, find  AcqRel / Acquire: the counters of
//!                                                                                    the former owner are cleared
//! Slot::role, number, generation  the owner, after claim            all processes    Relaxed: a reader may see those
//!                                                                                    of the former owner for a moment
//! counters of a slot              the owner alone                   all processes    Relaxed load and store
//! MutexWord                       workers, master                   all processes    see `accept_mutex.rs`
//! Text                            master                            all processes    a sequence lock, see `text.rs`
//! ```

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crate::os::{SharedMap, shareable};

use super::counter::{Counter, Numbers};
use super::histogram::{ACCEPT_DELAY_BUCKETS, REQUEST_TIME_BUCKETS, bucket};
use super::outcomes::{HandshakeEnd, Limited};
use super::protocol::Protocol;
use super::{AcceptMutex, Text};

/// Name of the memfd: /proc/PID/fd shows `/memfd:drover-ledger`.
pub const NAME: &str = "drover-ledger";
/// "drover" and a version, to be raised with every change of the layout.
const MAGIC: u64 = u64::from_le_bytes(*b"drover\0\x09");
/// Slots for workers, dispatchers and serving threads of two generations; untouched ones cost no memory.
pub const SLOTS: usize = 4096;
/// How many generations of the conf have accept mutexes of their own. With more generations alive two share a mutex,
/// which costs them a wait at most.
const MUTEXES: usize = 8;

/// Stands for a pid while `retire` frees the slot.
const RETIRING: u32 = u32::MAX;

/// Declares the counters once: as fields of a slot, as a plain copy, and with the names and texts that metrics show.
macro_rules! counters {
    ($($name:ident: $kind:ty = $about:literal,)+) => {
        shareable! {
            /// The counters of one process, or of one serving thread.
            #[derive(Debug)]
            #[repr(align(128))]
            pub struct Slot {
                /// The process that counts here; 0: the slot is free.
                pid: AtomicU32,
                /// The process's `Role`.
                role: AtomicU32,
                /// The process's number among those of its role.
                number: AtomicU32,
                /// Generation of the conf that the process runs with.
                generation: AtomicU32,
                $(#[doc = $about] pub $name: $kind,)+
            }
        }

        /// The same numbers, copied or summed up.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Sums {
            $(#[doc = $about] pub $name: <$kind as Numbers>::Plain,)+
        }

        impl Slot {
            fn add_to(&self, sums: &mut Sums) {
                $(self.$name.add_to(&mut sums.$name);)+
            }

            fn take_in(&self, sums: &Sums) {
                $(self.$name.take_in(&sums.$name);)+
            }

            fn clear(&self) {
                $(self.$name.clear();)+
            }
        }

        impl Sums {
            /// Calls `f` with each counter in their order: its name, its text, the number or the row of numbers.
            pub fn each(&self, mut f: impl FnMut(&'static str, &'static str, &[u64])) {
                $(f(stringify!($name), $about, <$kind as Numbers>::numbers(&self.$name));)+
            }
        }
    };
}

// The texts are those of the metrics view.
counters! {
    turns: Counter = "Turns of the loop: returns of epoll_wait.",
    wakeups: Counter = "Turns that a listening socket had a part in.",
    accepts: Counter = "Connections accepted.",
    empty_accepts: Counter = "Accepts that found the queue empty (EAGAIN).",
    failed_accepts: Counter = "Accepts that failed in any other way.",
    mutex_tries: Counter = "How often the accept mutex was tried.",
    mutex_takes: Counter = "How often the accept mutex was taken.",
    mutex_held_us: Counter = "Microseconds that the accept mutex was held.",
    handoffs: Counter = "Times that the accept mutex, a connection, or word of one that waits was handed to a worker.",
    takeovers: Counter = "How often the accept mutex was taken from a holder that gave no sign of life.",
    back_offs: Counter = "Turns in which the worker did not compete, because it was over 7/8 of its connections.",
    rotations: Counter =
        "How often the worker took a listening socket out of its epoll set and put it in again, behind the others.",
    listening: Counter =
        "1 while the process waits for connections on the listening sockets: they are in its epoll set.",
    connections: Counter = "Connections that are open now.",
    reading: Counter = "Of these: with a part of a request read.",
    writing: Counter = "Of these: with a response on its way.",
    reused_connections: Counter = "Connections that were closed early to make room for new ones.",
    requests: Counter = "Requests that have been answered.",
    protocols: [Counter; Protocol::COUNT] =
        "Requests by protocol: HTTP/1.0, HTTP/1.1, HTTP/2.0, any other or none.",
    http2_connections: [Counter; 2] = "Connections that have spoken HTTP/2: in clear, over TLS.",
    bytes_sent: Counter = "Bytes sent to clients.",
    tls_handshakes: [Counter; 2] = "TLS handshakes by version: 1.2, 1.3.",
    tls_resumed: Counter = "Of these: with a session that was resumed.",
    tls_full_time: [Counter; REQUEST_TIME_BUCKETS] =
        "Times of TLS handshakes without a resumed session, from the client's hello to its last word, by microseconds: \
         at most 1, 2, 4 ... 2^25, and more.",
    tls_full_time_ns: Counter = "Sum of these times, nanoseconds.",
    tls_resumed_time: [Counter; REQUEST_TIME_BUCKETS] = "Likewise, of those with a session that was resumed.",
    tls_resumed_time_ns: Counter = "Sum of these times, nanoseconds.",
    tls_failures: [Counter; HandshakeEnd::COUNT] =
        "TLS handshakes that failed: the client closed, was too slow, named a server that rejects it, sent an alert, \
         shares no version, cipher suite or group, sent no proper handshake; or any other way.",
    lost_log_lines: Counter = "Lines of access logs that could not be written.",
    file_lookups: [Counter; 2] =
        "Look-ups of files: found as they were kept, with a stat at most; opened anew, or missing.",
    gzip_lookups: [Counter; 2] = "Look-ups in gzip_cache: found, not found.",
    limited_requests: [Counter; Limited::COUNT] =
        "Requests that limit_req has delayed, rejected, would have delayed, would have rejected; that limit_conn has \
         rejected, would have rejected.",
    panics: Counter = "Panics that cost a connection or a request, and not the process.",
    status: [Counter; 5] = "Answers by class: 1xx to 5xx.",
    request_time: [Counter; REQUEST_TIME_BUCKETS] =
        "Times from a request's first byte to the last byte of its answer, by microseconds: at most 1, 2, 4 ... 2^25, \
         and more.",
    request_time_ns: Counter = "Sum of these times, nanoseconds.",
    accept_delay: [Counter; ACCEPT_DELAY_BUCKETS] =
        "Times from a connection's handshake to its accept, by milliseconds: at most 1, 2, 4 ... 2^15, and more.",
    accept_delay_ms: Counter = "Sum of these times, milliseconds.",
}

/// The kind of a process that touches clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Serves clients.
    Worker,
    /// Accepts, or watches, for others.
    Dispatcher,
}

impl Slot {
    /// The process that counts here; `None`: the slot is free.
    pub fn pid(&self) -> Option<u32> {
        match self.pid.load(Ordering::Acquire) {
            0 | RETIRING => None,
            pid => Some(pid),
        }
    }

    /// The kind of the process.
    pub fn role(&self) -> Role {
        match self.role.load(Ordering::Relaxed) {
            1 => Role::Dispatcher,
            _ => Role::Worker,
        }
    }

    /// Number among the processes of the same role, from 0.
    pub fn number(&self) -> u32 {
        self.number.load(Ordering::Relaxed)
    }

    /// Generation of the conf that the process runs with.
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// A copy of all counters.
    pub fn read(&self) -> Sums {
        let mut sums = Sums::default();
        self.add_to(&mut sums);
        sums
    }

    /// Counts requests.
    pub fn count_requests(&self, protocol: Protocol, n: u64) {
        self.requests.add(n);
        self.protocols[protocol as usize].add(n);
    }

    /// Counts an answer of status `status`.
    pub fn count_status(&self, status: u16) {
        if let Some(counter) = self.status.get(usize::from(status / 100).wrapping_sub(1)) {
            counter.add(1);
        }
    }

    /// Counts a handshake of TLS that is over.
    pub fn count_handshake(&self, is_12: bool, is_resumed: bool) {
        self.tls_handshakes[usize::from(!is_12)].add(1);
        self.tls_resumed.add(u64::from(is_resumed));
    }

    /// Counts the time of one, nanoseconds.
    pub fn count_handshake_time(&self, is_resumed: bool, ns: u64) {
        let (rows, sum) = match is_resumed {
            true => (&self.tls_resumed_time, &self.tls_resumed_time_ns),
            false => (&self.tls_full_time, &self.tls_full_time_ns),
        };
        rows[bucket(ns.div_ceil(1000), REQUEST_TIME_BUCKETS)].add(1);
        sum.add(ns);
    }

    /// Counts one that has failed.
    pub fn count_handshake_end(&self, end: HandshakeEnd) {
        self.tls_failures[end as usize].add(1);
    }

    /// Counts `n` requests that were answered `ns` nanoseconds after their first byte.
    pub fn count_request_time(&self, ns: u64, n: u64) {
        if let Some(counter) = self.request_time.get(bucket(ns.div_ceil(1000), REQUEST_TIME_BUCKETS)) {
            counter.add(n);
            self.request_time_ns.add(ns.wrapping_mul(n));
        }
    }

    /// Counts a connection that was accepted `ms` milliseconds after its handshake.
    pub fn count_accept_delay(&self, ms: u64) {
        if let Some(counter) = self.accept_delay.get(bucket(ms, ACCEPT_DELAY_BUCKETS)) {
            counter.add(1);
            self.accept_delay_ms.add(ms);
        }
    }
}

impl Sums {
    /// Connections that wait for a request, the first one or the next.
    pub fn waiting(&self) -> u64 {
        // A connection that passes from thread to thread is counted in both slots for a moment: the sum may be off by
        // one.
        self.connections.saturating_sub(self.reading.saturating_add(self.writing))
    }

    /// Sets negative numbers of connections to 0. A thread that takes a connection over from another subtracts in its
    /// own slot what the other has added in another: read in between, a sum may be below 0 for a moment.
    pub fn clamp_negatives(&mut self) {
        for number in [&mut self.listening, &mut self.connections, &mut self.reading, &mut self.writing] {
            *number = if *number > u64::MAX / 2 { 0 } else { *number };
        }
    }

    /// Adds the counters of `slot`.
    pub fn add(&mut self, slot: &Slot) {
        slot.add_to(self);
    }
}

shareable! {
    /// The numbers and texts of the service as a whole. Written by the master alone.
    #[derive(Debug)]
    #[repr(align(128))]
    pub struct Header {
        magic: AtomicU64,
        /// Milliseconds since 1970.
        pub started_unix_ms: AtomicU64,
        /// The master's pid.
        pub master: AtomicU32,
        /// How many confs have been taken into service.
        pub generation: AtomicU32,
        /// The `worker_connections` of the conf that serves.
        pub worker_connections: AtomicU64,
        /// When the first of its certificates expires, seconds since 1970; 0: it has none.
        pub certificate_expiry_unix_s: AtomicU64,
        /// The index of the highest slot that was ever used, plus one.
        used: AtomicU32,
        /// Odd while the numbers of a dead process are moved to the sums of the dead.
        moving: AtomicU32,
        /// Reloads that brought a new generation into service.
        pub reloads_ok: Counter,
        /// Reloads that left the old one in service.
        pub reloads_failed: Counter,
        /// Children that died without being asked to, and were replaced.
        pub respawns: Counter,
        /// Name of the dispatch model that serves.
        pub model: Text<32>,
        /// Why that is not the one which the conf names; empty when it is.
        pub model_reason: Text<256>,
        /// Why the last reload failed; empty when it did not.
        pub reload_error: Text<1024>,
    }
}

shareable! {
    /// The accept mutex of one generation and the watch over it, on cache lines of their own.
    #[derive(Debug)]
    #[repr(align(128))]
    struct MutexWord {
        word: AtomicU64,
        /// Held by the worker that looks after the holder of the mutex; a word of the same type.
        watch: AtomicU64,
    }
}

shareable! {
    #[derive(Debug)]
    struct Table {
        header: Header,
        mutexes: [MutexWord; MUTEXES],
        /// Sums of the counters of dead processes.
        dead: Slot,
        slots: [Slot; SLOTS],
    }
}

/// A handle to the shared memory. Clones, and the copies of forked processes, refer to the same memory.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<SharedMap<Table>>);

impl Ledger {
    /// Makes a new ledger: for the master, before it forks.
    pub fn create() -> io::Result<Ledger> {
        let ledger = Ledger(Arc::new(SharedMap::create(NAME)?));
        ledger.header().magic.store(MAGIC, Ordering::Release);
        Ok(ledger)
    }

    /// Opens the ledger of another program: its memfd, by way of /proc/PID/fd or inherited. Error: not a ledger of this
    /// version.
    pub fn open(memfd: File) -> io::Result<Ledger> {
        let ledger = Ledger(Arc::new(SharedMap::open(memfd)?));
        if ledger.header().magic.load(Ordering::Acquire) != MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a ledger of this version"));
        }
        Ok(ledger)
    }

    /// The numbers and texts of the service as a whole.
    pub fn header(&self) -> &Header {
        &self.0.header
    }

    /// The accept mutex of the present generation.
    pub fn mutex(&self) -> AcceptMutex<'_> {
        self.mutex_of(self.header().generation.load(Ordering::Relaxed))
    }

    /// The accept mutex of a generation. Each generation has its own, so that the workers of a new one need not wait
    /// for those of the old one.
    pub fn mutex_of(&self, generation: u32) -> AcceptMutex<'_> {
        AcceptMutex::new(&self.0.mutexes[generation as usize % MUTEXES].word)
    }

    /// The watch over the holder of that mutex: the worker that holds the watch takes the mutex from a silent holder
    /// (see `src/dispatch/lease.rs`).
    pub fn watch_of(&self, generation: u32) -> AcceptMutex<'_> {
        AcceptMutex::new(&self.0.mutexes[generation as usize % MUTEXES].watch)
    }

    /// The slots of living processes.
    pub fn live(&self) -> impl Iterator<Item = &Slot> + '_ {
        let used = self.header().used.load(Ordering::Acquire) as usize;
        self.0.slots.iter().take(used).filter(|slot| slot.pid().is_some())
    }

    /// The living process's slot that `matches`, and its index. `hint`: the index to look at first, for callers that
    /// ask for the same slot often.
    pub fn find(&self, hint: usize, matches: impl Fn(&Slot) -> bool) -> Option<(usize, &Slot)> {
        let used = self.header().used.load(Ordering::Acquire) as usize;
        let matches = |slot: &Slot| slot.pid().is_some() && matches(slot);
        if let Some(slot) = self.0.slots.get(hint).filter(|slot| matches(slot)) {
            return Some((hint, slot));
        }
        self.0.slots.iter().take(used).enumerate().find(|(_, slot)| matches(slot))
    }

    /// Takes a free slot for `pid`. Error: all 4096 are taken.
    pub fn claim(&self, pid: u32, role: Role, number: u32) -> io::Result<Tally> {
        for (index, slot) in self.0.slots.iter().enumerate() {
            if slot.pid.compare_exchange(0, pid, Ordering::AcqRel, Ordering::Relaxed).is_err() {
                continue;
            }
            slot.role.store(u32::from(role == Role::Dispatcher), Ordering::Relaxed);
            slot.number.store(number, Ordering::Relaxed);
            slot.generation.store(self.header().generation.load(Ordering::Relaxed), Ordering::Relaxed);
            self.header().used.fetch_max(index as u32 + 1, Ordering::AcqRel);
            return Ok(Tally { ledger: self.clone(), index });
        }
        Err(io::Error::other("the ledger has no free slot"))
    }

    /// Adds the counters of `pid` to the sums of the dead and frees its slots. For the master, after it has reaped the
    /// process; for a process without a master, as its last act.
    pub fn retire(&self, pid: u32) {
        let table = &*self.0;
        table.header.moving.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
        for slot in self.live() {
            // A dispatcher may have passed the slot on before its death, to a child that counts there.
            if slot.pid.compare_exchange(pid, RETIRING, Ordering::AcqRel, Ordering::Relaxed).is_err() {
                continue;
            }
            let mut sums = slot.read();
            // Connections die with their process.
            (sums.listening, sums.connections, sums.reading, sums.writing) = (0, 0, 0, 0);
            table.dead.take_in(&sums);
            slot.clear();
            slot.pid.store(0, Ordering::Release);
        }
        table.header.moving.fetch_add(1, Ordering::Release);
    }

    /// The sums over all processes, dead and alive.
    pub fn sums(&self) -> Sums {
        let table = &*self.0;
        let mut sums = Sums::default();
        for _ in 0..1000 {
            let before = table.header.moving.load(Ordering::Acquire);
            sums = table.dead.read();
            self.live().for_each(|slot| slot.add_to(&mut sums));
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && table.header.moving.load(Ordering::Relaxed) == before {
                break;
            }
            std::thread::yield_now();
        }
        sums
    }
}

impl AsFd for Ledger {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The right to write to one slot. Derefs to the slot, and is not `Clone`, because a counter has one writer.
#[derive(Debug)]
pub struct Tally {
    ledger: Ledger,
    index: usize,
}

impl Tally {
    /// Makes `to` the process that writes, instead of `from`. After a fork parent and child both call this; whichever
    /// runs first wins. False: the slot belongs to neither, because `from` has died and `retire` has freed the slot.
    pub fn pass_on(&self, from: u32, to: u32) -> bool {
        self.pid.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).map_or_else(|now| now == to, |_| true)
    }

    /// Sets the generation of the conf that the process runs with: the next generation may have begun before a child
    /// claims its slot.
    pub fn of_generation(self, generation: u32) -> Tally {
        self.generation.store(generation, Ordering::Release);
        self
    }

    /// The ledger that the slot is in.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

impl std::ops::Deref for Tally {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        &self.ledger.0.slots[self.index]
    }
}

#[cfg(test)]
mod tests;
