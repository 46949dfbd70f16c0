//! The idle connections of a driver, the one that has waited longest first.

const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Link {
    /// The connection's whole key, 0 when it is not in the list.
    key: u64,
    /// When the connection may be closed for another, ms of the clock.
    from_ms: u64,
    older: u32,
    newer: u32,
}

const UNLINKED: Link = Link { key: 0, from_ms: 0, older: NONE, newer: NONE };

/// A list threaded through an array by slot index, so that a connection enters and leaves it in constant time and
/// without allocation (nginx: `reusable_connections_queue`).
#[derive(Debug)]
pub(crate) struct ReusableList {
    links: Vec<Link>,
    oldest: u32,
    newest: u32,
    len: usize,
}

fn index(key: u64) -> u32 {
    key as u32
}

impl ReusableList {
    /// An empty list, with room for the connections of `capacity` slots.
    pub(crate) fn new(capacity: usize) -> ReusableList {
        ReusableList { links: Vec::with_capacity(capacity), oldest: NONE, newest: NONE, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds `key` as the newest, to be closed for others from `from_ms` on.
    pub(crate) fn push(&mut self, key: u64, from_ms: u64) {
        self.remove(key);
        let at = index(key);
        if self.links.len() <= at as usize {
            self.links.resize(at as usize + 1, UNLINKED);
        }
        let older = self.newest;
        if let Some(link) = self.links.get_mut(at as usize) {
            *link = Link { key, from_ms, older, newer: NONE };
        }
        match self.links.get_mut(older as usize) {
            Some(link) => link.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
        self.len += 1;
    }

    /// Takes `key` out, if it is in.
    pub(crate) fn remove(&mut self, key: u64) {
        let at = index(key) as usize;
        let Some(Link { older, newer, .. }) = self.links.get(at).copied().filter(|link| link.key == key) else {
            return;
        };
        match self.links.get_mut(older as usize) {
            Some(link) => link.newer = newer,
            None => self.oldest = newer,
        }
        match self.links.get_mut(newer as usize) {
            Some(link) => link.older = older,
            None => self.newest = older,
        }
        self.links[at] = UNLINKED;
        self.len -= 1;
    }

    /// The connection that has waited longest, and from when on it may be closed.
    pub(crate) fn oldest(&self) -> Option<(u64, u64)> {
        self.links.get(self.oldest as usize).map(|link| (link.key, link.from_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(list: &mut ReusableList) -> Vec<u64> {
        std::iter::from_fn(|| {
            let (key, _) = list.oldest()?;
            list.remove(key);
            Some(key)
        })
        .collect()
    }

    #[test]
    fn the_oldest_leaves_first_wherever_others_were_taken_out() {
        for taken in 0..5_u64 {
            let mut list = ReusableList::new(0);
            (0..5).for_each(|i| list.push(1 << 32 | i, i));
            list.remove(1 << 32 | taken);
            list.remove(1 << 32 | taken);
            assert_eq!(list.len(), 4);
            let left: Vec<u64> = (0..5).filter(|&i| i != taken).map(|i| 1 << 32 | i).collect();
            assert_eq!(all(&mut list), left);
            assert_eq!(list.oldest(), None);
        }
    }

    #[test]
    fn a_key_pushed_again_becomes_the_newest_and_a_stale_key_removes_nothing() {
        let mut list = ReusableList::new(0);
        list.push(1 << 32 | 3, 0);
        list.push(1 << 32 | 1, 0);
        list.push(1 << 32 | 3, 0);
        list.remove(2 << 32 | 3);
        assert_eq!(all(&mut list), [1 << 32 | 1, 1 << 32 | 3]);
    }
}
