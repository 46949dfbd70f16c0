//! Which server and which location a request belongs to: the matching alone, for any value kept with a name or pattern.

use super::masks::Masks;
use super::regex::{Captures, MatchError, Regex};
use foldhash::HashMap;

/// The entry that matched.
#[derive(Debug)]
pub struct Found<'a, T> {
    /// The value that was kept with the name or pattern.
    pub value: &'a T,
    /// The pattern, if it was one; then the captures given to `find` hold its groups, otherwise they are untouched.
    pub regex: Option<&'a Regex>,
}

// Not derived: that would ask for `T: Clone`.
impl<T> Clone for Found<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Found<'_, T> {}

/// Why a name can't be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddError<T> {
    /// Not a name nor a wildcard of the allowed forms.
    Invalid,
    /// Already there, with this value, which stays.
    Duplicate(T),
    /// The pattern is wrong.
    Regex(String),
}

/// The server names of one listening address (ngx_http_server_names): names and masks, then the first pattern that
/// matches.
#[derive(Clone, Debug)]
pub struct ServerNames<T> {
    masks: Masks<T>,
    regexes: Vec<(Regex, T)>,
}

impl<T> Default for ServerNames<T> {
    fn default() -> Self {
        Self { masks: Masks::default(), regexes: Vec::new() }
    }
}

impl<T: Clone> ServerNames<T> {
    /// Adds a name as written in server_name: `x`, `*.x`, `.x`, `x.*`, `~pattern` or the empty name.
    ///
    /// # Errors
    /// See [`AddError`]. nginx only warns about duplicates.
    pub fn add(&mut self, name: &str, value: T) -> Result<(), AddError<T>> {
        if let Some(pattern) = name.strip_prefix('~') {
            // Hosts come in lower case, so that a pattern with capitals could not match otherwise.
            let ignore_case = pattern.bytes().any(|b| b.is_ascii_uppercase());
            let regex = Regex::new(pattern, ignore_case).map_err(AddError::Regex)?;
            self.regexes.push((regex, value));
            return Ok(());
        }
        let lower = name.to_ascii_lowercase();
        let plain = |part: &str| !part.is_empty() && !part.contains(['*', '\0', '/']) && !part.contains("..");
        let masks = &mut self.masks;
        let added = if lower.is_empty() {
            masks.add_exact("", value)
        } else if let Some(part) = lower.strip_prefix("*.").filter(|part| plain(part)) {
            masks.add_head(part, value)
        } else if let Some(part) = lower.strip_suffix(".*").filter(|part| plain(part)) {
            masks.add_tail(part, value)
        } else if let Some(part) = lower.strip_prefix('.').filter(|part| plain(part)) {
            masks.add_domain(part, value)
        } else if plain(&lower) && !lower.starts_with('.') {
            masks.add_exact(lower.strip_suffix('.').unwrap_or(&lower), value)
        } else {
            return Err(AddError::Invalid);
        };
        added.map_err(AddError::Duplicate)
    }
}

impl<T> ServerNames<T> {
    /// Whether there is any name.
    pub fn is_empty(&self) -> bool {
        self.masks.is_empty() && self.regexes.is_empty()
    }

    /// The value for a host: in lower case, without port and trailing dot; empty if the request names none.
    ///
    /// # Errors
    /// From a pattern whose match fails.
    pub fn find(&self, host: &[u8], captures: &mut Captures) -> Result<Option<Found<'_, T>>, MatchError> {
        if let Some(value) = self.masks.find(host) {
            return Ok(Some(Found { value, regex: None }));
        }
        if host.is_empty() {
            return Ok(None);
        }
        first_match(&self.regexes, host, captures)
    }
}

fn first_match<'a, T>(
    regexes: &'a [(Regex, T)],
    text: &[u8],
    captures: &mut Captures,
) -> Result<Option<Found<'a, T>>, MatchError> {
    for (regex, value) in regexes {
        if regex.captures(text, captures)? {
            return Ok(Some(Found { value, regex: Some(regex) }));
        }
    }
    Ok(None)
}

/// How a location is written.
#[derive(Clone, Debug)]
pub enum Rule {
    /// `= /path`
    Exact(Vec<u8>),
    /// `/path`; with `no_regex`: `^~ /path`
    Prefix {
        /// The bytes that a uri must begin with.
        path: Vec<u8>,
        /// Whether the regexes are not tried when this prefix is the longest that fits.
        no_regex: bool,
    },
    /// `~ pattern` or `~* pattern`
    Regex(Regex),
    /// `@name`, without the `@`
    Named(String),
}

/// The locations of one level, a server's or those nested in a location.
#[derive(Clone, Debug)]
pub struct Locations<T> {
    exact: HashMap<Box<[u8]>, T>,
    /// Sorted by path.
    prefixes: Vec<Prefix<T>>,
    regexes: Vec<(Regex, Nested<T>)>,
    named: HashMap<Box<[u8]>, T>,
}

#[derive(Clone, Debug)]
struct Prefix<T> {
    path: Box<[u8]>,
    no_regex: bool,
    nested: Nested<T>,
    /// Index of the longest other prefix that is a prefix of this one.
    parent: Option<usize>,
}

#[derive(Clone, Debug)]
struct Nested<T> {
    value: T,
    inner: Locations<T>,
}

impl<T> Default for Locations<T> {
    fn default() -> Self {
        Self { exact: HashMap::default(), prefixes: Vec::new(), regexes: Vec::new(), named: HashMap::default() }
    }
}

impl<T> Locations<T> {
    /// Adds a location and those nested in it. Patterns are tried in the order they are added.
    ///
    /// # Errors
    /// The value of the location that is there already: as nginx has it, a path may be there once as exact and once as
    /// prefix.
    pub fn add(&mut self, rule: Rule, value: T, inner: Locations<T>) -> Result<(), T>
    where
        T: Clone,
    {
        use std::collections::hash_map::Entry;
        let (map, key) = match rule {
            Rule::Regex(regex) => {
                self.regexes.push((regex, Nested { value, inner }));
                return Ok(());
            }
            Rule::Prefix { path, no_regex } => return self.add_prefix(path.into(), no_regex, Nested { value, inner }),
            Rule::Exact(path) => (&mut self.exact, path),
            Rule::Named(name) => (&mut self.named, name.into_bytes()),
        };
        match map.entry(key.into()) {
            Entry::Occupied(there) => Err(there.get().clone()),
            Entry::Vacant(vacant) => {
                vacant.insert(value);
                Ok(())
            }
        }
    }

    fn add_prefix(&mut self, path: Box<[u8]>, no_regex: bool, nested: Nested<T>) -> Result<(), T>
    where
        T: Clone,
    {
        match self.prefixes.binary_search_by(|prefix| prefix.path.cmp(&path)) {
            Ok(at) => return Err(self.prefixes[at].nested.value.clone()),
            Err(at) => self.prefixes.insert(at, Prefix { path, no_regex, nested, parent: None }),
        }
        // In sorted order the prefixes of a path come before it, the longest last.
        let mut open: Vec<usize> = Vec::new();
        for at in 0..self.prefixes.len() {
            let path = &self.prefixes[at].path;
            while open.last().is_some_and(|&last| !path.starts_with(&self.prefixes[last].path)) {
                open.pop();
            }
            self.prefixes[at].parent = open.last().copied();
            open.push(at);
        }
        Ok(())
    }

    /// The location for a normalised path (ngx_http_core_find_location): an exact one ends the search; the longest
    /// prefix is kept and searched inside; then, unless that found an exact one or a pattern, or the prefix says `^~`,
    /// the first pattern that matches wins, and is searched inside too.
    ///
    /// # Errors
    /// From a pattern whose match fails.
    pub fn find(&self, path: &[u8], captures: &mut Captures) -> Result<Option<Found<'_, T>>, MatchError> {
        Ok(self.search(path, captures)?.map(|(found, _)| found))
    }

    /// The location that was found, and whether it is final: exact, or by a pattern (NGX_OK in nginx).
    fn search(&self, path: &[u8], captures: &mut Captures) -> Result<Option<(Found<'_, T>, bool)>, MatchError> {
        if let Some(value) = self.exact.get(path) {
            return Ok(Some((Found { value, regex: None }, true)));
        }
        let mut best = None;
        if let Some(prefix) = self.longest_prefix(path) {
            let found = prefix.nested.search(path, captures, None)?;
            if found.1 || prefix.no_regex {
                return Ok(Some(found));
            }
            best = Some(found);
        }
        for (regex, nested) in &self.regexes {
            if regex.captures(path, captures)? {
                let (found, _) = nested.search(path, captures, Some(regex))?;
                return Ok(Some((found, true)));
            }
        }
        Ok(best)
    }

    fn longest_prefix(&self, path: &[u8]) -> Option<&Prefix<T>> {
        // Any prefix of the path is the entry sorted just before it, or one of that entry's own prefixes.
        let mut at = self.prefixes.partition_point(|prefix| *prefix.path <= *path).checked_sub(1)?;
        loop {
            let prefix = self.prefixes.get(at)?;
            if path.starts_with(&prefix.path) {
                return Some(prefix);
            }
            at = prefix.parent?;
        }
    }

    /// The names of the named locations.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.keys().filter_map(|name| std::str::from_utf8(name).ok())
    }

    /// Whether a location stands for all that begins with `path`.
    pub fn has_prefix(&self, path: &[u8]) -> bool {
        self.prefixes.iter().any(|prefix| *prefix.path == *path)
    }

    /// A named location.
    pub fn named(&self, name: &str) -> Option<&T> {
        self.named.get(name.as_bytes())
    }
}

impl<T> Nested<T> {
    /// The location that the path finds inside, else this one itself; `regex`: the pattern that led here.
    fn search<'a>(
        &'a self,
        path: &[u8],
        captures: &mut Captures,
        regex: Option<&'a Regex>,
    ) -> Result<(Found<'a, T>, bool), MatchError> {
        let found = self.inner.search(path, captures)?;
        Ok(match found {
            Some((inner, is_final)) => (Found { regex: inner.regex.or(regex), ..inner }, is_final),
            None => (Found { value: &self.value, regex }, false),
        })
    }
}

#[cfg(test)]
mod tests;
