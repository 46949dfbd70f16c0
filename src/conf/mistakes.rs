//! The errors of a conf, gathered: those of its statements, and those of statements that do not fit together.

use super::{Error, Sources};

/// The errors so far, and what they may hide.
#[derive(Debug, Default)]
pub struct Mistakes {
    errors: Vec<Error>,
    /// How many of them the reading has found, in its order.
    read: usize,
    /// Texts that were not understood: a name that stands in them is not missing.
    lost: Vec<String>,
    /// A file could not be read: any name may stand in it.
    has_lost_file: bool,
}

impl Mistakes {
    /// Adds an error, unless the same has been said about the same place.
    pub fn add(&mut self, error: Error) {
        let is_known = |known: &Error| known.span() == error.span() && known.message() == error.message();
        // Only neighbours can be alike: a server is looked at once for each of its addresses.
        if !self.errors.iter().rev().take(NEIGHBOURS).any(is_known) {
            self.errors.push(error);
        }
    }

    /// Adds an error, unless something has been said about the same place.
    pub fn add_first(&mut self, error: Error) {
        if self.errors.iter().all(|known| known.span() != error.span()) {
            self.errors.push(error);
        }
    }

    /// The value, or nothing where it is an error, which is kept.
    pub fn keep<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// Adds the errors of others, each as by [`Mistakes::add`].
    pub fn append(&mut self, others: Mistakes) {
        others.errors.into_iter().for_each(|error| self.add(error));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Says that all statements have been read: what is added from here on finds its place among their errors.
    pub(super) fn end_reading(&mut self) {
        self.read = self.errors.len();
    }

    /// Notes a text that was not understood.
    pub fn lose(&mut self, text: impl Into<String>) {
        self.lost.push(text.into());
    }

    /// Notes that a file of the conf could not be read.
    pub fn lose_file(&mut self) {
        self.has_lost_file = true;
    }

    /// All errors but the consequences of others, in the order of the conf.
    pub(super) fn into_errors(mut self, sources: &Sources) -> Vec<Error> {
        let mut placed = Vec::new();
        let mut last = Vec::new();
        for (n, error) in std::mem::take(&mut self.errors).into_iter().enumerate() {
            let order = sources.order(error.span());
            // A file that is included twice has one place, and a reader comes by twice.
            let order = if n < self.read { last.max(order) } else { order };
            last = order.clone();
            if !self.hides(&error) {
                placed.push((order, error));
            }
        }
        placed.sort_by(|(one, _), (other, _)| one.cmp(other));
        placed.into_iter().map(|(_, error)| error).collect()
    }

    /// Whether the name that the error misses may stand where the conf was not understood.
    fn hides(&self, error: &Error) -> bool {
        let Some(name) = error.missing_name() else { return false };
        self.has_lost_file || self.lost.iter().any(|text| has_word(text, name))
    }
}

/// How many errors back a repetition is looked for.
const NEIGHBOURS: usize = 64;

/// Whether the name stands in the text, not as a part of a longer one. Names of variables have no case.
fn has_word(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let is_whole = |(at, _): (usize, &str)| {
        let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
        !is_part(before) && !is_part(text.as_bytes().get(at + name.len()))
    };
    text.match_indices(&name).any(is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_a_word_alone() {
        assert!(has_word("map $uri $Kind {", "kind"));
        assert!(has_word("zone=one:10m", "one") && has_word("(?<year>x", "year"));
        assert!(!has_word("map $uri $kinds {", "kind") && !has_word("$a_kind", "kind") && !has_word("", "kind"));
        assert!(has_word("kinds $kind", "kind"));
    }
}
