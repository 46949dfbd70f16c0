//! How a balancer chooses a machine, as HAProxy 2.6 does it.

use anyhow::{Result, bail};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A rule of `balance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// `leastconn`: the machine with the fewest connections for its weight, in turn among equals.
    LeastConnections,
    /// `roundrobin`: in turn, by weight.
    RoundRobin,
    /// `random(N)`: the least busy of so many that are drawn by chance.
    Random(u32),
}

impl Policy {
    /// Parses the argument of `balance`.
    pub(super) fn parse(text: &str) -> Result<Policy> {
        match text {
            "leastconn" => Ok(Policy::LeastConnections),
            "roundrobin" => Ok(Policy::RoundRobin),
            "random" => Ok(Policy::Random(2)),
            _ => match text.strip_prefix("random(").and_then(|rest| rest.strip_suffix(')')?.parse().ok()) {
                Some(draws @ 1..=64) => Ok(Policy::Random(draws)),
                _ => bail!("unknown policy \"{text}\": there are leastconn, roundrobin, random(2)"),
            },
        }
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Policy::LeastConnections => f.write_str("leastconn"),
            Policy::RoundRobin => f.write_str("roundrobin"),
            Policy::Random(draws) => write!(f, "random({draws})"),
        }
    }
}

/// A machine as the balancer sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// Requests that it has.
    pub connections: u32,
    /// 1: its full weight; 0: it gets nothing new.
    pub weight: f64,
}

/// Chooses machines by a policy.
pub(super) struct Picker {
    policy: Policy,
    rng: ChaCha8Rng,
    /// When each machine was last put in line: the first in line comes first among equals.
    turns: Vec<u64>,
    turn: u64,
    /// The debt to each machine, in shares of a turn.
    credit: Vec<f64>,
}

impl Picker {
    pub(super) fn new(policy: Policy, machines: usize, seed: u64) -> Picker {
        let turns = (0..machines as u64).collect();
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Picker { policy, rng, turns, turn: machines as u64, credit: vec![0.0; machines] }
    }

    /// The machine for a request; not `avoid`, which has just failed it, when there is another. `None`: no machine
    /// takes requests.
    pub(super) fn pick(&mut self, machines: &[Seen], avoid: Option<usize>) -> Option<usize> {
        let takes = |n: &usize| machines[*n].weight > 0.0;
        let all: Vec<usize> = (0..machines.len()).filter(takes).collect();
        let others: Vec<usize> = all.iter().copied().filter(|n| Some(*n) != avoid).collect();
        let able = if others.is_empty() { all } else { others };
        let picked = match self.policy {
            Policy::LeastConnections => able.into_iter().min_by(|a, b| {
                let (key_a, key_b) = (busyness(machines[*a]), busyness(machines[*b]));
                key_a.total_cmp(&key_b).then(self.turns[*a].cmp(&self.turns[*b]))
            }),
            Policy::RoundRobin => self.in_turn(machines, &able),
            Policy::Random(draws) => self.drawn(machines, &able, draws),
        }?;
        self.requeue(picked);
        Some(picked)
    }

    /// Puts a machine at the end of the line: its number of connections has changed.
    pub(super) fn requeue(&mut self, machine: usize) {
        self.turn += 1;
        self.turns[machine] = self.turn;
    }

    /// Every machine earns its weight; the richest pays for all.
    fn in_turn(&mut self, machines: &[Seen], able: &[usize]) -> Option<usize> {
        let sum: f64 = able.iter().map(|n| machines[*n].weight).sum();
        able.iter().for_each(|n| self.credit[*n] += machines[*n].weight);
        // The first of equals.
        let richest = able.iter().copied().rev().max_by(|a, b| self.credit[*a].total_cmp(&self.credit[*b]))?;
        self.credit[richest] -= sum;
        Some(richest)
    }

    fn drawn(&mut self, machines: &[Seen], able: &[usize], draws: u32) -> Option<usize> {
        let mut best = self.draw(machines, able)?;
        for _ in 1..draws {
            let other = self.draw(machines, able)?;
            let load = |n: usize, weight_of: usize| f64::from(machines[n].connections) * machines[weight_of].weight;
            if load(other, best) <= load(best, other) {
                best = other;
            }
        }
        Some(best)
    }

    /// A machine by chance, by weight.
    fn draw(&mut self, machines: &[Seen], able: &[usize]) -> Option<usize> {
        let sum: f64 = able.iter().map(|n| machines[*n].weight).sum();
        let mut point = self.rng.random_range(0.0..sum.max(f64::MIN_POSITIVE));
        let drawn = able.iter().copied().find(|n| {
            point -= machines[*n].weight;
            point < 0.0
        });
        drawn.or(able.last().copied())
    }
}

/// The key by which HAProxy sorts machines for leastconn: an idle one is first, whatever its weight.
fn busyness(seen: Seen) -> f64 {
    if seen.connections == 0 { 0.0 } else { f64::from(seen.connections + 1) / seen.weight }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(all: &[(u32, f64)]) -> Vec<Seen> {
        all.iter().map(|(connections, weight)| Seen { connections: *connections, weight: *weight }).collect()
    }

    fn picks(policy: Policy, machines: &[Seen], count: usize) -> Vec<usize> {
        let mut picker = Picker::new(policy, machines.len(), 1);
        (0..count).filter_map(|_| picker.pick(machines, None)).collect()
    }

    #[test]
    fn names_are_those_of_haproxy() {
        for name in ["leastconn", "roundrobin", "random(2)", "random(1)"] {
            assert_eq!(Policy::parse(name).unwrap().to_string(), name);
        }
        assert_eq!(Policy::parse("random").unwrap(), Policy::Random(2));
        let error = Policy::parse("random(0)").unwrap_err().to_string();
        assert_eq!(error, "unknown policy \"random(0)\": there are leastconn, roundrobin, random(2)");
    }

    #[test]
    fn the_fewest_connections_win_and_equals_take_turns() {
        let fewest = Policy::LeastConnections;
        assert_eq!(picks(fewest, &seen(&[(2, 1.0), (1, 1.0), (1, 1.0)]), 4), [1, 2, 1, 2]);
        // Half the weight: three connections there are as many as six here.
        assert_eq!(picks(fewest, &seen(&[(3, 0.5), (6, 1.0)]), 1), [1]);
        assert_eq!(picks(fewest, &seen(&[(2, 0.5), (6, 1.0)]), 1), [0]);
        assert_eq!(picks(fewest, &seen(&[(0, 0.0), (6, 1.0)]), 1), [1], "no weight: nothing new");
        assert_eq!(picks(fewest, &seen(&[(0, 0.0)]), 1), [0; 0]);
    }

    #[test]
    fn turns_and_draws_go_by_weight() {
        assert_eq!(picks(Policy::RoundRobin, &seen(&[(9, 1.0), (0, 1.0), (0, 1.0)]), 6), [0, 1, 2, 0, 1, 2]);
        let weighted = picks(Policy::RoundRobin, &seen(&[(0, 1.0), (0, 0.5)]), 300);
        assert_eq!(weighted.iter().filter(|n| **n == 0).count(), 200);
        let drawn = picks(Policy::Random(1), &seen(&[(0, 1.0), (0, 0.5)]), 3000);
        assert!((1900..2100).contains(&drawn.iter().filter(|n| **n == 0).count()));
        // Two draws with replacement: one pair in four hits the busy one twice.
        let two = picks(Policy::Random(2), &seen(&[(5, 1.0), (0, 1.0)]), 4000);
        assert!((900..1100).contains(&two.iter().filter(|n| **n == 0).count()));
    }

    #[test]
    fn a_machine_that_failed_is_avoided_while_there_is_another() {
        for policy in [Policy::LeastConnections, Policy::RoundRobin, Policy::Random(2)] {
            let mut picker = Picker::new(policy, 2, 1);
            assert_eq!(picker.pick(&seen(&[(0, 1.0), (7, 1.0)]), Some(0)), Some(1), "{policy}");
            assert_eq!(picker.pick(&seen(&[(0, 1.0), (7, 0.0)]), Some(0)), Some(0), "{policy}");
        }
    }
}
