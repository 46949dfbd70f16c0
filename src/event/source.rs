//! The meaning of an epoll key.

/// The sources of one poller, told apart by their keys. Keys of connections come from `Slots`, which leave the top bit
/// clear; everything else has it set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A connection: a key of `Slots`.
    Connection(u64),
    /// The n-th listening socket of the process.
    Listener(u32),
    /// The signalfd.
    Signals,
    /// The eventfd of the threads that work for connections.
    Jobs,
    /// A descriptor of the dispatch model (a pipe, an eventfd), by a number of the model's own.
    Model(u32),
}

const SPECIAL: u64 = 1 << 63;
const KIND: u64 = 0x7f << 32;
const LISTENER: u64 = SPECIAL;
const SIGNALS: u64 = SPECIAL | (1 << 32);
const JOBS: u64 = SPECIAL | (3 << 32);
const MODEL: u64 = SPECIAL | (2 << 32);

impl Source {
    /// The key to watch this source by.
    pub fn key(self) -> u64 {
        match self {
            Source::Connection(key) => key,
            Source::Listener(n) => LISTENER | u64::from(n),
            Source::Signals => SIGNALS,
            Source::Jobs => JOBS,
            Source::Model(n) => MODEL | u64::from(n),
        }
    }

    /// The source that is watched by `key`.
    pub fn of(key: u64) -> Source {
        match key & (SPECIAL | KIND) {
            LISTENER => Source::Listener(key as u32),
            SIGNALS => Source::Signals,
            JOBS => Source::Jobs,
            MODEL => Source::Model(key as u32),
            _ => Source::Connection(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_sources_are_one_to_one() {
        // A connection's generation reaches into the bits that tell the other kinds apart; only the top bit decides.
        let connection = Source::Connection((2 << 32) | 7);
        for source in
            [connection, Source::Listener(0), Source::Listener(9), Source::Signals, Source::Jobs, Source::Model(3)]
        {
            assert_eq!(Source::of(source.key()), source);
            assert_ne!(source.key(), u64::MAX);
        }
    }
}
