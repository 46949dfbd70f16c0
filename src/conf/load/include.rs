//! `include`: one file, or all that a pattern fits, in the order of their names.

use super::{Error, ErrorKind, Input, Lexer, Loader, Span, Statement, Warning, join};
use crate::os::Failure;
use glob::MatchOptions;
use std::path::{Path, PathBuf};

/// Reads a file, with nginx's words for what fails.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let mut text = Vec::new();
    let mut file = std::fs::File::open(path).map_err(|error| Failure::on_path("open", path, error))?;
    file.read_to_end(&mut text).map_err(|error| Failure::on_path("pread", path, error))?;
    Ok(text)
}

/// What a file is called when the same one is met by another way.
pub(super) fn identity(name: &str) -> PathBuf {
    std::fs::canonicalize(name).unwrap_or_else(|_| PathBuf::from(name))
}

/// glob(3) as nginx calls it: no `*` fits a slash or the dot of a hidden file.
const MATCH: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

impl Loader<'_> {
    /// Reads the files of an `include` with `read`, each to its end.
    pub(super) fn include(
        &mut self,
        statement: &Statement,
        mut read_text: impl FnMut(&mut Self, &mut Lexer) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let (super::End::Open, Some(name)) = (statement.end, statement.words.first()) {
            return Err(self.not_terminated(statement, name));
        }
        let [_, pattern] = &statement.words[..] else {
            return Err(self.wrong_number(statement, "include", "FILE | PATTERN"));
        };
        let end_line = statement.end_span.line;
        let failed = |message: String| Error::new(ErrorKind::File, pattern.span, message).ends_in(end_line);
        let full = join(&self.conf_dir, &pattern.text);
        let paths = if full.contains(['*', '?', '[']) { matches(&full).map_err(failed)? } else { vec![full] };
        for path in paths {
            self.check_cycle(&path, pattern.span, end_line)?;
            let (name, text) = match read(Path::new(&path)) {
                Ok(text) => (path, text),
                Err(failure) => {
                    self.built_in(&path, pattern.span, end_line).ok_or_else(|| failed(failure.to_string()))?
                }
            };
            self.deeper(pattern, |loader| loader.file(&name, text, &mut read_text))?;
        }
        Ok(())
    }

    /// The name and the text of the built-in file in whose place `path` is missing. The first time there is a notice.
    fn built_in(&mut self, path: &str, span: Span, line: u32) -> Option<(String, Vec<u8>)> {
        let path = Path::new(path);
        let (name, text) = self.built_in.iter().find(|(name, _)| path.ends_with(name))?;
        if path.exists() {
            return None;
        }
        let source = format!("{name} (built in)");
        if !self.sources.files().any(|(known, _)| known == source) {
            let message = format!("there is no \"{}\", the built-in {name} takes its place", path.display());
            self.warnings.push(Warning { notice: true, message, span, line });
        }
        Some((source, text.as_bytes().to_vec()))
    }

    fn check_cycle(&self, path: &str, span: Span, end_line: u32) -> Result<(), Error> {
        if !self.open_files.contains(&identity(path)) {
            return Ok(());
        }
        let message = format!("include cycle: \"{path}\" is being read already");
        Err(Error::new(ErrorKind::File, span, message).ends_in(end_line).help("it would include itself without end"))
    }
}

/// The files a pattern fits, sorted by bytes as glob(3) sorts them in the C locale. None is no error.
fn matches(pattern: &str) -> Result<Vec<String>, String> {
    // To glob(3) `**` is the same as `*`.
    let mut pattern = pattern.to_owned();
    while pattern.contains("**") {
        pattern = pattern.replace("**", "*");
    }
    let paths = glob::glob_with(&pattern, MATCH).map_err(|error| format!("glob() \"{pattern}\" failed ({error})"))?;
    let mut paths: Vec<String> = paths.flatten().map(|path| path.to_string_lossy().into_owned()).collect();
    paths.sort();
    Ok(paths)
}

impl<'i> Input<'i> {
    /// A text that includes nothing but files of the prefix.
    pub fn text(name: &'i str, text: &'i str) -> Input<'i> {
        Input::Text { name, text }
    }
}
