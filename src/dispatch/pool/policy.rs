//! `pool_policy`: which worker gets the next connection.

use crate::dispatch::{Param, Setup, Takes};

pub(in crate::dispatch) const POLICY: Param = Param {
    name: "pool_policy",
    takes: Takes::Word(&["round_robin", "random", "least_connections", "two_choices"]),
    default: 0,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    RoundRobin,
    Random,
    LeastConnections,
    /// The better of two taken at random (Mitzenmacher 2001).
    TwoChoices,
}

/// A lane to which something may be passed, and how loaded who takes from it is.
pub(in crate::dispatch) type Candidate = (u32, u64);

/// Chooses by a policy.
#[derive(Clone, Debug)]
pub(in crate::dispatch) struct Chooser {
    policy: Policy,
    /// The lane after the last one chosen.
    next: u32,
    random: SplitMix,
}

impl Chooser {
    /// What the parameter of a model says.
    pub fn new(setup: &Setup<'_>) -> Chooser {
        let policy = match setup.param(&POLICY) {
            1 => Policy::Random,
            2 => Policy::LeastConnections,
            3 => Policy::TwoChoices,
            _ => Policy::RoundRobin,
        };
        Chooser { policy, next: 0, random: SplitMix(0) }
    }

    /// Makes the random choices of this process differ from those of others.
    pub fn seed(&mut self, seed: u64) {
        self.random = SplitMix(seed);
    }

    /// One of the candidates, which come in the order of their lanes.
    pub fn choose(&mut self, candidates: &[Candidate]) -> Option<u32> {
        let lane = match self.policy {
            Policy::RoundRobin => self.first_in_turn(candidates),
            Policy::Random => self.any(candidates),
            Policy::LeastConnections => {
                // Among equals, turn by turn: those that come before the next one are a round later.
                let next = self.next;
                candidates.iter().min_by_key(|(lane, load)| (*load, *lane < next, *lane)).copied()
            }
            Policy::TwoChoices => {
                let (first, second) = (self.any(candidates), self.any(candidates));
                [first, second].into_iter().flatten().min_by_key(|(_, load)| *load)
            }
        };
        let (lane, _) = lane?;
        self.next = lane + 1;
        Some(lane)
    }

    fn first_in_turn(&self, candidates: &[Candidate]) -> Option<Candidate> {
        candidates.iter().find(|(lane, _)| *lane >= self.next).or(candidates.first()).copied()
    }

    fn any(&mut self, candidates: &[Candidate]) -> Option<Candidate> {
        let n = self.random.next() % (candidates.len().max(1) as u64);
        candidates.get(n as usize).copied()
    }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. Good enough to spread load; no secret depends on it.
#[derive(Clone, Debug)]
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chooser(policy: Policy) -> Chooser {
        Chooser { policy, next: 0, random: SplitMix(7) }
    }

    /// How many of `count` connections, none of which ends, each lane gets.
    fn spread(policy: Policy, lanes: usize, count: usize) -> Vec<u64> {
        let (mut chooser, mut loads) = (chooser(policy), vec![0; lanes]);
        for _ in 0..count {
            let candidates: Vec<Candidate> = loads.iter().enumerate().map(|(n, load)| (n as u32, *load)).collect();
            loads[chooser.choose(&candidates).unwrap() as usize] += 1;
        }
        loads
    }

    #[test]
    fn each_policy_spreads_in_its_way() {
        assert_eq!(spread(Policy::RoundRobin, 4, 402), [101, 101, 100, 100]);
        assert_eq!(spread(Policy::LeastConnections, 4, 400), [100; 4]);
        let random = spread(Policy::Random, 4, 4000);
        let two = spread(Policy::TwoChoices, 4, 4000);
        let gap = |loads: &[u64]| loads.iter().max().unwrap() - loads.iter().min().unwrap();
        // Random: 4 standard deviations of 27. Two choices: log log n.
        assert!(gap(&random) > 4 && random.iter().all(|n| n.abs_diff(1000) < 110), "{random:?}");
        assert!(gap(&two) <= 12, "{two:?}");
    }

    #[test]
    fn who_is_no_candidate_is_passed_over() {
        let mut chooser = chooser(Policy::RoundRobin);
        let chosen: Vec<_> = (0..4).map(|_| chooser.choose(&[(0, 9), (2, 9), (3, 9)]).unwrap()).collect();
        assert_eq!(chosen, [0, 2, 3, 0]);
        assert_eq!(chooser.choose(&[]), None);
    }

    #[test]
    fn equals_take_turns_and_the_least_loaded_goes_first() {
        let mut chooser = chooser(Policy::LeastConnections);
        let idle = [(0, 0), (1, 0), (2, 0)];
        assert_eq!([(); 4].map(|()| chooser.choose(&idle).unwrap()), [0, 1, 2, 0]);
        assert_eq!(chooser.choose(&[(0, 3), (1, 2), (2, 3)]), Some(1));
    }
}
