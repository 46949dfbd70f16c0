//! Hints at slips that the words of a statement show: a forgotten semicolon, and quotes and blanks that a word
//! processor put in the place of ASCII ones.

use super::{End, Loader, Statement, Warning};
use crate::conf::{Arg, Contexts, Entry, Error, ErrorKind, Kind, Span};

impl Statement {
    /// Whether `span` lies between the first word and the end.
    fn covers(&self, span: Span) -> bool {
        let position = |span: Span| (span.line, span.column);
        let start = self.words.first().map_or(self.end_span, |word| word.span);
        span.file == start.file && (position(start)..=position(self.end_span)).contains(&position(span))
    }

    /// Each unquoted argument that begins a line, with the words before and after it.
    fn line_starts(&self) -> impl Iterator<Item = (&[Arg], &Arg, &[Arg])> {
        (2..self.words.len()).filter_map(|i| {
            let (before, rest) = self.words.split_at(i);
            let (next, after) = rest.split_first()?;
            (!next.quoted && next.span.line > before.last()?.span.line).then_some((before, next, after))
        })
    }
}

/// Whether a word processor or a web page puts `c` in the place of an ASCII quote.
fn is_typographic_quote(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201f}' | '«' | '»' | '‹' | '›')
}

fn is_foreign_blank(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{205f}' | '\u{2060}' | '\u{3000}' | '\u{feff}')
}

/// The first word with foreign quotes or blanks: its place, a sentence about it, a help.
fn foreign(words: &[Arg]) -> Option<(Span, String, String)> {
    words.iter().filter(|word| !word.quoted).find_map(|word| {
        let text = &word.text;
        if let Some(blank) = text.chars().find(|c| is_foreign_blank(*c)) {
            let code = format!("U+{:04X}", u32::from(blank));
            let what = format!("\"{text}\" holds a blank ({code}) that separates nothing");
            return Some((word.span, what, format!("{code} is no ASCII blank: type it anew")));
        }
        let quote = text.chars().next().filter(|c| is_typographic_quote(*c));
        let quote = quote.or_else(|| text.chars().last().filter(|c| is_typographic_quote(*c)))?;
        let what = format!("\"{text}\" has typographic quotes, which quote nothing");
        Some((word.span, what, format!("{quote} is no quote here: write \" or '")))
    })
}

impl Loader<'_> {
    /// Adds a hint to an error in this statement.
    pub(super) fn explain(&self, statement: &Statement, error: Error) -> Error {
        if !statement.covers(error.span()) {
            return error;
        }
        if let Some((span, _, help)) = foreign(&statement.words) {
            return error.moved_to(span).help(help);
        }
        let forgotten = statement.line_starts().find(|(_, next, _)| self.is_name(&next.text));
        if let Some(last) = forgotten.and_then(|(before, ..)| before.last()) {
            return error.moved_to(last.span).help(MISSING);
        }
        let Span { file, line, .. } = error.span();
        let follows = self.last_end.is_some_and(|end| (end.file, end.line) == (file, line));
        if error.kind() == ErrorKind::Unknown && error.help_text().is_none() && follows {
            return error.help("does it belong to the value before the \";\"? Then that value needs quotes");
        }
        error
    }

    /// Warns when the arguments of a valid statement look like a second statement: a semicolon is missing.
    pub(super) fn warn_of_swallowed_statement(
        &mut self,
        statement: &Statement,
        entry: &'static dyn Entry,
        context: Contexts,
    ) {
        self.warn_of_foreign_characters(statement);
        let takes = |entry: &dyn Entry, words: &[Arg]| {
            let (min, max) = entry.info().args();
            (min..=max).contains(&words.len())
        };
        let error =
            statement.line_starts().filter(|_| statement.end == End::Semicolon).find_map(|(before, next, after)| {
                let (name, args) = before.split_first()?;
                let begins = |other: &&'static dyn Entry| match other.kind() {
                    Kind::Refused(_) => !after.is_empty(),
                    _ => other.info().contexts().intersects(context) && takes(*other, after),
                };
                let is_statement = match next.text.as_str() {
                    "include" => after.len() == 1,
                    word => self.registry.named(word).iter().any(begins),
                };
                if !is_statement || !takes(entry, args) {
                    return None;
                }
                let message =
                    format!("\"{}\", an argument of \"{}\", is the name of a directive", next.text, name.text);
                Some(Error::at(before.last()?.span, message).help(MISSING))
            });
        self.warnings.extend(error.map(|error| Warning { notice: false, error }));
    }

    /// Warns of words with foreign quotes or blanks.
    pub(super) fn warn_of_foreign_characters(&mut self, statement: &Statement) {
        let error = foreign(&statement.words).map(|(span, what, help)| Error::at(span, what).help(help));
        self.warnings.extend(error.map(|error| Warning { notice: false, error }));
    }

    fn is_name(&self, word: &str) -> bool {
        word == "include" || !self.registry.named(word).is_empty()
    }
}

const MISSING: &str = "is a \";\" missing after this?";
