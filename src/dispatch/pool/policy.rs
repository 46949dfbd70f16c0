//! `pool_policy`: the choice of the worker that gets the next connection.

use crate::dispatch::model::{Param, Setup, Takes};
use fastrand::Rng;

pub(crate) const POLICY: Param = Param {
    name: "pool_policy",
    takes: Takes::Word(&["round_robin", "random", "least_connections", "two_choices"]),
    default: 0,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    RoundRobin,
    Random,
    LeastConnections,
    /// The less loaded of two taken at random (Mitzenmacher 2001).
    TwoChoices,
}

/// A channel that has room, and the load of the workers that read it.
pub(crate) type Candidate = (u32, u64);

/// Chooses by a policy.
#[derive(Clone, Debug)]
pub(crate) struct Chooser {
    policy: Policy,
    /// The channel after the last one chosen.
    next: u32,
    random: Rng,
}

impl Chooser {
    /// By the model's parameter `pool_policy`.
    pub(crate) fn new(setup: &Setup<'_>) -> Chooser {
        let policy = match setup.param(&POLICY) {
            1 => Policy::Random,
            2 => Policy::LeastConnections,
            3 => Policy::TwoChoices,
            _ => Policy::RoundRobin,
        };
        Chooser { policy, next: 0, random: Rng::with_seed(0) }
    }

    /// Makes the random choices of this process differ from those of others.
    pub(crate) fn seed(&mut self, seed: u64) {
        self.random = Rng::with_seed(seed);
    }

    /// Chooses a channel of the candidates, which are in the order of their channels; `None`: there is no candidate.
    pub(crate) fn choose(&mut self, candidates: &[Candidate]) -> Option<u32> {
        let channel = match self.policy {
            Policy::RoundRobin => self.first_from_next(candidates),
            Policy::Random => self.any(candidates),
            Policy::LeastConnections => {
                // Equal loads take turns: the channels before `next` come after the others.
                let next = self.next;
                candidates.iter().min_by_key(|(channel, load)| (*load, *channel < next, *channel)).copied()
            }
            Policy::TwoChoices => {
                let (first, second) = (self.any(candidates), self.any(candidates));
                [first, second].into_iter().flatten().min_by_key(|(_, load)| *load)
            }
        };
        let (channel, _) = channel?;
        self.next = channel + 1;
        Some(channel)
    }

    fn first_from_next(&self, candidates: &[Candidate]) -> Option<Candidate> {
        candidates.iter().find(|(channel, _)| *channel >= self.next).or(candidates.first()).copied()
    }

    fn any(&mut self, candidates: &[Candidate]) -> Option<Candidate> {
        self.random.choice(candidates).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chooser(policy: Policy) -> Chooser {
        Chooser { policy, next: 0, random: Rng::with_seed(7) }
    }

    /// How many of `count` connections, none of which ends, each channel gets.
    fn spread(policy: Policy, channels: usize, count: usize) -> Vec<u64> {
        let (mut chooser, mut loads) = (chooser(policy), vec![0; channels]);
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
    fn channels_that_are_no_candidates_are_passed_over() {
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
