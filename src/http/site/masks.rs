//! Names and masks of hosts, each with a value: an exact name wins over the longest mask `*.x`, that over the longest
//! `x.*` (nginx's `ngx_hash_combined_t`, `ngx_hash.c`). All texts are in lower case.

use foldhash::HashMap;

/// The names and masks. A look-up costs one hash for the name and one for each of its dots.
#[derive(Clone, Debug)]
pub struct Masks<T> {
    exact: HashMap<Box<[u8]>, T>,
    /// `x` of `*.x`
    heads: Wildcards<T>,
    /// `x` of `x.*`
    tails: Wildcards<T>,
}

#[derive(Clone, Debug)]
struct Wildcards<T> {
    map: HashMap<Box<[u8]>, T>,
    /// Parts of a name that are longer need not be looked up: a host of many labels costs no more than a short one.
    longest: usize,
}

/// Why a name can't be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused<T> {
    /// The name is no mask of the allowed forms.
    Invalid,
    /// The name is there already, with this value, which stays.
    Duplicate(T),
}

impl<T> Wildcards<T> {
    fn get(&self, part: &[u8]) -> Option<&T> {
        if part.len() > self.longest { None } else { self.map.get(part) }
    }

    fn add(&mut self, part: &str, value: T) -> Result<(), T>
    where
        T: Clone,
    {
        self.longest = self.longest.max(part.len());
        add(&mut self.map, part, value)
    }
}

impl<T> Default for Masks<T> {
    fn default() -> Self {
        let empty = || Wildcards { map: HashMap::default(), longest: 0 };
        Self { exact: HashMap::default(), heads: empty(), tails: empty() }
    }
}

fn add<T: Clone>(map: &mut HashMap<Box<[u8]>, T>, key: &str, value: T) -> Result<(), T> {
    use std::collections::hash_map::Entry;
    match map.entry(key.as_bytes().into()) {
        Entry::Occupied(there) => Err(there.get().clone()),
        Entry::Vacant(place) => {
            place.insert(value);
            Ok(())
        }
    }
}

impl<T: Clone> Masks<T> {
    /// Adds a name, whatever its letters.
    ///
    /// # Errors
    /// The value that the name has already.
    pub fn add_exact(&mut self, name: &str, value: T) -> Result<(), T> {
        add(&mut self.exact, name, value)
    }

    /// Adds `*.part`.
    ///
    /// # Errors
    /// The value that the mask has already.
    pub fn add_head(&mut self, part: &str, value: T) -> Result<(), T> {
        self.heads.add(part, value)
    }

    /// Adds `part.*`.
    ///
    /// # Errors
    /// The value that the mask has already.
    pub fn add_tail(&mut self, part: &str, value: T) -> Result<(), T> {
        self.tails.add(part, value)
    }

    /// Adds `.part`: the name itself, and all below it; neither when either is there.
    ///
    /// # Errors
    /// The value that either has already.
    pub fn add_domain(&mut self, part: &str, value: T) -> Result<(), T> {
        let key = part.as_bytes();
        if let Some(there) = self.exact.get(key).or_else(|| self.heads.map.get(key)) {
            return Err(there.clone());
        }
        self.add_exact(part, value.clone()).and_then(|()| self.add_head(part, value))
    }

    /// Adds a name or a mask, told apart as nginx does it (`ngx_hash_add_key`).
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn add(&mut self, name: &str, value: T) -> Result<(), Refused<T>> {
        let stars = name.bytes().filter(|byte| *byte == b'*').count();
        if stars > 1 || name.contains("..") || name.contains('\0') {
            return Err(Refused::Invalid);
        }
        let is_long = name.len() > 2;
        let added = if let Some(part) = name.strip_prefix('.').filter(|part| !part.is_empty()) {
            self.add_domain(part, value)
        } else if let Some(part) = name.strip_prefix("*.").filter(|_| is_long) {
            self.add_head(part, value)
        } else if let Some(part) = name.strip_suffix(".*").filter(|_| is_long) {
            self.add_tail(part, value)
        } else if stars > 0 {
            return Err(Refused::Invalid);
        } else {
            self.add_exact(name, value)
        };
        added.map_err(Refused::Duplicate)
    }
}

impl<T> Masks<T> {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.heads.map.is_empty() && self.tails.map.is_empty()
    }

    /// The value for a name in lower case.
    pub fn find(&self, name: &[u8]) -> Option<&T> {
        self.exact.get(name).or_else(|| self.wildcard(name))
    }

    fn wildcard(&self, name: &[u8]) -> Option<&T> {
        if !self.heads.map.is_empty() {
            let found = memchr::memchr_iter(b'.', name).find_map(|dot| self.heads.get(name.get(dot + 1..)?));
            if found.is_some() {
                return found;
            }
        }
        if self.tails.map.is_empty() {
            return None;
        }
        memchr::memrchr_iter(b'.', name).find_map(|dot| self.tails.get(name.get(..dot)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_told_apart_as_nginx_does_it() {
        let mut masks = Masks::default();
        for name in ["a.b", "*.a.b", ".c.d", "www.*", "www.a.*", "", ".", "x/y", "a.", ".*"] {
            masks.add(name, name).unwrap();
        }
        for (host, expected) in [
            ("a.b", Some("a.b")),
            ("x.a.b", Some("*.a.b")),
            ("x.y.a.b", Some("*.a.b")),
            ("c.d", Some(".c.d")),
            ("x.c.d", Some(".c.d")),
            ("www.x", Some("www.*")),
            ("www.a", Some("www.*")),
            ("www.a.x", Some("www.a.*")),
            ("www.a.b", Some("*.a.b")),
            ("www", None),
            ("b", None),
            ("", Some("")),
            (".", Some(".")),
            ("x/y", Some("x/y")),
        ] {
            assert_eq!(masks.find(host.as_bytes()), expected.as_ref(), "{host}");
        }
    }

    #[test]
    fn what_is_no_mask_or_there_already_is_refused() {
        for name in ["*", "*.", "*a", "a*", "a.*.b", "*.a.*", "a..b", "**"] {
            assert_eq!(Masks::default().add(name, ()), Err(Refused::Invalid), "{name}");
        }
        for (first, second) in [("a", "a"), (".a", "a"), ("a", ".a"), (".a", "*.a"), ("*.a", ".a"), ("a.*", "a.*")] {
            let mut masks = Masks::default();
            masks.add(first, first).unwrap();
            assert_eq!(masks.add(second, second), Err(Refused::Duplicate(first)), "{first} {second}");
        }
        let mut masks = Masks::default();
        masks.add("*.a", ()).unwrap();
        assert_eq!(masks.add("a", ()), Ok(()));
        // A name that is refused leaves no half of itself, as in nginx.
        for (first, second, host) in [("*.a", ".a", "a"), ("a", ".a", "x.a")] {
            let mut masks = Masks::default();
            masks.add(first, first).unwrap();
            masks.add(second, second).unwrap_err();
            assert_eq!(masks.find(host.as_bytes()), None, "{first} {second}");
        }
    }
}
