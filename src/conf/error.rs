//! Errors in a conf: nginx's sentence with the place, then the line itself with carets under the culprit.

use super::{Sources, Span};
use crate::os::Failure;
use std::fmt;

/// The sort of mistake that an [`Error`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Quotes, braces, semicolons, bytes that are no text.
    Syntax,
    /// A name that no directive has.
    Unknown,
    /// A directive that this kind of block doesn't take, or whose block is missing or not wanted.
    Context,
    /// Too few or too many arguments.
    Arity,
    /// A second directive where a block may have one.
    Duplicate,
    /// An argument that is no value of the directive's type.
    Value,
    /// A file that can't be read.
    File,
    /// A directive of nginx that drover does not have, on purpose or yet.
    Refused,
}

/// An error in a conf. Its `Display` is for standard error: `drover: [emerg] `, nginx's sentence with the place, the
/// line with carets, and a help.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    span: Span,
    message: String,
    help: Option<String>,
    /// The place to be written for `{place}` in the help.
    other: Option<Span>,
    /// The line in the sentence: nginx names the line in which the directive ends, not that of the culprit.
    end_line: Option<u32>,
    /// A sentence about other places with the same mistake.
    others: Option<String>,
    /// The name that nothing in the conf defines.
    missing: Option<String>,
    excerpt: Option<Excerpt>,
}

struct Excerpt {
    place: String,
    arrow: String,
    line: Option<String>,
}

impl Error {
    /// An error about the text at `span`. `message` is nginx's sentence, without the place.
    pub fn at(span: Span, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Value, span, message)
    }

    pub(super) fn new(kind: ErrorKind, span: Span, message: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            kind,
            span,
            message: message.into(),
            help: None,
            other: None,
            end_line: None,
            others: None,
            missing: None,
            excerpt: None,
        }))
    }

    /// A system call failed on the object that the text at `span` names.
    pub fn failed(span: Span, failure: Failure) -> Error {
        let (sentence, advice) = failure.parts();
        let mut error = Error::new(ErrorKind::File, span, sentence);
        error.0.help = advice;
        error
    }

    /// Adds a help: what would be right.
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.0.help = Some(help.into());
        self
    }

    /// Adds a help in which `{place}` stands for another place of the conf, `other`.
    pub fn help_at(mut self, other: Span, help: impl Into<String>) -> Error {
        self.0.other = Some(other);
        self.help(help)
    }

    /// Adds the place where the conf has the same already.
    pub fn first_at(self, first: Span) -> Error {
        self.help_at(first, "it stands in {place} already")
    }

    /// Says that the error is a name that nothing defines: it is none where the definition was not understood.
    pub fn misses(mut self, name: impl Into<String>) -> Error {
        self.0.missing = Some(name.into());
        self
    }

    /// The name that nothing defines, if that is the error.
    pub(super) fn missing_name(&self) -> Option<&str> {
        self.0.missing.as_deref()
    }

    /// Moves the carets to another place in the same file; the line in the sentence stays.
    pub(super) fn moved_to(mut self, span: Span) -> Error {
        let line = self.0.end_line.unwrap_or(self.0.span.line);
        self.0.span = span;
        self.ends_in(line)
    }

    /// Leaves the place out, for a text that the user did not write.
    pub fn without_place(mut self) -> Error {
        self.0.span = Span::NOWHERE;
        self
    }

    pub(super) fn ends_in(mut self, line: u32) -> Error {
        self.0.end_line = Some(line);
        self
    }

    /// Adds the text at the error's place. [`load`](fn@super::load) has done that for its errors; errors found later in
    /// a loaded conf need it.
    pub fn shown_with(mut self, sources: &Sources) -> Error {
        let Span { file, line, column, .. } = self.0.span;
        if self.0.excerpt.is_none()
            && let Some(place) = sources.place(file, self.0.end_line.unwrap_or(line))
        {
            let arrow = format!("{}:{line}:{column}", sources.name(file).unwrap_or_default());
            self.0.excerpt = Some(Excerpt { place, arrow, line: sources.line(self.0.span) });
        }
        if let Some(other) = self.0.other.take() {
            // A default has no place.
            let place = sources.place(other.file, other.line).map(|place| match place.as_str() {
                "command line" => "the command line".to_owned(),
                _ => place,
            });
            self.0.help = self.0.help.take().zip(place).map(|(help, place)| help.replace("{place}", &place));
        }
        self
    }

    pub(super) fn with_others(mut self, others: Option<String>) -> Error {
        self.0.others = others;
        self
    }

    /// Whether the other error says the same about another place.
    pub(super) fn is_like(&self, other: &Error) -> bool {
        (self.0.kind, &self.0.message) == (other.0.kind, &other.0.message)
    }

    /// The sort of mistake.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The place of the mistake.
    pub fn span(&self) -> Span {
        self.0.span
    }

    /// nginx's sentence, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The help, if there is one.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The sentence about other places with the same mistake, if there are any.
    pub fn others(&self) -> Option<&str> {
        self.0.others.as_deref()
    }

    /// nginx's sentence with the place, for the error log.
    pub fn sentence(&self) -> String {
        match &self.0.excerpt {
            Some(excerpt) => format!("{} in {}", self.0.message, excerpt.place),
            None => self.0.message.clone(),
        }
    }

    /// The line of the conf with carets and the help, to be shown after the sentence.
    pub fn snippet(&self) -> Snippet<'_> {
        Snippet(self)
    }
}

/// A remark about a conf that works.
#[derive(Debug)]
pub struct Warning {
    /// Whether the log level is `notice`; else it is `warn`.
    pub notice: bool,
    /// The sentence, its place, and a help.
    pub error: Error,
}

/// Characters that are shown of a long line.
const WIDTH: usize = 160;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "drover: [emerg] {}{}", self.sentence(), self.snippet())
    }
}

/// The lines after the sentence: the line of the conf, the carets, a help. Each begins with a line feed.
pub struct Snippet<'e>(&'e Error);

impl fmt::Display for Snippet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { span, help, others, excerpt, .. } = &*self.0.0;
        let margin = span.line.to_string().len();
        let mut help = help.as_deref();
        if let Some(Excerpt { arrow, line: Some(line), .. }) = excerpt {
            let (line, before, carets) = window(line, *span);
            write!(f, "\n{:margin$}--> {arrow}\n{:margin$} |\n{} | {line}", "", "", span.line)?;
            write!(f, "\n{:margin$} | {before}{}", "", "^".repeat(carets))?;
            // A help that would not fit a terminal's line gets a line of its own.
            if let Some(short) = help.take_if(|help| before.len() + carets + help.len() <= 100) {
                write!(f, " {short}")?;
            }
        }
        for long in help.into_iter().chain(others.as_deref()) {
            write!(f, "\n{:margin$} = {long}", "")?;
        }
        Ok(())
    }
}

/// The part of a line to show, the blanks in front of the carets (tabs stay tabs), and the number of carets.
fn window(line: &str, span: Span) -> (String, String, usize) {
    let column = (span.column as usize).saturating_sub(1);
    let start = if line.chars().count() > WIDTH { column.saturating_sub(WIDTH / 2) } else { 0 };
    let shown: String = line
        .chars()
        .skip(start)
        .take(WIDTH)
        // A terminal must not act on control characters of a conf.
        .map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    let before: String = shown.chars().take(column - start).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let room = shown.chars().count().saturating_sub(column - start).max(1);
    (shown, before, (span.len as usize).clamp(1, room))
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// The candidate that `word` is most likely a misspelling of.
pub fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // A third of the letters wrong is as far as a slip of the finger goes.
    let limit = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
