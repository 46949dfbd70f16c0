//! Content types by file extension (the directives types and default_type).

use foldhash::HashMap;

/// The longest extension the table takes, in bytes; far above any in use.
pub const MAX_EXTENSION: usize = 64;

/// Extension to value; the value is whatever the caller keeps for a type.
#[derive(Clone, Debug)]
pub struct Types<T> {
    /// By the keys of extensions, a number each: cheaper to find than texts.
    short: HashMap<u64, T>,
    /// The extensions that are too long for a key.
    long: HashMap<Box<[u8]>, T>,
}

impl<T> Default for Types<T> {
    fn default() -> Self {
        Self { short: HashMap::default(), long: HashMap::default() }
    }
}

impl<T> Types<T> {
    /// Adds an extension, in any case; returns the value it had before (nginx warns about that).
    ///
    /// # Errors
    /// The value is handed back when the extension is longer than [`MAX_EXTENSION`].
    pub fn insert(&mut self, extension: &[u8], value: T) -> Result<Option<T>, T> {
        if extension.len() > MAX_EXTENSION {
            return Err(value);
        }
        Ok(match key(extension) {
            Some(key) => self.short.insert(key, value),
            None => self.long.insert(extension.to_ascii_lowercase().into(), value),
        })
    }

    /// The value for a path, `None` if it has no known extension (default_type applies).
    pub fn get(&self, path: &[u8]) -> Option<&T> {
        let extension = extension(path)?;
        match key(extension) {
            Some(key) => self.short.get(&key),
            None => self.long.get(extension.to_ascii_lowercase().as_slice()),
        }
    }
}

/// The bytes of a short extension in lower case, behind a one that marks where they begin.
fn key(extension: &[u8]) -> Option<u64> {
    let push = |key, byte: &u8| key << 8 | u64::from(byte.to_ascii_lowercase());
    (extension.len() < size_of::<u64>()).then(|| extension.iter().fold(1, push))
}

/// The text behind the last dot of the last path component; a dot at its start makes a hidden file, not an extension
/// (ngx_http_set_exten).
pub fn extension(path: &[u8]) -> Option<&[u8]> {
    // The dot is near: a search by vectors takes longer.
    let stop = path.iter().rposition(|byte| matches!(byte, b'.' | b'/'))?;
    match path.get(..stop)?.last() {
        Some(b'/') | None => None,
        Some(_) if path.get(stop) == Some(&b'.') => path.get(stop + 1..).filter(|text| !text.is_empty()),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions() {
        for (path, expected) in [
            ("/a.html", Some("html")),
            ("/a.b/c.tar.GZ", Some("GZ")),
            ("/a.b/c", None),
            ("/a/.html", None),
            (".html", None),
            ("/a.", None),
            ("/a", None),
            ("", None),
            ("/a..b", Some("b")),
            ("a.b", Some("b")),
        ] {
            assert_eq!(extension(path.as_bytes()), expected.map(str::as_bytes), "{path}");
        }
    }

    #[test]
    fn types_are_found_in_any_case() {
        let mut types = Types::default();
        assert_eq!(types.insert(b"HTML", 1), Ok(None));
        assert_eq!(types.insert(b"html", 2), Ok(Some(1)));
        assert_eq!(types.insert(&[b'x'; MAX_EXTENSION + 1], 3), Err(3));
        assert_eq!(types.get(b"/index.Html"), Some(&2));
        assert_eq!(types.get(b"/index.htm"), None);
        let long = format!("/a.{}", "x".repeat(MAX_EXTENSION + 1));
        assert_eq!(types.get(long.as_bytes()), None);
        for (extension, value) in [("appcach", 4), ("appcache", 5), ("7z", 6), ("x", 7)] {
            assert_eq!(types.insert(extension.as_bytes(), value), Ok(None), "{extension}");
            let upper = format!("/a.{}", extension.to_uppercase());
            assert_eq!(types.get(upper.as_bytes()), Some(&value), "{extension}");
        }
        assert_eq!((types.get(b"/a.\0x"), types.get(b"/a.z"), types.get(b"/a.appcachex")), (None, None, None));
    }
}
