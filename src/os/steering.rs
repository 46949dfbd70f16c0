//! The programs by which the kernel chooses among sockets that share an address (SO_REUSEPORT; classic BPF, bpf(2)).
//!
//! A program returns the number of a socket, in the order in which the sockets began to listen.

use libc::sock_filter;

/// How the kernel chooses among sockets that share an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steer {
    /// By a hash of the connection's addresses and ports.
    ByHash,
    /// By the CPU that received the packet.
    ByCpu {
        /// The CPUs that have sockets. What other CPUs receive goes to a random socket.
        groups: Vec<CpuGroup>,
        /// The number of sockets.
        sockets: u32,
    },
    /// A random one among the first `sockets`: the others get no new connection.
    AmongFirst {
        /// The number of sockets that get connections.
        sockets: u32,
    },
}

/// CPUs with the same sockets: what one of them receives goes to a random one of those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuGroup {
    /// The numbers of the CPUs.
    pub cpus: Vec<u32>,
    /// The numbers of the sockets; at least one.
    pub sockets: Vec<u32>,
}

/// linux/filter.h; not in libc.
const SKF_AD_RANDOM: i32 = 56;
const BPF_A: u32 = 0x10;

impl Steer {
    /// The program; `None`: the kernel's own hash needs none.
    pub(super) fn program(&self) -> Option<Vec<sock_filter>> {
        match self {
            Steer::ByHash => None,
            Steer::AmongFirst { sockets } => Some(any_of_first(*sockets)),
            Steer::ByCpu { groups, sockets } => Some(by_cpu(groups, *sockets)),
        }
    }
}

fn by_cpu(groups: &[CpuGroup], sockets: u32) -> Vec<sock_filter> {
    let blocks: Vec<Vec<sock_filter>> = groups.iter().map(|group| any_of(&group.sockets)).collect();
    let rest = any_of_first(sockets);
    let cpus: usize = groups.iter().map(|group| group.cpus.len()).sum();
    // The blocks stand behind the table of CPUs, an entry of which is a comparison and a jump.
    let mut block_at = 1 + 2 * cpus + rest.len();
    let mut program = vec![load(libc::SKF_AD_CPU)];
    for (group, block) in groups.iter().zip(&blocks) {
        for cpu in &group.cpus {
            program.push(skip_one_unless(*cpu));
            let behind_jump = program.len() + 1;
            program.push(step(libc::BPF_JMP | libc::BPF_JA, (block_at - behind_jump) as u32));
        }
        block_at += block.len();
    }
    program.extend(rest);
    program.extend(blocks.into_iter().flatten());
    program
}

/// Returns a random number below `sockets`.
fn any_of_first(sockets: u32) -> Vec<sock_filter> {
    vec![load(SKF_AD_RANDOM), modulo(sockets.max(1)), step(libc::BPF_RET | BPF_A, 0)]
}

/// Returns a random one of `sockets`.
fn any_of(sockets: &[u32]) -> Vec<sock_filter> {
    let ret = |socket: u32| step(libc::BPF_RET | libc::BPF_K, socket);
    let Some((last, others)) = sockets.split_last() else { return vec![ret(0)] };
    let mut block = Vec::new();
    if !others.is_empty() {
        block.extend([load(SKF_AD_RANDOM), modulo(sockets.len() as u32)]);
        block.extend((0..).zip(others).flat_map(|(n, socket)| [skip_one_unless(n), ret(*socket)]));
    }
    block.push(ret(*last));
    block
}

fn step(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Loads what the kernel knows at `offset` beside the packet.
fn load(offset: i32) -> sock_filter {
    step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, (libc::SKF_AD_OFF + offset) as u32)
}

fn modulo(n: u32) -> sock_filter {
    step(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, n)
}

fn skip_one_unless(k: u32) -> sock_filter {
    sock_filter { jf: 1, ..step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result of a program on a CPU, with a random number (bpf(4)).
    fn run(program: &[sock_filter], cpu: u32, random: u32) -> u32 {
        let (mut a, mut at) = (0, 0);
        loop {
            let filter = program[at];
            at += 1;
            match u32::from(filter.code) {
                code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    let is_cpu = filter.k == (libc::SKF_AD_OFF + libc::SKF_AD_CPU) as u32;
                    a = if is_cpu { cpu } else { random };
                }
                code if code == libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K => a %= filter.k,
                code if code == libc::BPF_JMP | libc::BPF_JA => at += filter.k as usize,
                code if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K => {
                    at += usize::from(if a == filter.k { filter.jt } else { filter.jf });
                }
                code if code == libc::BPF_RET | BPF_A => return a,
                code if code == libc::BPF_RET | libc::BPF_K => return filter.k,
                code => panic!("{code}"),
            }
        }
    }

    #[test]
    fn each_cpu_has_its_sockets_and_the_other_cpus_have_all() {
        let group = |cpus: &[u32], sockets: &[u32]| CpuGroup { cpus: cpus.into(), sockets: sockets.into() };
        let groups = vec![group(&[1], &[0]), group(&[0, 7], &[1, 2, 4]), group(&[3, 900], &[3])];
        let program = Steer::ByCpu { groups, sockets: 5 }.program().unwrap();
        let chosen = |cpu| {
            let mut chosen: Vec<u32> = (0..60).map(|random| run(&program, cpu, random)).collect();
            chosen.sort_unstable();
            let times = |socket| chosen.iter().filter(|chosen| **chosen == socket).count();
            [0, 1, 2, 3, 4].map(times)
        };
        assert_eq!(chosen(1), [60, 0, 0, 0, 0]);
        assert_eq!([0, 7].map(chosen), [[0, 20, 20, 0, 20]; 2]);
        assert_eq!([3, 900].map(chosen), [[0, 0, 0, 60, 0]; 2]);
        assert_eq!([2, 901].map(chosen), [[12; 5]; 2]);
        let among = Steer::AmongFirst { sockets: 2 }.program().unwrap();
        assert_eq!([0, 1, 2, 7].map(|random| run(&among, 0, random)), [0, 1, 0, 1]);
        assert!(Steer::ByHash.program().is_none());
    }

    #[test]
    fn two_sockets_for_each_of_1024_cpus_fit_a_program() {
        // BPF_MAXINSNS of linux/bpf_common.h.
        let groups = (0..512).map(|n| CpuGroup { cpus: vec![2 * n, 2 * n + 1], sockets: vec![n % 256] }).collect();
        assert!(Steer::ByCpu { groups, sockets: 256 }.program().unwrap().len() <= 4096);
    }
}
