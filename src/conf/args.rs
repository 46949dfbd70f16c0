//! The arguments of a directive, for the function that parses them. Errors are nginx's sentences.

use super::value;
use super::{Contexts, Error, ErrorKind, Notes, Span, Warning, did_you_mean};

/// A word of a conf, without its quotes and escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arg {
    /// The word.
    pub text: String,
    /// The place of the word, quotes included.
    pub span: Span,
    /// Whether the word was written in quotes.
    pub quoted: bool,
}

/// A statement of a raw block, such as `types { }`.
#[derive(Debug, Clone)]
pub struct Item {
    /// The words, at least one.
    pub words: Vec<Arg>,
    /// The place of the first word.
    pub span: Span,
}

/// A directive while it is parsed.
pub struct Args<'a> {
    pub(super) name: &'a Arg,
    pub(super) words: &'a [Arg],
    pub(super) items: &'a [Item],
    pub(super) context: Contexts,
    /// The place where the same block has this directive first.
    pub(super) first: Option<Span>,
    pub(super) end_line: u32,
    pub(super) prefix: &'a str,
    pub(super) conf_dir: &'a str,
    pub(super) notes: &'a mut Notes,
    pub(super) warnings: &'a mut Vec<Warning>,
    /// Errors about parts of the directive.
    pub(super) errors: Vec<Error>,
}

/// Wrong lines of a block that are named.
const WRONG_LINES: usize = 20;

impl<'a> Args<'a> {
    /// How many arguments the directive has, its name not counted.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// The name of the directive, as the conf spells it.
    pub fn name(&self) -> &'a str {
        &self.name.text
    }

    /// The kind of block that the directive stands in.
    pub fn context(&self) -> Contexts {
        self.context
    }

    /// The directory where relative paths start (`-p`), without a slash at its end.
    pub fn prefix(&self) -> &'a str {
        self.prefix
    }

    /// The directory of the conf, without a slash at its end.
    pub fn conf_dir(&self) -> &'a str {
        self.conf_dir
    }

    /// Argument `i`, counted from 0.
    pub fn arg(&self, i: usize) -> Result<&'a Arg, Error> {
        self.words.get(i).ok_or_else(|| {
            let message = format!("invalid number of arguments in \"{}\" directive", self.name());
            Error::new(ErrorKind::Arity, self.name.span, message).ends_in(self.end_line)
        })
    }

    /// All arguments.
    pub fn all(&self) -> &'a [Arg] {
        self.words
    }

    /// The text of argument `i`.
    pub fn str(&self, i: usize) -> Result<&'a str, Error> {
        Ok(&self.arg(i)?.text)
    }

    /// The text of argument `i`, if the directive has that many.
    pub fn opt_str(&self, i: usize) -> Option<&'a str> {
        self.words.get(i).map(|arg| arg.text.as_str())
    }

    /// The place of argument `i`; that of the directive's name when there is no such argument.
    pub fn span(&self, i: usize) -> Span {
        self.words.get(i).unwrap_or(self.name).span
    }

    /// The statements of the directive's block, those of included files among them.
    pub fn block(&self) -> &'a [Item] {
        self.items
    }

    /// An error about argument `i`.
    pub fn bad(&self, i: usize, message: impl Into<String>) -> Error {
        Error::at(self.span(i), message).ends_in(self.end_line)
    }

    /// An error about the whole directive: `"NAME" directive MESSAGE`, as nginx's slot functions say it.
    pub fn directive(&self, message: &str) -> Error {
        Error::at(self.name.span, format!("\"{}\" directive {message}", self.name())).ends_in(self.end_line)
    }

    /// [`Args::directive`] for a directive that the block has already.
    pub fn duplicate(&self, message: &str) -> Error {
        let error = self.directive(message);
        match self.first {
            Some(first) => error.first_at(first),
            None => error,
        }
    }

    /// A warning about argument `i`, for the error log of the start.
    pub fn warn(&mut self, i: usize, message: impl Into<String>) {
        let error = self.bad(i, message);
        self.warnings.push(Warning { notice: false, error });
    }

    /// Keeps the error of a statement of the block, so that those behind it are read. Error: there have been many.
    pub fn go_on_after(&mut self, error: Error) -> Result<(), Error> {
        if self.errors.len() + 1 >= WRONG_LINES {
            return Err(error);
        }
        self.errors.push(error);
        Ok(())
    }

    /// A warning about a statement of the block.
    pub fn warn_item(&mut self, item: &Item, message: impl Into<String>) {
        let error = Error::at(item.span, message);
        self.warnings.push(Warning { notice: false, error });
    }

    /// The note of type `N`, by which directives of one conf tell each other something.
    pub fn notes<N: std::any::Any + Send + Sync + Default>(&mut self) -> &mut N {
        self.notes.get_mut()
    }

    /// `"NAME" directive invalid WHAT`, as nginx's slot functions say it, about argument `i`; `help` says what is
    /// valid.
    pub fn invalid(&self, i: usize, what: &str, help: &str) -> Error {
        self.bad(i, format!("\"{}\" directive invalid {what}", self.name())).help(help)
    }

    /// Argument `i` as `on` or `off`, in any case.
    pub fn flag(&self, i: usize) -> Result<bool, Error> {
        let text = self.str(i)?;
        if text.eq_ignore_ascii_case("on") {
            return Ok(true);
        }
        if text.eq_ignore_ascii_case("off") {
            return Ok(false);
        }
        let name = self.name();
        Err(self.bad(i, format!("invalid value \"{text}\" in \"{name}\" directive, it must be \"on\" or \"off\"")))
    }

    /// Argument `i` as a number of bytes.
    pub fn size(&self, i: usize) -> Result<u64, Error> {
        let help = "a size in bytes, such as 512, 8k, 1m or 2g";
        value::parse_size(self.str(i)?).ok_or_else(|| self.invalid(i, "value", help))
    }

    /// Argument `i` as a time, in milliseconds.
    pub fn time_ms(&self, i: usize) -> Result<u64, Error> {
        let help = "a time, such as 500ms, 75s, 1h30m or 7d; seconds without a unit";
        value::parse_time_ms(self.str(i)?).ok_or_else(|| self.invalid(i, "value", help))
    }

    /// Argument `i` as a time, in seconds.
    pub fn time_s(&self, i: usize) -> Result<u64, Error> {
        let help = "a time in seconds, such as 75, 1h30m, 30d or 1y";
        value::parse_time_s(self.str(i)?).ok_or_else(|| self.invalid(i, "value", help))
    }

    /// Argument `i` as a whole number.
    pub fn count(&self, i: usize) -> Result<u64, Error> {
        value::parse_count(self.str(i)?).ok_or_else(|| self.invalid(i, "number", "a whole number, digits only"))
    }

    /// The value of the word that argument `i` is, in any case.
    pub fn one_of<T: Clone>(&self, i: usize, words: &[(&str, T)]) -> Result<T, Error> {
        let text = self.str(i)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
            return Ok(value.clone());
        }
        let error = self.bad(i, format!("invalid value \"{text}\""));
        Err(match did_you_mean(text, words.iter().map(|(word, _)| *word)) {
            Some(word) => error.help(format!("did you mean \"{word}\"?")),
            None => {
                let words: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
                error.help(format!("one of {}", words.join(", ")))
            }
        })
    }

    /// Argument `i` as a path: a relative one starts at the prefix.
    pub fn path(&self, i: usize) -> Result<String, Error> {
        Ok(join(self.prefix, self.str(i)?))
    }

    /// Argument `i` as a path: a relative one starts at the directory of the conf.
    pub fn conf_path(&self, i: usize) -> Result<String, Error> {
        Ok(join(self.conf_dir, self.str(i)?))
    }
}

/// `path` seen from `dir`, as nginx spells it: the two with a slash between.
pub(super) fn join(dir: &str, path: &str) -> String {
    if path.starts_with('/') || dir.is_empty() {
        return path.to_owned();
    }
    format!("{}/{path}", dir.strip_suffix('/').unwrap_or(dir))
}
