//! The texts that the regexes of a conf have captured for an exchange: the groups of the last regex that matched, and
//! the named groups of all. A variable that `set` has given a value is kept with these.

use super::regex::{Captures, MatchError, Regex};
use std::cell::RefCell;

/// Reused: [`Captured::clear`] keeps the memory.
#[derive(Debug, Default)]
pub struct Captured {
    /// The groups of the last regex that matched: `$1` to `$9`.
    pub groups: Captures,
    named: Vec<(Box<str>, Vec<u8>)>,
    /// Variables that were used before a `set` gave them a value.
    missed: RefCell<Vec<Box<str>>>,
}

impl Captured {
    /// Forgets all groups, so that the next exchange can reuse the memory.
    pub fn clear(&mut self) {
        self.groups.clear();
        self.named.clear();
        self.missed.get_mut().clear();
    }

    /// Matches a regex of a script: its groups, or none, take the place of those before.
    ///
    /// # Errors
    /// From a regex whose match fails.
    pub fn find(&mut self, regex: &Regex, text: &[u8]) -> Result<bool, MatchError> {
        let matches = regex.captures(text, &mut self.groups)?;
        if matches {
            self.keep_names(Some(regex));
        } else {
            self.groups.clear();
        }
        Ok(matches)
    }

    /// Takes over the named groups of the regex that has just matched.
    pub fn keep_names(&mut self, regex: Option<&Regex>) {
        let Some(regex) = regex else { return };
        for (name, group) in regex.names() {
            let value = self.groups.get(group).unwrap_or_default().to_vec();
            put(&mut self.named, name, value);
        }
    }

    /// Gives a variable a value, as `set` does: named groups and the variables of the conf are one.
    pub fn set(&mut self, name: &str, value: Vec<u8>) {
        put(&mut self.named, name, value);
    }

    /// Notes that a variable was used without a value. Returns whether that is the first time.
    pub fn miss(&self, name: &str) -> bool {
        let mut missed = self.missed.borrow_mut();
        let is_first = missed.iter().all(|known| **known != *name);
        if is_first {
            missed.push(name.into());
        }
        is_first
    }

    /// The text of a numbered group.
    pub fn get(&self, group: usize) -> Option<&[u8]> {
        self.groups.get(group)
    }

    /// The text of a named group.
    pub fn name(&self, name: &str) -> Option<&[u8]> {
        self.named.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }
}

fn put(named: &mut Vec<(Box<str>, Vec<u8>)>, name: &str, value: Vec<u8>) {
    match named.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some((_, old)) => *old = value,
        None => named.push((name.into(), value)),
    }
}
