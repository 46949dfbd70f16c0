//! The texts that the regexes of a conf have captured for an exchange: the groups of the last regex that matched, and
//! the named groups of all.

use super::regex::{Captures, Regex};

/// Reused: [`Captured::clear`] keeps the memory.
#[derive(Debug, Default)]
pub struct Captured {
    pub groups: Captures,
    named: Vec<(Box<str>, Vec<u8>)>,
}

impl Captured {
    pub fn clear(&mut self) {
        self.groups.clear();
        self.named.clear();
    }

    /// Takes over the named groups of the regex that has just matched.
    pub fn keep_names(&mut self, regex: Option<&Regex>) {
        let Some(regex) = regex else { return };
        for (name, group) in regex.names() {
            let value = self.groups.get(group).unwrap_or_default().to_vec();
            match self.named.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, old)) => *old = value,
                None => self.named.push((name.into(), value)),
            }
        }
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
