//! The values that an exchange has for variables of the conf: computed once, or set.

use std::cell::{Cell, RefCell};
use std::ops::Range;

/// Variables whose values are made of each other, at most (nginx's `ngx_http_variable_depth`).
const DEEPEST: u8 = 100;

/// The values, by the numbers of their variables. Reused: [`Values::clear`] keeps the memory.
///
/// In cells: a value is computed while a text is filled in, for which the exchange does not change otherwise.
#[derive(Debug, Default)]
pub(crate) struct Values {
    places: RefCell<Vec<Option<Range<usize>>>>,
    text: RefCell<Vec<u8>>,
    depth: Cell<u8>,
    /// The limit was met: nothing more is computed until all that waits has ended, which is then soon, however often a
    /// text names the variable.
    is_stuck: Cell<bool>,
    /// `$realpath_root` was asked for and has no value, which is looked up and logged once.
    pub(super) has_no_realpath: Cell<bool>,
}

/// Counts a value that is being computed, as long as it lives.
#[derive(Debug)]
pub(super) struct Deeper<'v>(&'v Values);

/// Too many values wait for each other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cycle {
    /// The first time, which is worth a line in the log.
    pub(super) is_new: bool,
}

impl Drop for Deeper<'_> {
    fn drop(&mut self) {
        let depth = self.0.depth.get().saturating_sub(1);
        self.0.depth.set(depth);
        self.0.is_stuck.set(self.0.is_stuck.get() && depth > 0);
    }
}

impl Values {
    pub(super) fn clear(&mut self) {
        self.places.get_mut().clear();
        self.text.get_mut().clear();
        self.has_no_realpath.set(false);
    }

    /// Appends the value of a variable. `false`: there is none yet.
    pub(in crate::http) fn get(&self, number: usize, out: &mut Vec<u8>) -> bool {
        let places = self.places.borrow();
        let Some(Some(place)) = places.get(number) else { return false };
        out.extend_from_slice(self.text.borrow().get(place.clone()).unwrap_or_default());
        true
    }

    /// Keeps a value for the rest of the exchange.
    pub(in crate::http) fn set(&self, number: usize, value: &[u8]) {
        let (mut places, mut text) = (self.places.borrow_mut(), self.text.borrow_mut());
        let start = text.len();
        text.extend_from_slice(value);
        if places.len() <= number {
            places.resize(number + 1, None);
        }
        places[number] = Some(start..text.len());
    }

    /// Begins to compute a value.
    pub(super) fn deeper(&self) -> Result<Deeper<'_>, Cycle> {
        let depth = self.depth.get();
        if depth >= DEEPEST || self.is_stuck.get() {
            return Err(Cycle { is_new: !self.is_stuck.replace(true) });
        }
        self.depth.set(depth + 1);
        Ok(Deeper(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_until_it_is_set_anew() {
        let mut values = Values::default();
        let get = |values: &Values, number| {
            let mut out = Vec::new();
            values.get(number, &mut out).then_some(out)
        };
        assert_eq!(get(&values, 3), None);
        values.set(3, b"x");
        values.set(1, b"");
        assert_eq!([0, 1, 3, 4].map(|n| get(&values, n)), [None, Some(vec![]), Some(b"x".to_vec()), None]);
        values.set(3, b"longer");
        assert_eq!(get(&values, 3).as_deref(), Some(&b"longer"[..]));
        values.clear();
        assert_eq!(get(&values, 3), None);
    }

    #[test]
    fn a_cycle_ends() {
        let values = Values::default();
        let mut open = Vec::new();
        open.extend((0..DEEPEST).map(|_| values.deeper().unwrap()));
        assert_eq!(values.deeper().unwrap_err(), Cycle { is_new: true });
        drop(open.pop());
        assert_eq!(values.deeper().unwrap_err(), Cycle { is_new: false });
        drop(open);
        assert!(values.deeper().is_ok());
    }
}
