//! Makes inputs from examples: deterministic, blind to coverage, quick.

use fastrand::Rng;

/// Inputs grow no longer than this, in bytes.
const LONGEST: usize = 64 << 10;

/// A source of inputs.
pub(crate) struct Mutator {
    random: Rng,
    seeds: &'static [&'static [u8]],
    words: &'static [&'static str],
    input: Vec<u8>,
}

impl Mutator {
    /// `seeds`: examples that the inputs start from; `words`: texts that are put into them.
    pub(crate) fn new(seed: u64, seeds: &'static [&'static [u8]], words: &'static [&'static str]) -> Mutator {
        Mutator { random: Rng::with_seed(seed), seeds, words, input: Vec::new() }
    }

    /// The next input.
    pub(crate) fn next_input(&mut self) -> &[u8] {
        // Every fourth input is made from the input before it.
        if self.random.usize(..4) > 0 || self.input.len() > LONGEST {
            let seed = self.seed();
            self.input.clear();
            self.input.extend_from_slice(seed);
        }
        for _ in 0..=self.random.usize(..6) {
            self.change();
        }
        &self.input
    }

    fn seed(&mut self) -> &'static [u8] {
        self.random.choice(self.seeds).copied().unwrap_or_default()
    }

    fn word(&mut self) -> &'static str {
        self.random.choice(self.words).copied().unwrap_or_default()
    }

    /// Changes the input at a random place in one of nine ways.
    fn change(&mut self) {
        let at = self.random.usize(..self.input.len() + 1);
        let end = at + self.random.usize(..self.input.len() + 1 - at);
        match self.random.usize(..9) {
            0 => {
                let bit = 1 << self.random.usize(..8);
                self.input.get_mut(at).into_iter().for_each(|byte| *byte ^= bit);
            }
            1 => {
                let byte = self.random.u8(..);
                self.input.insert(at, byte);
            }
            2 | 3 => {
                let word = self.word();
                self.input.splice(at..at, word.bytes());
            }
            4 => {
                let word = self.word();
                let end = end.min(at + word.len());
                self.input.splice(at..end, word.bytes());
            }
            5 => drop(self.input.drain(at..end.min(at + 40))),
            6 => {
                let piece = self.input[at..end].to_vec();
                let to = self.random.usize(..self.input.len() + 1);
                for _ in 0..=self.random.usize(..3) {
                    self.input.splice(to..to, piece.iter().copied());
                }
            }
            7 => {
                let other = self.seed();
                let from = self.random.usize(..other.len() + 1);
                self.input.truncate(at);
                self.input.extend_from_slice(&other[from..]);
            }
            _ => {
                let byte = self.random.u8(..);
                let count = 1 << self.random.usize(..10);
                self.input.splice(at..at, std::iter::repeat_n(byte, count));
            }
        }
    }
}
