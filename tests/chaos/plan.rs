//! The strikes of a seed: which fault, whom it hits, after which moment. The same seed gives the same strikes.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// The fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Kill,
    Stop,
    Terminate,
    Quit,
    KillAndReload,
    TwoReloads,
    FewDescriptors,
    LittleMemory,
    NoFork,
    FullDisk,
    /// A request that a bug of the server makes panic.
    Panic,
    KillMaster,
}

/// When it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Under load, and nothing else happens.
    Load,
    /// After the start of a server.
    Start,
    /// After HUP.
    Reload,
    /// While processes of the old generation serve their last clients.
    Drain,
    /// After USR2.
    Upgrade,
    /// The victim holds the accept mutex.
    Mutex,
    /// The victim holds the watch over the mutex.
    Watch,
    /// The victim is in the middle of a response.
    Response,
    /// The victim is in the middle of a TLS handshake.
    Handshake,
}

/// A strike of the plan.
#[derive(Clone, Copy, Debug)]
pub struct Strike {
    pub number: u64,
    pub fault: Fault,
    pub moment: Moment,
    /// From the moment to the fault.
    pub delay: Duration,
    /// Which of the processes that there are then.
    pub pick: usize,
}

/// Faults and moments, as often as they are to come among others.
const FAULTS: &[(Fault, u32)] = &[
    (Fault::Kill, 6),
    (Fault::Stop, 3),
    (Fault::Terminate, 2),
    (Fault::Quit, 2),
    (Fault::KillAndReload, 2),
    (Fault::TwoReloads, 1),
    (Fault::FewDescriptors, 2),
    (Fault::LittleMemory, 1),
    (Fault::NoFork, 1),
    (Fault::FullDisk, 1),
    (Fault::Panic, 2),
    (Fault::KillMaster, 1),
];
const MOMENTS: &[(Moment, u32)] = &[
    (Moment::Load, 3),
    (Moment::Start, 2),
    (Moment::Reload, 4),
    (Moment::Drain, 3),
    (Moment::Upgrade, 4),
    (Moment::Mutex, 2),
    (Moment::Watch, 2),
    (Moment::Response, 2),
    (Moment::Handshake, 2),
];

impl Strike {
    /// Strike `number` of a seed, for the model of this name.
    pub fn of(seed: u64, model: &str, number: u64) -> Strike {
        let name = model.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(131).wrapping_add(byte.into()));
        let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ name ^ (number << 32));
        let fault = chosen(&mut random, FAULTS);
        let moment = chosen(&mut random, MOMENTS);
        let longest = match moment {
            Moment::Upgrade => 120_000,
            Moment::Start => 60_000,
            _ => 20_000,
        };
        let delay = Duration::from_micros(random.u64(..longest));
        Strike { number, fault, moment, delay, pick: random.usize(..1000) }
    }
}

fn chosen<T: Copy>(random: &mut fastrand::Rng, table: &[(T, u32)]) -> T {
    let sum: u32 = table.iter().map(|(_, weight)| weight).sum();
    let mut at = random.u32(..sum);
    for (value, weight) in table {
        match at.checked_sub(*weight) {
            Some(left) => at = left,
            None => return *value,
        }
    }
    table[0].0
}

impl Display for Strike {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Strike { number, fault, moment, delay, pick } = self;
        write!(f, "strike {number}: {fault:?} at {moment:?} + {} us, process {pick}", delay.as_micros())
    }
}
