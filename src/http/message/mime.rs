//! Content types by file extension (the directives types and default_type).

use foldhash::HashMap;

/// The longest extension the table takes, in bytes; far above any in use.
pub const MAX_EXTENSION: usize = 64;

/// Extension to value; the value is whatever the caller keeps for a type.
#[derive(Clone, Debug)]
pub struct Types<T> {
    map: HashMap<Box<[u8]>, T>,
}

impl<T> Default for Types<T> {
    fn default() -> Self {
        Self { map: HashMap::default() }
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
        Ok(self.map.insert(extension.to_ascii_lowercase().into(), value))
    }

    /// The value for a path, `None` if it has no known extension (default_type applies).
    pub fn get(&self, path: &[u8]) -> Option<&T> {
        let extension = extension(path)?;
        let mut lower = [0; MAX_EXTENSION];
        let lower = lower.get_mut(..extension.len())?;
        lower.copy_from_slice(extension);
        lower.make_ascii_lowercase();
        self.map.get(&*lower)
    }
}

/// The text behind the last dot of the last path component; a dot at its start makes a hidden file, not an extension
/// (ngx_http_set_exten).
pub fn extension(path: &[u8]) -> Option<&[u8]> {
    let stop = memchr::memrchr2(b'.', b'/', path)?;
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
    }
}
