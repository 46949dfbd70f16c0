//! Makes inputs from examples: deterministic, blind to coverage, quick.

/// SplitMix64: two lines of code, and a full period from every seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`; 0 for 0.
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Inputs grow no longer than this, in bytes.
const LONGEST: usize = 64 << 10;

/// A source of inputs.
pub struct Mutator {
    random: Random,
    seeds: &'static [&'static [u8]],
    words: &'static [&'static str],
    input: Vec<u8>,
}

impl Mutator {
    /// `seeds`: examples that the inputs start from; `words`: texts that are put into them.
    pub fn new(seed: u64, seeds: &'static [&'static [u8]], words: &'static [&'static str]) -> Mutator {
        Mutator { random: Random(seed), seeds, words, input: Vec::new() }
    }

    pub fn next_input(&mut self) -> &[u8] {
        // Every fourth input is made from the input before it.
        if self.random.below(4) > 0 || self.input.len() > LONGEST {
            let seed = self.seeds.get(self.random.below(self.seeds.len())).copied().unwrap_or_default();
            self.input.clear();
            self.input.extend_from_slice(seed);
        }
        for _ in 0..=self.random.below(6) {
            self.change();
        }
        &self.input
    }

    fn change(&mut self) {
        let at = self.random.below(self.input.len() + 1);
        let end = at + self.random.below(self.input.len() + 1 - at);
        match self.random.below(9) {
            0 => {
                let bit = 1 << self.random.below(8);
                self.input.get_mut(at).into_iter().for_each(|byte| *byte ^= bit);
            }
            1 => {
                let byte = self.random.next() as u8;
                self.input.insert(at, byte);
            }
            2 | 3 => {
                let word = self.words.get(self.random.below(self.words.len())).copied().unwrap_or_default();
                self.input.splice(at..at, word.bytes());
            }
            4 => {
                let word = self.words.get(self.random.below(self.words.len())).copied().unwrap_or_default();
                let end = end.min(at + word.len());
                self.input.splice(at..end, word.bytes());
            }
            5 => drop(self.input.drain(at..end.min(at + 40))),
            6 => {
                let piece = self.input[at..end].to_vec();
                let to = self.random.below(self.input.len() + 1);
                for _ in 0..=self.random.below(3) {
                    self.input.splice(to..to, piece.iter().copied());
                }
            }
            7 => {
                let other = self.seeds.get(self.random.below(self.seeds.len())).copied().unwrap_or_default();
                let from = self.random.below(other.len() + 1);
                self.input.truncate(at);
                self.input.extend_from_slice(&other[from..]);
            }
            _ => {
                let byte = self.random.next() as u8;
                let count = 1 << self.random.below(10);
                self.input.splice(at..at, std::iter::repeat_n(byte, count));
            }
        }
    }
}
