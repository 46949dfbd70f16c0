//! A request that is counted at a key of a zone, from its beginning to its end.

use std::io;
use std::sync::Arc;

use super::zone::{Entry, State, Zone};

/// A request that is counted, until the hold is dropped. Those of a process that is killed stay counted, as in nginx.
#[derive(Debug)]
pub struct Hold {
    zone: Arc<Zone>,
    entry: Entry,
    epoch: u64,
}

/// Why one more is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoHold {
    /// There are as many as may be.
    TooMany,
    /// The zone has no room for another key; true the first time.
    Full(bool),
}

impl Hold {
    /// Counts one more at `key`, of which there may be `max`.
    pub fn take(zone: &Arc<Zone>, key: &[u8], max: u64) -> io::Result<Result<Hold, NoHold>> {
        let mut table = zone.lock()?;
        let entry = match table.find(key) {
            Some(entry) if table.state(entry).count >= max => return Ok(Err(NoHold::TooMany)),
            Some(entry) => entry,
            None => match table.insert(key) {
                Some(entry) => entry,
                None => return Ok(Err(NoHold::Full(table.tells_first()))),
            },
        };
        let count = table.state(entry).count + 1;
        table.set(entry, State { count, ..State::default() });
        let epoch = table.epoch();
        drop(table);
        Ok(Ok(Hold { zone: zone.clone(), entry, epoch }))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // The lock fails only for a mutex that is lost to all.
        let Ok(mut table) = self.zone.lock() else { return };
        if table.epoch() != self.epoch {
            return;
        }
        match table.state(self.entry).count {
            0 | 1 => table.remove(self.entry),
            count => table.set(self.entry, State { count: count - 1, ..State::default() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_may_be_are_counted_until_they_end() {
        let zone = Arc::new(Zone::create("drover-test", 32 << 10).unwrap());
        let take = |key: &[u8]| Hold::take(&zone, key, 2).unwrap();
        let (first, second) = (take(b"a").unwrap(), take(b"a").unwrap());
        assert_eq!(take(b"a").unwrap_err(), NoHold::TooMany);
        let other = take(b"b").unwrap();
        drop(first);
        let third = take(b"a").unwrap();
        assert_eq!(take(b"a").unwrap_err(), NoHold::TooMany);
        drop((second, third, other));
        let table = zone.lock().unwrap();
        assert_eq!((table.find(b"a"), table.find(b"b")), (None, None), "a key without any is forgotten");
    }

    #[test]
    fn a_full_zone_counts_no_further_key() {
        let zone = Arc::new(Zone::create("drover-test", 32 << 10).unwrap());
        let take = |n: u32| Hold::take(&zone, &n.to_le_bytes(), 2).unwrap();
        let mut holds: Vec<Hold> = (0..).map_while(|n| take(n).ok()).collect();
        assert_eq!(take(70_000).unwrap_err(), NoHold::Full(false));
        holds.push(take(0).unwrap());
        drop(holds.remove(1));
        assert!(take(70_000).is_ok());
    }
}
