//! The counters of the ledger. Each has one writer, so counting is a load and a store, without a locked instruction.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::os::shareable;

shareable! {
    /// A number with one writer.
    #[derive(Debug)]
    pub struct Counter {
        value: AtomicU64,
    }
}

impl Counter {
    /// Adds `n`, modulo 2^64. For the one writer.
    pub fn add(&self, n: u64) {
        self.value.store(self.value.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Subtracts `n`, modulo 2^64. For the one writer.
    pub fn sub(&self, n: u64) {
        self.value.store(self.value.load(Ordering::Relaxed).wrapping_sub(n), Ordering::Relaxed);
    }

    /// Sets the number. For the one writer.
    pub fn set(&self, n: u64) {
        self.value.store(n, Ordering::Relaxed);
    }

    /// The present number.
    pub fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

/// A counter or an array of counters, and the plain numbers of a copy.
pub trait Numbers {
    /// A number, or an array of as many.
    type Plain;
    /// Adds the counters to `plain`.
    fn add_to(&self, plain: &mut Self::Plain);
    /// Adds `plain` to the counters.
    fn take_in(&self, plain: &Self::Plain);
    /// Sets the counters to zero.
    fn clear(&self);
    /// The numbers of a copy.
    fn numbers(plain: &Self::Plain) -> &[u64];
}

impl Numbers for Counter {
    type Plain = u64;

    fn add_to(&self, plain: &mut u64) {
        *plain = plain.wrapping_add(self.get());
    }

    fn take_in(&self, plain: &u64) {
        self.add(*plain);
    }

    fn clear(&self) {
        self.set(0);
    }

    fn numbers(plain: &u64) -> &[u64] {
        std::slice::from_ref(plain)
    }
}

impl<const N: usize> Numbers for [Counter; N] {
    type Plain = [u64; N];

    fn add_to(&self, plain: &mut [u64; N]) {
        self.iter().zip(plain).for_each(|(counter, n)| counter.add_to(n));
    }

    fn take_in(&self, plain: &[u64; N]) {
        self.iter().zip(plain).for_each(|(counter, n)| counter.take_in(n));
    }

    fn clear(&self) {
        self.iter().for_each(Numbers::clear);
    }

    fn numbers(plain: &[u64; N]) -> &[u64] {
        plain
    }
}
