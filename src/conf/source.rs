//! The texts that a conf was read from, and places in them.

use std::borrow::Cow;

/// The number of a text in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A piece of one line of a conf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The text.
    pub file: SourceId,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
    /// The length in characters, up to the end of the line.
    pub len: u32,
}

impl Span {
    /// The place of a default, or of anything else that no text has.
    pub const NOWHERE: Span = Span { file: SourceId::NONE, line: 0, column: 0, len: 0 };
}

impl SourceId {
    pub(super) const NONE: SourceId = SourceId(u32::MAX);
}

#[derive(Debug)]
struct Source {
    name: String,
    text: Vec<u8>,
    command_line: bool,
    /// The first `include` of the file.
    from: Option<Span>,
}

/// Every text that a conf was read from, in the order of reading.
#[derive(Debug, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a file that stands for the `include` at `from`, or finds it: a file that is included twice is kept once.
    pub(super) fn add_file(&mut self, name: &str, text: Vec<u8>, from: Option<Span>) -> SourceId {
        match self.0.iter().position(|source| source.name == name && source.text == text) {
            Some(index) => SourceId(index as u32),
            None => self.push(Source { name: name.to_owned(), text, command_line: false, from }),
        }
    }

    pub(super) fn add_command_line(&mut self, text: Vec<u8>) -> SourceId {
        self.push(Source { name: "command line".to_owned(), text, command_line: true, from: None })
    }

    fn push(&mut self, source: Source) -> SourceId {
        self.0.push(source);
        SourceId((self.0.len() - 1) as u32)
    }

    fn get(&self, file: SourceId) -> Option<&Source> {
        self.0.get(file.0 as usize)
    }

    /// The name of a file as the conf or the command line spells it, joined to the directory where it starts.
    pub fn name(&self, file: SourceId) -> Option<&str> {
        self.get(file).map(|source| source.name.as_str())
    }

    /// `conf/drover.conf:12`, or `command line`; `None` for [`Span::NOWHERE`].
    pub fn place(&self, file: SourceId, line: u32) -> Option<String> {
        self.get(file).map(|source| match source.command_line {
            true => source.name.clone(),
            false => format!("{}:{line}", source.name),
        })
    }

    /// Sorts places as a reader meets them: included files stand where their first `include` does. What has no place is
    /// last.
    pub(super) fn order(&self, span: Span) -> Vec<(SourceId, u32, u32)> {
        let mut path = vec![(span.file, span.line, span.column)];
        let mut file = span.file;
        // Files are added once they are included: no way up leads to a file of a greater number.
        while let Some(from) = self.get(file).and_then(|source| source.from).filter(|from| from.file < file) {
            path.push((from.file, from.line, from.column));
            file = from.file;
        }
        path.reverse();
        path
    }

    pub(super) fn line(&self, span: Span) -> Option<String> {
        let index = span.line.checked_sub(1)? as usize;
        let text = &self.get(span.file)?.text;
        let start: usize = text.split_inclusive(|byte| *byte == b'\n').take(index).map(<[u8]>::len).sum();
        let line = text.split(|byte| *byte == b'\n').nth(index)?;
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        let shown = if begins_in_key(&text[..start]) { without_rest_of_key(&line) } else { line.into_owned() };
        Some(without_keys(&shown).into_owned())
    }

    /// The files with their texts.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().filter(|source| !source.command_line).map(|source| (source.name.as_str(), &source.text[..]))
    }

    /// Whether a file has another text now than the one that was read.
    pub fn have_changed(&self) -> bool {
        self.files().any(|(name, text)| std::fs::read(name).is_ok_and(|now| now != text))
    }

    /// The files with their texts, for `-T`; private keys are left out.
    pub fn shown_files(&self) -> impl Iterator<Item = (&str, Cow<'_, [u8]>)> {
        self.files().map(|(name, text)| {
            let shown = match std::str::from_utf8(text) {
                Ok(valid) if valid.contains(KEY) => without_keys(valid).into_owned().into_bytes().into(),
                _ => Cow::Borrowed(text),
            };
            (name, shown)
        })
    }
}

/// The end of the line in front of a private key in PEM, which a conf may hold behind `data:`.
const KEY: &str = "PRIVATE KEY-----";

/// A text with "..." in the place of each private key, up to the line behind it or the end.
fn without_keys(text: &str) -> Cow<'_, str> {
    let Some((before, after)) = text.split_once(KEY) else { return text.into() };
    let rest = after.find("-----END").map_or("", |end| &after[end..]);
    // The END line has the same words as the BEGIN line.
    let (end_line, rest) = rest.split_once(KEY).map_or((rest, ""), |(line, rest)| (line, rest));
    let end_key = if end_line.is_empty() { "" } else { KEY };
    format!("{before}{KEY}...{end_line}{end_key}{}", without_keys(rest)).into()
}

/// Whether what follows is a part of a private key. Its last line may be missing and others be damaged, so that only
/// the END of a key ends it.
fn begins_in_key(before: &[u8]) -> bool {
    let Some(key) = memchr::memmem::rfind(before, KEY.as_bytes()) else { return false };
    let dashes = memchr::memmem::rfind(&before[..key], b"-----").unwrap_or(key);
    !before[dashes..].starts_with(b"-----END")
}

/// A line that begins within a private key, with "..." in the place of the key, up to its end or that of its argument:
/// as wide as before, for the carets below.
fn without_rest_of_key(line: &str) -> String {
    let end = line.find("-----END").or_else(|| line.find(['"', '\''])).unwrap_or(line.len());
    let width = line[..end].chars().count();
    let (dots, rest) = (&"..."[..width.min(3)], &line[end..]);
    format!("{dots:width$}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_within_a_key_is_not_shown() {
        let mut sources = Sources::default();
        let text = "a;\nkey 'data:-----BEGIN PRIVATE KEY-----\nMIIsecret\nMIIsecret' x;\nMIIsecret";
        let file = sources.add_file("f", text.as_bytes().to_vec(), None);
        let line = |number| sources.line(Span { file, line: number, column: 1, len: 1 });
        assert_eq!(line(1).as_deref(), Some("a;"));
        assert_eq!(line(3).as_deref(), Some("...      "));
        assert_eq!(line(4).as_deref(), Some("...      ' x;"));
        assert!((1..9).filter_map(line).all(|line| !line.contains("secret")));
        let damaged =
            [&b"-----BE=GIN PRIVATE KEY-----\nMII"[..], b"-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n"];
        assert!(damaged.into_iter().all(begins_in_key));
        assert!(!begins_in_key(b"-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n"));
        assert_eq!(without_rest_of_key("ab-----END PRIVATE KEY-----'; c"), "..-----END PRIVATE KEY-----'; c");
    }

    #[test]
    fn keys_in_a_conf_are_not_shown() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIsecret\n-----END PRIVATE KEY-----";
        let hidden = "-----BEGIN PRIVATE KEY-----...-----END PRIVATE KEY-----";
        assert_eq!(without_keys(&format!("a '{key}' b {key};\n}}")), format!("a '{hidden}' b {hidden};\n}}"));
        assert_eq!(without_keys("a BEGIN EC PRIVATE KEY-----\\nMIIsecret"), "a BEGIN EC PRIVATE KEY-----...");
        assert_eq!(without_keys("a b"), "a b");
    }
}
