//! A zone: counts of clients by a key, in memory that the processes of the service share (nginx: a slab with a tree and
//! a queue of nodes).
//!
//! The memory is a row of blocks of 64 bytes behind a table of chains. An entry is a block, and more of them for the
//! bytes of a long key; 16 bytes of key fit into the first. The entries are also in a queue, the one used last at its
//! front.
//!
//! A process that is killed inside leaves the zone half changed: the next one empties it. Whoever has counted something
//! before that finds another epoch.

use std::hash::BuildHasher;
use std::io;

use crate::os::{LockedWords, Words};

/// Words of a block, and bytes.
const BLOCK: usize = 8;
const BLOCK_BYTES: u64 = 64;

// The words in front of the chains. A block has the number 0 nowhere: that stands for none.
const EPOCH: usize = 0;
/// Blocks that were ever used.
const USED: usize = 1;
const FREE: usize = 2;
const NEWEST: usize = 3;
const OLDEST: usize = 4;
const HAS_TOLD: usize = 5;
const HEAD: usize = 8;

// The words of an entry's first block; a further one has LINK, and then bytes of the key.
/// The next block of the key (or the next free block), and the next entry of the chain.
const LINK: usize = 0;
/// The length of the key, and its hash.
const KEY: usize = 1;
/// The neighbours in the queue: the older and the newer entry.
const QUEUE: usize = 2;
const LAST: usize = 3;
const EXCESS: usize = 4;
const COUNT: usize = 5;
const BYTES: usize = 6;

/// Bytes of a key in the first block, and in each further one.
const FIRST_BYTES: usize = (BLOCK - BYTES) * 8;
const MORE_BYTES: usize = (BLOCK - 1) * 8;

/// Counts of clients by a key, which processes share.
#[derive(Debug)]
pub struct Zone {
    words: LockedWords,
    chains: usize,
    blocks: usize,
    /// Unknown to clients, who could otherwise put all keys into one chain.
    hasher: foldhash::quality::RandomState,
}

/// The zone while this thread alone has it.
#[derive(Debug)]
pub struct Table<'a> {
    words: Words<'a>,
    zone: &'a Zone,
}

/// An entry, while its zone is locked, and as long as it is not removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry(u32);

/// The numbers of an entry, for whoever counts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// When it was counted last, ms.
    pub last_ms: u64,
    /// The requests over the rate, in thousandths.
    pub excess: u64,
    /// How many are at it.
    pub count: u64,
}

fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

fn low(word: u64) -> u32 {
    word as u32
}

impl Zone {
    /// Makes a zone of about `bytes` bytes: for the master, before it forks.
    pub fn create(name: &str, bytes: u64) -> io::Result<Zone> {
        // Half as many chains as blocks, 4 bytes of each 68.
        let blocks = usize::try_from(bytes / (BLOCK_BYTES + 4)).ok().filter(|blocks| *blocks < u32::MAX as usize);
        let blocks = blocks.ok_or(io::ErrorKind::OutOfMemory)?.max(2);
        let chains = blocks / 2;
        let words = LockedWords::create(name, HEAD + chains + blocks * BLOCK)?;
        Ok(Zone { words, chains, blocks, hasher: foldhash::quality::RandomState::default() })
    }

    /// Waits until this thread alone has the zone.
    pub fn lock(&self) -> io::Result<Table<'_>> {
        let words = self.words.lock()?;
        let was_abandoned = words.was_abandoned;
        let mut table = Table { words, zone: self };
        if was_abandoned {
            table.clear();
        }
        Ok(table)
    }
}

impl Table<'_> {
    /// Whether the zone is as its last user left it; false: that one was killed, and the zone has been emptied.
    pub fn was_left_whole(&self) -> bool {
        !self.words.was_abandoned
    }

    /// The number of times that the zone has been emptied: an entry is that of its epoch.
    pub fn epoch(&self) -> u64 {
        self.words[EPOCH]
    }

    /// True the first time that the zone is found full.
    pub fn tells_first(&mut self) -> bool {
        std::mem::replace(&mut self.words[HAS_TOLD], 1) == 0
    }

    fn clear(&mut self) {
        let epoch = self.epoch() + 1;
        self.words[..HEAD + self.zone.chains].fill(0);
        self.words[EPOCH] = epoch;
    }

    fn word(&mut self, block: u32, at: usize) -> &mut u64 {
        &mut self.words[HEAD + self.zone.chains + block as usize * BLOCK + at]
    }

    fn get(&self, block: u32, at: usize) -> u64 {
        self.words[HEAD + self.zone.chains + block as usize * BLOCK + at]
    }

    fn hash(&self, key: &[u8]) -> u32 {
        self.zone.hasher.hash_one(key) as u32
    }

    fn chain(&self, hash: u32) -> usize {
        HEAD + hash as usize % self.zone.chains
    }

    /// The entry of a key.
    pub fn find(&self, key: &[u8]) -> Option<Entry> {
        let hash = self.hash(key);
        let mut at = low(self.words[self.chain(hash)]);
        while at != 0 {
            if self.get(at, KEY) == pair(key.len() as u32, hash) && self.has_key(at, key) {
                return Some(Entry(at));
            }
            at = low(self.get(at, LINK));
        }
        None
    }

    /// Whether the key of an entry, which is as long, is this one.
    fn has_key(&self, entry: u32, key: &[u8]) -> bool {
        let (first, rest) = key.split_at(key.len().min(FIRST_BYTES));
        let mut block = entry;
        let is_first = first.chunks(8).enumerate().all(|(i, bytes)| self.get(entry, BYTES + i) == packed(bytes));
        is_first
            && rest.chunks(MORE_BYTES).all(|part| {
                block = high(self.get(block, LINK));
                part.chunks(8).enumerate().all(|(i, bytes)| self.get(block, 1 + i) == packed(bytes))
            })
    }

    /// Makes an entry for a key that has none, and puts it at the front of the queue. `None`: the zone is full.
    pub fn insert(&mut self, key: &[u8]) -> Option<Entry> {
        let (first, rest) = key.split_at(key.len().min(FIRST_BYTES));
        let entry = self.take_block()?;
        for (i, bytes) in first.chunks(8).enumerate() {
            *self.word(entry, BYTES + i) = packed(bytes);
        }
        let mut block = entry;
        for part in rest.chunks(MORE_BYTES) {
            let Some(next) = self.take_block() else {
                self.give_blocks(entry);
                return None;
            };
            *self.word(block, LINK) = pair(next, 0);
            block = next;
            for (i, bytes) in part.chunks(8).enumerate() {
                *self.word(block, 1 + i) = packed(bytes);
            }
        }
        let hash = self.hash(key);
        let chain = self.chain(hash);
        *self.word(entry, LINK) = pair(high(self.get(entry, LINK)), low(self.words[chain]));
        self.words[chain] = entry.into();
        *self.word(entry, KEY) = pair(key.len() as u32, hash);
        self.set(Entry(entry), State::default());
        self.push(entry);
        Some(Entry(entry))
    }

    /// A block without a next one.
    fn take_block(&mut self) -> Option<u32> {
        let free = self.words[FREE] as u32;
        if free != 0 {
            self.words[FREE] = high(self.get(free, LINK)).into();
            *self.word(free, LINK) = 0;
            return Some(free);
        }
        let next = self.words[USED] + 1;
        if next >= self.zone.blocks as u64 {
            return None;
        }
        self.words[USED] = next;
        // An epoch before this one may have used it.
        *self.word(next as u32, LINK) = 0;
        Some(next as u32)
    }

    /// Frees the blocks of an entry.
    fn give_blocks(&mut self, entry: u32) {
        let mut block = entry;
        while block != 0 {
            let next = high(self.get(block, LINK));
            *self.word(block, LINK) = pair(self.words[FREE] as u32, 0);
            self.words[FREE] = block.into();
            block = next;
        }
    }

    /// Removes an entry.
    pub fn remove(&mut self, Entry(entry): Entry) {
        self.unqueue(entry);
        let chain = self.chain(low(self.get(entry, KEY)));
        let next = low(self.get(entry, LINK));
        let mut at = low(self.words[chain]);
        if at == entry {
            self.words[chain] = next.into();
        }
        while at != 0 && at != entry {
            let link = self.get(at, LINK);
            if low(link) == entry {
                *self.word(at, LINK) = pair(high(link), next);
            }
            at = low(link);
        }
        self.give_blocks(entry);
    }

    /// Puts an entry at the front of the queue.
    pub fn touch(&mut self, Entry(entry): Entry) {
        self.unqueue(entry);
        self.push(entry);
    }

    /// The entry at the end of the queue.
    pub fn oldest(&self) -> Option<Entry> {
        let oldest = self.words[OLDEST] as u32;
        (oldest != 0).then_some(Entry(oldest))
    }

    fn push(&mut self, entry: u32) {
        let before = self.words[NEWEST] as u32;
        *self.word(entry, QUEUE) = pair(before, 0);
        match before {
            0 => self.words[OLDEST] = entry.into(),
            before => *self.word(before, QUEUE) = pair(high(self.get(before, QUEUE)), entry),
        }
        self.words[NEWEST] = entry.into();
    }

    fn unqueue(&mut self, entry: u32) {
        let queue = self.get(entry, QUEUE);
        let (older, newer) = (high(queue), low(queue));
        match newer {
            0 => self.words[NEWEST] = older.into(),
            newer => *self.word(newer, QUEUE) = pair(older, low(self.get(newer, QUEUE))),
        }
        match older {
            0 => self.words[OLDEST] = newer.into(),
            older => *self.word(older, QUEUE) = pair(high(self.get(older, QUEUE)), newer),
        }
    }

    /// The numbers of an entry.
    pub fn state(&self, Entry(entry): Entry) -> State {
        State { last_ms: self.get(entry, LAST), excess: self.get(entry, EXCESS), count: self.get(entry, COUNT) }
    }

    /// Sets the numbers of an entry.
    pub fn set(&mut self, Entry(entry): Entry, state: State) {
        *self.word(entry, LAST) = state.last_ms;
        *self.word(entry, EXCESS) = state.excess;
        *self.word(entry, COUNT) = state.count;
    }
}

/// Up to eight bytes as a word.
fn packed(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::{self, Fork};
    use std::collections::VecDeque;

    fn zone(bytes: u64) -> Zone {
        Zone::create("drover-test", bytes).unwrap()
    }

    #[test]
    fn a_key_is_its_bytes_however_long() {
        let zone = zone(1 << 20);
        let mut table = zone.lock().unwrap();
        let keys: Vec<Vec<u8>> =
            [0, 1, 7, 8, 15, 16, 17, 71, 72, 73, 128, 5000, 65535].iter().map(|len| vec![b'k'; *len]).collect();
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(table.find(key), None);
            let entry = table.insert(key).unwrap();
            table.set(entry, State { last_ms: n as u64, excess: 1, count: 2 });
        }
        for (n, key) in keys.iter().enumerate() {
            let entry = table.find(key).unwrap();
            assert_eq!(table.state(entry), State { last_ms: n as u64, excess: 1, count: 2 }, "{} bytes", key.len());
            let mut other = key.clone();
            if let Some(last) = other.last_mut() {
                *last = 0;
                assert_eq!(table.find(&other), None);
            }
        }
    }

    #[test]
    fn two_keys_of_one_hash_are_two_entries() {
        // Few chains and many keys: each chain has several, and each block is used again.
        let zone = zone(4096);
        let mut table = zone.lock().unwrap();
        let mut kept = VecDeque::new();
        for n in 0..2000_u32 {
            let key = format!("{n:0width$}", width = (n % 40) as usize);
            while kept.len() > 8 {
                let old: String = kept.pop_front().unwrap();
                let entry = table.find(old.as_bytes()).unwrap();
                assert_eq!(table.oldest(), Some(entry));
                table.remove(entry);
                assert_eq!(table.find(old.as_bytes()), None);
            }
            table.insert(key.as_bytes()).unwrap();
            kept.push_back(key);
        }
        assert!(kept.iter().all(|key| table.find(key.as_bytes()).is_some()));
    }

    #[test]
    fn a_full_zone_says_so_and_has_room_again() {
        let zone = zone(32 << 10);
        let mut table = zone.lock().unwrap();
        let count = (0..1000_u32).take_while(|n| table.insert(&n.to_le_bytes()).is_some()).count();
        assert!((400..600).contains(&count), "{count}");
        assert_eq!((table.tells_first(), table.tells_first()), (true, false));
        let oldest = table.oldest().unwrap();
        assert_eq!(table.find(&0_u32.to_le_bytes()), Some(oldest));
        table.touch(oldest);
        let oldest = table.oldest().unwrap();
        assert_eq!(table.find(&1_u32.to_le_bytes()), Some(oldest));
        table.remove(oldest);
        assert!(table.insert(&[b'x'; 40]).is_none(), "it needs two blocks");
        assert!(table.insert(b"x").is_some());
        assert!(table.insert(b"y").is_none());
    }

    #[test]
    fn a_process_that_dies_inside_leaves_an_empty_zone_of_another_epoch() {
        let zone = zone(32 << 10);
        let epoch = {
            let mut table = zone.lock().unwrap();
            table.insert(b"a").unwrap();
            table.insert(&[b'b'; 100]).unwrap();
            table.epoch()
        };
        let pid = match process::fork().unwrap() {
            Fork::Child => {
                let mut table = zone.lock().unwrap();
                // Half an insertion.
                table.take_block();
                table.words[NEWEST] = 77;
                std::mem::forget(table);
                process::exit_now(0)
            }
            Fork::Parent(pid) => pid,
        };
        nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
        let mut table = zone.lock().unwrap();
        assert!(!table.was_left_whole() && table.epoch() == epoch + 1);
        assert_eq!((table.find(b"a"), table.oldest()), (None, None));
        let entry = table.insert(&[b'c'; 30]).unwrap();
        assert_eq!((table.find(&[b'c'; 30]), table.oldest()), (Some(entry), Some(entry)));
        drop(table);
        assert!(zone.lock().unwrap().was_left_whole());
    }
}
