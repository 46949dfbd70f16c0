//! Connection slots: a fixed number, taken and given back without allocation, named by keys that go stale.

/// Generations are 31 bits wide, so that the top bit of a key stays clear (see `Source`).
const LAST_GENERATION: u32 = u32::MAX >> 1;
const NONE: u32 = u32::MAX;

/// A pool of at most `capacity` values. A key is `generation << 32 | index`: after a slot is given back, the keys that
/// named its old value match nothing, so that an event which epoll reported for a closed connection can't reach the one
/// that took its place (nginx: the `instance` bit).
#[derive(Debug)]
pub struct Slots<T> {
    slots: Vec<Slot<T>>,
    /// Head of the list of free slots: the slot freed last, whose memory is still in the cache, is taken first.
    first_free: u32,
    live: usize,
    capacity: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    next_free: u32,
    value: Option<T>,
}

impl<T> Slots<T> {
    /// Room for `capacity` values; memory is reserved at once and touched when first used.
    pub fn new(capacity: usize) -> Slots<T> {
        let capacity = capacity.min(NONE as usize);
        Slots { slots: Vec::with_capacity(capacity), first_free: NONE, live: 0, capacity }
    }

    /// Puts a value into a free slot and returns its key, never 0. Errors: all slots are taken; the value comes back.
    pub fn insert(&mut self, value: T) -> Result<u64, T> {
        let index = match self.slots.get(self.first_free as usize) {
            Some(free) => std::mem::replace(&mut self.first_free, free.next_free),
            None if self.slots.len() < self.capacity => {
                self.slots.push(Slot { generation: 1, next_free: NONE, value: None });
                (self.slots.len() - 1) as u32
            }
            None => return Err(value),
        };
        match self.slots.get_mut(index as usize) {
            Some(slot) => {
                slot.value = Some(value);
                self.live += 1;
                Ok(u64::from(slot.generation) << 32 | u64::from(index))
            }
            None => Err(value),
        }
    }

    /// The value that `key` names; `None` when it is gone.
    pub fn get(&self, key: u64) -> Option<&T> {
        let slot = self.slots.get(key as u32 as usize)?;
        if u64::from(slot.generation) == key >> 32 { slot.value.as_ref() } else { None }
    }

    /// The value that `key` names, to be changed; `None` when it is gone.
    pub fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        let slot = self.slots.get_mut(key as u32 as usize)?;
        if u64::from(slot.generation) == key >> 32 { slot.value.as_mut() } else { None }
    }

    /// Takes the value out and gives its slot back.
    pub fn remove(&mut self, key: u64) -> Option<T> {
        let index = key as u32;
        let slot = self.slots.get_mut(index as usize)?;
        if u64::from(slot.generation) != key >> 32 {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = if slot.generation == LAST_GENERATION { 1 } else { slot.generation + 1 };
        slot.next_free = std::mem::replace(&mut self.first_free, index);
        self.live -= 1;
        Some(value)
    }

    /// The keys of all values, in no particular order.
    pub fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        let taken = |(index, slot): (usize, &Slot<T>)| {
            slot.value.as_ref().map(|_| u64::from(slot.generation) << 32 | index as u64)
        };
        self.slots.iter().enumerate().filter_map(taken)
    }

    /// Slots in use.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether no slot is in use.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Slots that may still be taken.
    pub fn free(&self) -> usize {
        self.capacity - self.live
    }

    /// Slots in all.
    pub fn capacity(&self) -> usize {
        self.capacity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stale_key_matches_nothing() {
        let mut slots = Slots::new(1);
        let first = slots.insert("first").unwrap();
        assert_eq!(slots.remove(first), Some("first"));
        let second = slots.insert("second").unwrap();
        assert_eq!(first as u32, second as u32, "the slot is reused");
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&"second"));
        assert_eq!(slots.get(0), None);
    }

    #[test]
    fn a_full_pool_gives_the_value_back() {
        let mut slots = Slots::new(2);
        let (a, _b) = (slots.insert('a').unwrap(), slots.insert('b').unwrap());
        assert_eq!((slots.insert('c'), slots.free(), slots.len()), (Err('c'), 0, 2));
        slots.remove(a);
        assert_eq!((slots.free(), slots.capacity()), (1, 2));
        assert!(slots.insert('c').is_ok());
    }

    #[test]
    fn generations_wrap_without_touching_the_top_bit() {
        let mut slots = Slots::new(1);
        let key = slots.insert(()).unwrap();
        slots.slots[0].generation = LAST_GENERATION;
        let last = u64::from(LAST_GENERATION) << 32;
        assert_eq!((slots.remove(key), last >> 63), (None, 0));
        slots.remove(last);
        assert_eq!(slots.insert(()).unwrap() >> 32, 1);
    }

    proptest! {
        /// The slots behave as a map that never reuses keys.
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..200)) {
            let (mut slots, mut model, mut all) = (Slots::new(8), std::collections::HashMap::new(), vec![]);
            for (n, (insert, which)) in steps.into_iter().enumerate() {
                if insert || all.is_empty() {
                    match slots.insert(n) {
                        Ok(key) => {
                            prop_assert!(model.insert(key, n).is_none());
                            all.push(key);
                        }
                        Err(_) => prop_assert_eq!(model.len(), 8),
                    }
                } else {
                    let key = all[which.index(all.len())];
                    prop_assert_eq!(slots.remove(key), model.remove(&key));
                }
                prop_assert_eq!(slots.len(), model.len());
                for key in &all {
                    prop_assert_eq!(slots.get(*key), model.get(key));
                }
                let mut keys: Vec<_> = slots.keys().collect();
                keys.sort_unstable();
                let mut expected: Vec<_> = model.keys().copied().collect();
                expected.sort_unstable();
                prop_assert_eq!(keys, expected);
            }
        }
    }
}
