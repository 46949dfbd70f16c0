//! Histograms whose bounds double: bucket `i` counts what is above the bound before it and at most `1 << i` units, the
//! last one everything above.

/// Buckets for the time from a request to its answer, in microseconds: 1 µs, 2 µs ... 33.6 s, and more.
pub const REQUEST_TIME_BUCKETS: usize = 27;
/// Buckets for the time a connection waits to be accepted, in milliseconds: 1 ms, 2 ms ... 32.8 s, and more.
pub const ACCEPT_DELAY_BUCKETS: usize = 17;

/// The bucket of `value` in a histogram of `buckets`: a subtraction and the place of the highest bit, no search.
pub fn bucket(value: u64, buckets: usize) -> usize {
    let bits = u64::BITS - value.saturating_sub(1).leading_zeros();
    (bits as usize).min(buckets - 1)
}

/// The highest value of bucket `i`, in units.
pub fn bound(i: usize) -> u64 {
    1 << i.min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        assert_eq!((bucket(0, 27), bucket(1, 27), bucket(2, 27), bucket(3, 27), bucket(4, 27)), (0, 0, 1, 2, 2));
        for i in 1..26 {
            assert_eq!((bucket(bound(i), 27), bucket(bound(i) + 1, 27)), (i, i + 1));
        }
        assert_eq!((bucket(u64::MAX, 27), bucket(u64::MAX, 17)), (26, 16));
    }

    #[test]
    fn the_buckets_reach_from_a_microsecond_to_tens_of_seconds() {
        assert_eq!(bound(REQUEST_TIME_BUCKETS - 2), 33_554_432);
        assert_eq!(bound(ACCEPT_DELAY_BUCKETS - 2), 32_768);
    }
}
