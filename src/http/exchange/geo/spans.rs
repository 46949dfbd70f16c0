//! Addresses with values, for look-ups by halving.

/// The first addresses of spans, in order, each with the value up to the next; `None`: no value.
#[derive(Debug, Default)]
pub(super) struct Spans(Vec<(u128, Option<usize>)>);

impl Spans {
    /// The spans of nets or ranges, each its ends and its value: two have no address in common, or one holds the other,
    /// and then the smaller counts.
    pub(super) fn new(mut nets: Vec<(u128, u128, usize)>) -> Spans {
        nets.sort_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
        let mut spans = Spans::default();
        let mut open: Vec<(u128, usize)> = Vec::new();
        for (start, end, value) in nets {
            spans.close(&mut open, |last| last < start);
            spans.push(start, Some(value));
            open.push((end, value));
        }
        spans.close(&mut open, |_| true);
        spans
    }

    /// Ends the open nets for whose last address `ends` holds.
    fn close(&mut self, open: &mut Vec<(u128, usize)>, ends: impl Fn(u128) -> bool) {
        while let Some((end, _)) = open.pop_if(|(end, _)| ends(*end)) {
            if let Some(next) = end.checked_add(1) {
                self.push(next, open.last().map(|(_, value)| *value));
            }
        }
    }

    fn push(&mut self, start: u128, value: Option<usize>) {
        match self.0.last_mut() {
            Some(last) if last.0 == start => last.1 = value,
            _ => self.0.push((start, value)),
        }
    }

    /// The value for an address.
    pub(super) fn find(&self, address: u128) -> Option<usize> {
        let at = self.0.partition_point(|(start, _)| *start <= address).checked_sub(1)?;
        self.0.get(at)?.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_net_counts() {
        let nets = vec![(0, 15, 0), (4, 7, 1), (4, 4, 2), (7, 7, 3), (8, 8, 4), (20, 20, 5), (u128::MAX, u128::MAX, 6)];
        let spans = Spans::new(nets.clone());
        for address in 0..30 {
            let smallest = nets.iter().filter(|(start, end, _)| (*start..=*end).contains(&address));
            let smallest = smallest.min_by_key(|(start, end, _)| end - start).map(|(_, _, value)| *value);
            assert_eq!(spans.find(address), smallest, "{address}");
        }
        assert_eq!(spans.find(u128::MAX), Some(6));
        assert_eq!(Spans::new(vec![(0, u128::MAX, 1)]).find(u128::MAX), Some(1));
    }
}
