//! `include`: a file, or all files that a pattern fits, in the order of their names.

use super::files::{identity, matches, read};
use super::{Error, ErrorKind, Lexer, Loader, Span, Statement, Warning, join};
use crate::os::Failure;
use std::path::Path;

impl Loader<'_> {
    /// Lets `read_text` read the files of an `include`, each to its end.
    pub(super) fn include(
        &mut self,
        statement: &Statement,
        mut read_text: impl FnMut(&mut Self, &mut Lexer) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let (super::End::Open, Some(name)) = (statement.end, statement.words.first()) {
            return Err(self.not_terminated(statement, name));
        }
        let [name, words @ ..] = &statement.words[..] else { return Ok(()) };
        let [pattern] = words else {
            return Err(self.wrong_number(statement, name, "FILE | PATTERN", words.len() > 1, true));
        };
        let end_line = statement.end_span.line;
        let full = join(&self.conf_dir, &pattern.text);
        let failed = |failure: Failure| Error::failed(pattern.span, failure).ends_in(end_line);
        let is_pattern = full.contains(['*', '?', '[']);
        let paths = if is_pattern { matches(&full).map_err(failed)? } else { vec![full.into()] };
        for path in paths {
            self.check_cycle(&path.to_string_lossy(), pattern.span, end_line)?;
            let (name, text) = match read(&path) {
                Ok(text) => (path.to_string_lossy().into_owned(), text),
                Err(failure) => self.built_in(&path, pattern.span, end_line).ok_or_else(|| failed(failure))?,
            };
            self.deeper(pattern, |loader| {
                // An error of the syntax says nothing about the file that includes this one.
                let read = loader.file(&name, text, Some(pattern.span), &mut read_text);
                loader.keep_syntax(read);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The name and the text of the built-in file that stands in for the missing file `path`. The first time there is a
    /// notice.
    fn built_in(&mut self, path: &Path, span: Span, line: u32) -> Option<(String, Vec<u8>)> {
        let (name, text) = self.built_in.iter().find(|(name, _)| path.ends_with(name))?;
        if path.exists() {
            return None;
        }
        let source = format!("{name} (built in)");
        if !self.sources.files().any(|(known, _)| known == source) {
            let message = format!("there is no \"{}\", the built-in {name} takes its place", path.display());
            self.warnings.push(Warning { notice: true, error: Error::at(span, message).ends_in(line) });
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
