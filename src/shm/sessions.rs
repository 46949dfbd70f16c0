//! TLS sessions, in memory that all processes of the service share: a client resumes its session in whichever process
//! it comes to. Where tickets are off, the server has to remember.
//!
//! The memory is a row of buckets of a few slots; a session's id, which is random, names its bucket. A new session
//! takes a free slot of it, or that of the session that would end first.

use std::io;

use crate::os::{LockedWords, Words};

/// Slots of a bucket.
const WAYS: usize = 4;

/// Words of a slot, 1 KiB: a session has some 150 bytes, and the certificate of a client besides.
const SLOT: usize = 128;

// The words of a slot.
/// Until when the session may be resumed, seconds since 1970; 0: the slot is free.
const UNTIL: usize = 0;
/// The length of its bytes.
const LEN: usize = 1;
/// The id and the context, four words each.
const NAME: usize = 2;
const BYTES: usize = 10;

/// The longest session.
const LONGEST: usize = (SLOT - BYTES) * 8;

/// The id of a session, and the context in which alone it may be resumed.
pub type SessionName = [[u8; 32]; 2];

/// The sessions.
#[derive(Debug)]
pub struct Sessions {
    words: LockedWords,
    buckets: usize,
}

impl Sessions {
    /// Makes memory of about `bytes` bytes. To be called before the fork.
    pub fn create(bytes: u64) -> io::Result<Sessions> {
        let buckets = usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)? / (WAYS * SLOT * 8);
        let buckets = buckets.max(1);
        Ok(Sessions { words: LockedWords::create("drover-sessions", buckets * WAYS * SLOT)?, buckets })
    }

    fn lock(&self) -> io::Result<Words<'_>> {
        let mut words = self.words.lock()?;
        if words.was_abandoned {
            // A process was killed inside, and may have left half a session.
            words.fill(0);
        }
        Ok(words)
    }

    /// The slots that may have the session, by their first words.
    fn slots(&self, name: &SessionName) -> impl Iterator<Item = usize> + use<> {
        let bucket = packed(&name[0])[0] as usize % self.buckets;
        (0..WAYS).map(move |way| (bucket * WAYS + way) * SLOT)
    }

    /// Keeps a session. False: it is too long, or the memory can't be had.
    pub fn put(&self, name: &SessionName, session: &[u8], until: u64) -> bool {
        let Ok(mut words) = self.lock() else { return false };
        if session.len() > LONGEST {
            return false;
        }
        let same = self.slots(name).find(|slot| is_named(&words, *slot, name));
        let oldest = || self.slots(name).min_by_key(|slot| words[slot + UNTIL]);
        let Some(slot) = same.or_else(oldest) else { return false };
        let all = name.iter().flat_map(packed);
        for (word, value) in words[slot + NAME..slot + BYTES].iter_mut().zip(all) {
            *word = value;
        }
        for (word, bytes) in words[slot + BYTES..slot + SLOT].iter_mut().zip(session.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_ne_bytes(whole);
        }
        (words[slot + UNTIL], words[slot + LEN]) = (until, session.len() as u64);
        true
    }

    /// A session that may be resumed at `now`; `takes`: it is gone afterwards.
    pub fn get(&self, name: &SessionName, now: u64, takes: bool) -> Option<Vec<u8>> {
        let mut words = self.lock().ok()?;
        let slot = self.slots(name).find(|slot| words[slot + UNTIL] >= now && is_named(&words, *slot, name))?;
        let len = usize::try_from(words[slot + LEN]).ok().filter(|len| *len <= LONGEST)?;
        let bytes = words[slot + BYTES..slot + SLOT].iter().flat_map(|word| word.to_ne_bytes());
        let session = bytes.take(len).collect();
        if takes {
            words[slot..slot + SLOT].fill(0);
        }
        Some(session)
    }
}

fn packed(bytes: &[u8; 32]) -> [u64; 4] {
    let (eights, _) = bytes.as_chunks::<8>();
    let mut words = [0; 4];
    words.iter_mut().zip(eights).for_each(|(word, eight)| *word = u64::from_ne_bytes(*eight));
    words
}

fn is_named(words: &Words, slot: usize, name: &SessionName) -> bool {
    let all = name.iter().flat_map(packed);
    words[slot + UNTIL] != 0 && words[slot + NAME..slot + BYTES].iter().copied().eq(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: u8) -> SessionName {
        [[n; 32], [9; 32]]
    }

    #[test]
    fn a_session_is_there_until_it_is_taken_or_ends() {
        let sessions = Sessions::create(32 << 10).unwrap();
        assert_eq!(sessions.get(&name(1), 0, false), None);
        for len in [0, 1, 8, 9, 300, LONGEST] {
            let session = vec![len as u8; len];
            assert!(sessions.put(&name(1), &session, 100));
            assert_eq!(sessions.get(&name(1), 100, false), Some(session.clone()));
            assert_eq!(sessions.get(&name(1), 101, false), None);
            assert_eq!(sessions.get(&[[1; 32], [8; 32]], 100, true), None, "another context");
            assert_eq!(sessions.get(&name(1), 100, true), Some(session));
            assert_eq!(sessions.get(&name(1), 100, true), None);
        }
        assert!(!sessions.put(&name(1), &[0; LONGEST + 1], 100));
    }

    #[test]
    fn a_full_bucket_loses_the_session_that_ends_first() {
        let sessions = Sessions::create(1).unwrap();
        for n in 1..=5 {
            assert!(sessions.put(&name(n), &[n], 100 + u64::from(n)));
        }
        assert_eq!(sessions.get(&name(1), 0, false), None);
        assert!((2..=5).all(|n| sessions.get(&name(n), 0, false) == Some(vec![n])));
    }
}
