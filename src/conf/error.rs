//! What is wrong with a conf, and where: nginx's sentence, then the line itself with a caret under the culprit.

use super::{FileId, Sources, Span};
use crate::os::Failure;
use std::fmt;

/// What sort of mistake an [`Error`] is about.
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
    /// Said twice.
    Duplicate,
    /// An argument that is no value of its type.
    Value,
    /// A file that can't be read.
    File,
    /// A directive of nginx that drover does not have, on purpose or yet.
    Refused,
}

/// An error in a conf. Its `Display` is what a user sees on stderr: nginx's sentence behind `drover: [emerg] `, the place, the
/// line with a caret, and a help.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    span: Span,
    message: String,
    help: Option<String>,
    /// The place that stands for `{place}` in the help.
    other: Option<Span>,
    /// The line in the sentence: nginx names the one in which the directive ends, not the one of the culprit.
    end_line: Option<u32>,
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
            excerpt: None,
        }))
    }

    /// An error of a system call on what the text at `span` names.
    pub fn failed(span: Span, failure: Failure) -> Error {
        let (sentence, advice) = failure.parts();
        let mut error = Error::new(ErrorKind::File, span, sentence);
        error.0.help = advice;
        error
    }

    /// Adds what would be right.
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.0.help = Some(help.into());
        self
    }

    /// Adds what would be right, in words that hold another place of the conf, `other`, as `{place}`.
    pub fn help_at(mut self, other: Span, help: impl Into<String>) -> Error {
        self.0.other = Some(other);
        self.help(help)
    }

    /// Adds where the same was said before.
    pub fn first_at(self, first: Span) -> Error {
        self.help_at(first, "it stands in {place} already")
    }

    /// Marks another place in the same file.
    pub(super) fn moved_to(mut self, span: Span) -> Error {
        let line = self.0.end_line.unwrap_or(self.0.span.line);
        self.0.span = span;
        self.ends_in(line)
    }

    /// For a text that is none of the user's business.
    pub fn without_place(mut self) -> Error {
        self.0.span = Span::NOWHERE;
        self
    }

    pub(super) fn ends_in(mut self, line: u32) -> Error {
        self.0.end_line = Some(line);
        self
    }

    /// Looks the place up, so that it can be shown. Errors of [`super::load`] have been; those found later in a loaded conf
    /// need it.
    pub fn shown_with(mut self, sources: &Sources) -> Error {
        let Span { file, line, column, .. } = self.0.span;
        if self.0.excerpt.is_none()
            && let Some(place) = sources.place(file, self.0.end_line.unwrap_or(line))
        {
            let arrow = format!("{}:{line}:{column}", sources.name(file).unwrap_or_default());
            self.0.excerpt = Some(Excerpt { place, arrow, line: sources.line(self.0.span) });
        }
        if let Some(other) = self.0.other.take() {
            // A directive of the built-in defaults has no place.
            let place = sources.place(other.file, other.line).map(|place| match place.as_str() {
                "command line" => "the command line".to_owned(),
                _ => place,
            });
            self.0.help = self.0.help.take().zip(place).map(|(help, place)| help.replace("{place}", &place));
        }
        self
    }

    /// What sort of mistake it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where it is.
    pub fn span(&self) -> Span {
        self.0.span
    }

    /// The file it is in.
    pub fn file(&self) -> FileId {
        self.0.span.file
    }

    /// nginx's sentence, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What would be right, if that is known.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// nginx's sentence with the place: the line for the error log.
    pub fn sentence(&self) -> String {
        match &self.0.excerpt {
            Some(excerpt) => format!("{} in {}", self.0.message, excerpt.place),
            None => self.0.message.clone(),
        }
    }

    /// The line of the conf with a caret and the help, to show behind the sentence.
    pub fn picture(&self) -> Picture<'_> {
        Picture(self)
    }
}

/// The widest piece of a line that is shown, in characters.
const WIDTH: usize = 160;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "drover: [emerg] {}{}", self.sentence(), self.picture())
    }
}

/// The picture behind the sentence: the line of the conf, a caret, a help. Each line begins with a line feed.
pub struct Picture<'e>(&'e Error);

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { span, help, excerpt, .. } = &*self.0.0;
        let margin = span.line.to_string().len();
        let mut help = help.as_deref();
        if let Some(Excerpt { arrow, line: Some(line), .. }) = excerpt {
            let (line, before, carets) = window(line, *span);
            write!(f, "\n{:margin$}--> {arrow}\n{:margin$} |\n{} | {line}", "", "", span.line)?;
            write!(f, "\n{:margin$} | {before}{}", "", "^".repeat(carets))?;
            // A help that would run out of a terminal gets a line of its own.
            if let Some(short) = help.take_if(|help| before.len() + carets + help.len() <= 100) {
                write!(f, " {short}")?;
            }
        }
        if let Some(long) = help {
            write!(f, "\n{:margin$} = {long}", "")?;
        }
        Ok(())
    }
}

/// The part of a line to show, the blanks in front of the carets (tabs stay tabs), and how many carets there are.
fn window(line: &str, span: Span) -> (String, String, usize) {
    let column = (span.column as usize).saturating_sub(1);
    let start = if line.chars().count() > WIDTH { column.saturating_sub(WIDTH / 2) } else { 0 };
    let shown: String = line
        .chars()
        .skip(start)
        .take(WIDTH)
        // A terminal must not act on what a conf holds.
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
