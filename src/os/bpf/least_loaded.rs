//! The program that chooses the socket of the worker with the fewest connections, and the memory from which it knows.

use std::fmt;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::AtomicU64;

use super::assembler::{Assembler, Helper, If, Instruction, Op, Reg};
use super::call::{Attributes, Command, bpf_fd, object_name};
use super::maps::{SharedArray, SocketArray};
use crate::os::socket::set_option;
use crate::os::{Failure, Listener, shareable};

shareable! {
    /// The load of a worker, on a cache line of its own. Who writes what, and when, stands in `shm::Load`.
    #[derive(Debug)]
    pub struct WorkerLoad {
        /// The connections that the worker has, and `OVER` or `FULL`.
        pub connections: AtomicU64,
        /// When the worker gave its last sign of life, ns of the monotonic clock; 0: it is not there.
        pub beat_ns: AtomicU64,
        /// The connections that the program has given to the worker.
        pub picked: AtomicU64,
        /// The number of picked connections that are not on their way any more.
        pub accepted: AtomicU64,
        /// 1: the worker's sockets don't listen, because the master has moved their queues to other workers.
        pub is_moved: AtomicU64,
        /// The rest of the cache line.
        unused: [AtomicU64; 3],
    }
}

impl WorkerLoad {
    /// Added to the connections of a worker that has less than an eighth of its slots left: it gets nothing new while
    /// another worker has more.
    pub const OVER: u64 = 1 << 32;
    /// Added to the connections of a worker that can accept nothing: it comes behind all that can.
    pub const FULL: u64 = 1 << 33;
}

/// The load of a worker that gives no sign of life: behind all that do.
const SILENT: u64 = 1 << 34;

/// Low bits of a rank, below the load, that have the distance from the random start.
const DISTANCE_BITS: i32 = 16;

/// SO_ATTACH_REUSEPORT_EBPF's program: BPF_PROG_TYPE_SK_REUSEPORT, attached as BPF_SK_REUSEPORT_SELECT_OR_MIGRATE.
const SK_REUSEPORT: u32 = 21;
const SELECT_OR_MIGRATE: u32 = 40;

/// Room for the words of the verifier.
const LOG_SIZE: usize = 1 << 20;

#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

// SAFETY: repr(C), integers of their own size in a row; `LeastLoaded::load_with` sees to the addresses.
unsafe impl Attributes for Load {}

/// The program in the kernel.
#[derive(Debug)]
pub struct LeastLoaded(OwnedFd);

/// Why the kernel does not take the program.
#[derive(Debug)]
pub struct Refusal {
    /// The failed call.
    pub failure: Failure,
    /// The last lines of what the verifier says; empty if it was not asked.
    pub log: Vec<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)?;
        self.log.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        Refusal { failure, log: Vec::new() }
    }
}

impl LeastLoaded {
    /// Loads the program: it chooses among as many of the first `sockets` as there are `loads`, by number. A worker is
    /// there while its last sign of life is no older than `lease_ns`.
    pub fn load(loads: &SharedArray<WorkerLoad>, sockets: &SocketArray, lease_ns: u64) -> Result<LeastLoaded, Refusal> {
        let program = program(loads, sockets, lease_ns);
        let mut log = Vec::new();
        load_with(&program, &mut log).map_err(|error| {
            if error.raw_os_error() != Some(libc::EPERM) {
                // Asked for, the log costs time: once more, to hear the reason.
                log.resize(LOG_SIZE, 0);
                let _ = load_with(&program, &mut log);
            }
            Refusal { failure: Failure::new("bpf(BPF_PROG_LOAD)", error), log: last_lines(&log) }
        })
    }

    /// Has the program choose for the address of `listener`, a socket that listens already: attached before that, it
    /// would keep all further sockets of the address from listening (EADDRINUSE). Replaces another program. To be
    /// called for one socket of the address; sockets that begin to listen later are in its choice as well.
    pub fn attach(&self, listener: &Listener) -> io::Result<()> {
        set_option(listener, libc::SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_EBPF, self.0.as_raw_fd())
    }
}

fn load_with(program: &[Instruction], log: &mut [u8]) -> io::Result<LeastLoaded> {
    // Any licence will do for the helpers that the program calls.
    let license = c"MIT";
    let is_asked = u32::from(!log.is_empty());
    let mut load = Load {
        prog_type: SK_REUSEPORT,
        insn_cnt: program.len() as u32,
        insns: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: is_asked,
        log_size: log.len() as u32,
        log_buf: if is_asked == 1 { log.as_mut_ptr() as u64 } else { 0 },
        prog_name: object_name("drover_steer"),
        expected_attach_type: SELECT_OR_MIGRATE,
        ..Load::default()
    };
    bpf_fd(Command::ProgLoad, &mut load).map(LeastLoaded)
}

fn last_lines(log: &[u8]) -> Vec<String> {
    let text = log.split(|byte| *byte == 0).next().map(String::from_utf8_lossy).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(12)).map(|line| (*line).to_owned()).collect()
}

/// The program. It runs for each SYN, and for each connection that a closing socket leaves behind.
///
/// Among n workers it looks for the least rank: above, the load (connections + picked - accepted, or `SILENT`), below,
/// the distance from a random start, so that ties go to each in turn and not always to the first. The distance, and not
/// the number, is in the rank, because the verifier would follow each possible number on its own: it looks at n states
/// then, and not at n * n. For the same reason the number stands in half a word of the stack, whose value the verifier
/// does not keep, and the loop has no other way to a load than by `MapLookup`: pointers with an unknown offset take
/// CAP_PERFMON.
fn program(loads: &SharedArray<WorkerLoad>, sockets: &SocketArray, lease_ns: u64) -> Vec<Instruction> {
    use Reg::{R0, R1, R2, R3, R4, R5, R6, R7, R8, R9};
    /// The stack: the number of a worker, 32 bits; the context, by which the kernel knows the packet.
    const NUMBER: i16 = -4;
    const CONTEXT: i16 = -16;
    const CONNECTIONS: i16 = offset_of!(WorkerLoad, connections) as i16;
    const BEAT: i16 = offset_of!(WorkerLoad, beat_ns) as i16;
    const PICKED: i16 = offset_of!(WorkerLoad, picked) as i16;
    const ACCEPTED: i16 = offset_of!(WorkerLoad, accepted) as i16;
    let n = loads.len() as i32;
    let mut p = Assembler::default();
    p.store(CONTEXT, R1);

    // R7: the present.
    p.call(Helper::KtimeGetNs).op_reg(Op::Set, R7, R0);
    // R8: the start, from 0 to n - 1. The remainder of a division would have no bounds that the verifier knows.
    p.call(Helper::GetPrandomU32).op_reg(Op::Set, R8, R0);
    p.op(Op::ShiftLeft, R8, 32).op(Op::ShiftRight, R8, 32).op(Op::Multiply, R8, n).op(Op::ShiftRight, R8, 32);
    // R9: the least rank so far. R6: the number of the worker that is looked at.
    p.op(Op::Set, R9, -1).op(Op::Set, R6, 0);

    p.label("look");
    p.store_u32(NUMBER, R6);
    p.set_map(R1, loads.as_fd()).set_address(R2, NUMBER).call(Helper::MapLookup);
    p.jump_if(If::Equal, R0, 0, "next");
    // R3: the distance from the start, in a circle.
    p.op_reg(Op::Set, R3, R6).op_reg(Op::Subtract, R3, R8);
    p.jump_if(If::SignedAtLeast, R3, 0, "is ahead").op(Op::Add, R3, n);
    p.label("is ahead");
    // R4: the load. Silent: the last sign of life and the lease are in the past.
    p.set_wide(R4, SILENT);
    p.load(R1, R0, BEAT).set_wide(R5, lease_ns).op_reg(Op::Add, R1, R5).jump_if_reg(If::Less, R1, R7, "compare");
    // Accepted is read first: picked, read later, is no less. CPUs that read in another order may see it less.
    p.load(R1, R0, ACCEPTED).load(R2, R0, PICKED).load(R4, R0, CONNECTIONS);
    p.op_reg(Op::Subtract, R2, R1).jump_if(If::SignedAtLeast, R2, 0, "under way").op(Op::Set, R2, 0);
    p.label("under way");
    p.op_reg(Op::Add, R4, R2);
    p.label("compare");
    p.op(Op::ShiftLeft, R4, DISTANCE_BITS).op_reg(Op::Or, R4, R3);
    p.jump_if_reg(If::AtLeast, R4, R9, "next").op_reg(Op::Set, R9, R4);
    p.label("next");
    p.op(Op::Add, R6, 1).jump_if(If::Less, R6, n, "look");

    // The number of the worker with that rank: start + distance, in a circle.
    p.op(Op::And, R9, (1 << DISTANCE_BITS) - 1).op_reg(Op::Add, R9, R8);
    p.jump_if(If::Less, R9, n, "number").op(Op::Subtract, R9, n);
    p.label("number");
    p.store_u32(NUMBER, R9);
    p.load(R1, Reg::Stack, CONTEXT).set_map(R2, sockets.as_fd()).set_address(R3, NUMBER).op(Op::Set, R4, 0);
    p.call(Helper::SelectReuseport);
    // Without its socket, which is closed or was moved, the kernel's hash chooses.
    p.jump_if(If::NotEqual, R0, 0, "pass");
    p.set_map(R1, loads.as_fd()).set_address(R2, NUMBER).call(Helper::MapLookup);
    p.jump_if(If::Equal, R0, 0, "pass").op(Op::Set, R1, 1).add_atomically(R0, PICKED, R1);
    p.label("pass");
    // SK_PASS: any other result refuses the client.
    p.op(Op::Set, R0, 1).exit();
    p.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::in_child::attempt_in_child;
    use crate::os::time::coarse_ns;
    use crate::os::{Addr, ListenOptions, connect_all};
    use std::net::{SocketAddr, TcpStream};
    use std::sync::atomic::Ordering::Relaxed;

    const LEASE_NS: u64 = 3_600_000_000_000;

    /// Sockets of one address, the memory of their workers' loads, and the program, which chooses among them.
    struct Group {
        listeners: Vec<Listener>,
        loads: SharedArray<WorkerLoad>,
        sockets: SocketArray,
    }

    impl Group {
        #[track_caller]
        fn new(n: usize, addr: &str, program: impl Fn(&Group) -> Result<LeastLoaded, Refusal>) -> Group {
            let options = ListenOptions { reuseport: true, ipv6only: false, ..ListenOptions::default() };
            let any = Addr::from(addr.parse::<SocketAddr>().unwrap());
            let first = Listener::open(&any, &options).unwrap();
            let addr = first.addr().clone();
            let mut listeners = vec![first];
            listeners.extend((1..n).map(|_| Listener::open(&addr, &options).unwrap()));
            let (loads, sockets) = maps(n as u32);
            let group = Group { listeners, loads, sockets };
            for (n, listener) in (0..).zip(&group.listeners) {
                group.sockets.put(n, listener).unwrap();
                assert!(group.sockets.has(n, listener));
            }
            program(&group).unwrap_or_else(|refusal| panic!("{refusal}")).attach(&group.listeners[0]).unwrap();
            group
        }

        /// All workers are there, with so many connections.
        fn set(&self, connections: &[u64]) {
            for (load, connections) in self.loads.iter().zip(connections) {
                load.beat_ns.store(coarse_ns(), Relaxed);
                load.connections.store(*connections, Relaxed);
            }
        }

        /// Connects, and returns how many wait at each socket.
        fn connect(&self, count: u32, host: &str) -> (Vec<TcpStream>, Vec<u32>) {
            let port = self.listeners[0].addr().port().unwrap();
            let clients = connect_all(SocketAddr::new(host.parse().unwrap(), port), count, &self.listeners);
            (clients, self.waiting())
        }

        fn waiting(&self) -> Vec<u32> {
            self.listeners.iter().map(|listener| listener.queue_length().unwrap()).collect()
        }

        fn picked(&self) -> Vec<u64> {
            self.loads.iter().map(|load| load.picked.load(Relaxed)).collect()
        }
    }

    #[track_caller]
    fn maps(n: u32) -> (SharedArray<WorkerLoad>, SocketArray) {
        let loads = SharedArray::create("drover_loads", n).unwrap_or_else(|failure| panic!("CAP_BPF: {failure}"));
        (loads, SocketArray::create(n).unwrap())
    }

    fn load(group: &Group) -> Result<LeastLoaded, Refusal> {
        LeastLoaded::load(&group.loads, &group.sockets, LEASE_NS)
    }

    #[test]
    fn the_verifier_takes_the_program_for_few_workers_and_for_the_most() {
        for n in [1, 2, 4, 64, 256, 1024] {
            let (loads, sockets) = maps(n);
            let loaded = LeastLoaded::load(&loads, &sockets, LEASE_NS);
            loaded.unwrap_or_else(|refusal| panic!("{n} workers: {refusal}"));
        }
    }

    #[test]
    fn the_verifier_s_reason_is_shown() {
        let mut log = vec![0; LOG_SIZE];
        // R0 is not set.
        load_with(&Assembler::default().exit().finish(), &mut log).unwrap_err();
        let lines = last_lines(&log);
        assert!(lines.iter().any(|line| line.contains("R0 !read_ok")), "{lines:?}");
        assert!(lines.len() <= 12);
    }

    #[test]
    fn the_least_loaded_worker_gets_the_connection_and_what_is_under_way_counts() {
        for (addr, hosts) in [("127.0.0.1:0", vec!["127.0.0.1"]), ("[::]:0", vec!["127.0.0.1", "::1"])] {
            for host in hosts {
                let group = Group::new(4, addr, load);
                group.set(&[5, 2, 7, 2]);
                let (_clients, waiting) = group.connect(10, host);
                // Both others reach 5 first; then all three are alike.
                assert_eq!((waiting[2], waiting.iter().sum()), (0, 10), "{host}: {waiting:?}");
                assert!(waiting[1] >= 3 && waiting[3] >= 3 && waiting[0] <= 2, "{host}: {waiting:?}");
            }
        }
    }

    #[test]
    fn ties_go_to_all_evenly() {
        let group = Group::new(4, "127.0.0.1:0", load);
        group.set(&[0; 4]);
        let (_clients, waiting) = group.connect(40, "127.0.0.1");
        assert_eq!((waiting, group.picked()), (vec![10; 4], vec![10; 4]));
        // Connections that are gone before the next comes: not always the same worker has them.
        let firsts: std::collections::BTreeSet<usize> = (0..100)
            .map(|_| {
                let before = group.picked();
                group.connect(1, "127.0.0.1");
                let chosen = group.picked().iter().zip(&before).position(|(now, before)| now > before).unwrap();
                group.loads.iter().for_each(|load| load.accepted.store(load.picked.load(Relaxed), Relaxed));
                chosen
            })
            .collect();
        assert_eq!(firsts.len(), 4, "{firsts:?}");
    }

    #[test]
    fn the_silent_the_full_and_those_over_the_limit_come_last() {
        let group = Group::new(4, "127.0.0.1:0", load);
        group.set(&[3 + WorkerLoad::FULL, 3 + WorkerLoad::OVER, 900, 0]);
        group.loads[3].beat_ns.store(0, Relaxed);
        assert_eq!(group.connect(4, "127.0.0.1").1, [0, 0, 4, 0]);
        group.loads[2].beat_ns.store(0, Relaxed);
        assert_eq!(group.connect(4, "127.0.0.1").1, [0, 4, 4, 0]);
        group.loads[1].beat_ns.store(0, Relaxed);
        assert_eq!(group.connect(4, "127.0.0.1").1, [4, 4, 4, 0]);
        group.loads[0].beat_ns.store(0, Relaxed);
        let waiting = group.connect(100, "127.0.0.1").1;
        assert!(waiting.iter().zip([4, 4, 4, 0]).all(|(now, before)| *now > before), "nobody is there: {waiting:?}");
    }

    #[test]
    fn what_waits_at_a_socket_that_stops_moves_on_and_the_socket_may_come_back() {
        let options = ListenOptions { reuseport: true, ..ListenOptions::default() };
        // A port that the kernel has chosen would be lost at the stop: it is asked for by number.
        let free = Listener::open(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into(), &options).unwrap();
        let addr = free.addr().to_string();
        let group = Group::new(3, &addr, load);
        drop(free);
        group.set(&[0, 9, 9]);
        let (_clients, waiting) = group.connect(6, "127.0.0.1");
        assert_eq!(waiting, [6, 0, 0]);
        group.loads[0].beat_ns.store(0, Relaxed);
        group.listeners[0].stop().unwrap();
        assert!(!group.listeners[0].is_listening());
        let moved: Vec<u32> = group.listeners[1..].iter().map(|listener| listener.queue_length().unwrap()).collect();
        assert_eq!(moved, [3, 3]);
        assert_eq!(group.listeners[0].accept().unwrap_err().raw_os_error(), Some(libc::EINVAL));
        group.listeners[0].set_backlog(16).unwrap();
        group.sockets.put(0, &group.listeners[0]).unwrap();
        group.set(&[0, 9, 9]);
        assert_eq!(group.connect(2, "127.0.0.1").1, [2, 3, 3]);
    }

    #[test]
    fn cap_bpf_is_enough_and_necessary() {
        let with = |capabilities: u64| {
            attempt_in_child(|| {
                keep_capabilities(capabilities).map_err(|e| Failure::new("capset()", e))?;
                let loads = SharedArray::create("drover_loads", 64)?;
                let sockets = SocketArray::create(64)?;
                LeastLoaded::load(&loads, &sockets, LEASE_NS).map(drop).map_err(|refusal| refusal.failure)
            })
        };
        const CAP_BPF: u64 = 1 << 39;
        with(CAP_BPF).unwrap();
        let failure = with(0).unwrap_err();
        assert_eq!(failure.error.raw_os_error(), Some(libc::EPERM), "{failure}");
    }

    /// Drops all other capabilities (capset(2), version 3).
    fn keep_capabilities(set: u64) -> io::Result<()> {
        let header = [0x2008_0522_u32, 0];
        let (low, high) = (set as u32, (set >> 32) as u32);
        let data = [low, low, 0, high, high, 0];
        // SAFETY: the kernel reads a header of two words and two times three words of data.
        crate::os::retry(|| unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) })?;
        Ok(())
    }
}
