//! The condition of an `if` (`ngx_http_rewrite_if_condition`).

use crate::conf;
use crate::http::site::regex::Regex;
use crate::http::site::template::Template;

/// The condition of an `if`.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The value is neither empty nor `0`.
    Holds(Template),
    /// The value is this text, or, `negated`, another.
    Is {
        /// The left side.
        value: Template,
        /// The right side.
        text: Template,
        /// The sides must differ.
        negated: bool,
    },
    /// The regex fits the value, or, `negated`, does not.
    Matches {
        /// The text.
        value: Template,
        /// The regex that it must fit.
        regex: Regex,
        /// The text must not fit.
        negated: bool,
    },
    /// The path leads to such a file, or, `negated`, does not.
    Finds {
        /// The path of the file.
        path: Template,
        /// The kind of file.
        test: FileTest,
        /// There must be no such file.
        negated: bool,
    },
}

/// The kind of file that a condition asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileTest {
    /// `-f`: a regular file.
    File,
    /// `-d`: a directory.
    Dir,
    /// `-e`: either.
    Exists,
    /// `-x`: something whose owner may execute it.
    Executable,
}

/// The words between the parentheses, each with the number of its argument.
struct Words<'a>(Vec<(usize, &'a str)>);

impl<'a> Words<'a> {
    /// Takes the parentheses off, which may stand apart or be glued to the words.
    fn of(args: &conf::Args<'a>) -> Result<Words<'a>, conf::Error> {
        let mut words: Vec<(usize, &str)> = args.all().iter().map(|arg| arg.text.as_str()).enumerate().collect();
        let whole = args.str(0)?;
        if let Some(first) = words.first_mut() {
            first.1 = first.1.strip_prefix('(').ok_or_else(|| invalid(args, 0, whole))?;
        }
        // An opening parenthesis that stands apart is no word; the closing one is looked for behind it, in what it
        // was glued to as well.
        if words.len() > 1 && words.first().is_some_and(|(_, text)| text.is_empty()) {
            words.remove(0);
        }
        let Some((i, text)) = words.pop() else { return Err(invalid(args, 0, whole)) };
        let Some(rest) = text.strip_suffix(')') else {
            return Err(invalid(args, i, if i == 0 && text.is_empty() { whole } else { text }));
        };
        if !rest.is_empty() {
            words.push((i, rest));
        } else if words.is_empty() {
            return Err(invalid(args, i, text));
        }
        Ok(Words(words))
    }
}

impl Condition {
    pub(super) fn parse(args: &mut conf::Args) -> Result<Condition, conf::Error> {
        let words = Words::of(args)?.0;
        match words.as_slice() {
            [(at, value), rest @ ..] if value.len() > 1 && value.starts_with('$') => {
                Condition::of_variable(args, (*at, value), rest)
            }
            [(_, test), (i, path)] if is_file_test(test) => {
                let path = Template::parse_text(args, *i, path)?;
                Condition::of_file(test, path).ok_or_else(|| file_test_error(args, &words))
            }
            [(at, word), ..] => Err(invalid(args, *at, word)),
            [] => Err(invalid(args, 0, "")),
        }
    }

    fn of_variable(
        args: &mut conf::Args,
        (at, word): (usize, &str),
        rest: &[(usize, &str)],
    ) -> Result<Condition, conf::Error> {
        let value = |args: &mut conf::Args| Template::variable(args, at, &word[1..]);
        let ((i, operator), (j, operand)) = match rest {
            [] => return Ok(Condition::Holds(value(args)?)),
            [operator, operand] => (*operator, *operand),
            _ => return Err(invalid(args, at, word)),
        };
        let value = value(args)?;
        match operator {
            "=" | "!=" => {
                let text = Template::parse_text(args, j, operand)?;
                Ok(Condition::Is { value, text, negated: operator == "!=" })
            }
            "~" | "~*" | "!~" | "!~*" => {
                let regex = Regex::parse(args, j, operand, operator.ends_with('*'))?;
                Ok(Condition::Matches { value, regex, negated: operator.starts_with('!') })
            }
            _ => {
                let error = args.bad(i, format!("unexpected \"{operator}\" in condition"));
                Err(error.help("one of =, !=, ~, ~*, !~, !~*"))
            }
        }
    }

    /// The condition of a test such as `-f` or `!-d`; `None`: there is no such test.
    fn of_file(test: &str, path: Template) -> Option<Condition> {
        let negated = test.starts_with('!');
        let test = match test.trim_start_matches('!') {
            "-f" => FileTest::File,
            "-d" => FileTest::Dir,
            "-e" => FileTest::Exists,
            "-x" => FileTest::Executable,
            _ => return None,
        };
        Some(Condition::Finds { path, test, negated })
    }
}

fn is_file_test(word: &str) -> bool {
    word.len() == 2 && word.starts_with('-') || word.len() == 3 && word.starts_with("!-")
}

fn file_test_error(args: &conf::Args, words: &[(usize, &str)]) -> conf::Error {
    let (at, word) = words.first().copied().unwrap_or_default();
    invalid(args, at, word)
}

fn invalid(args: &conf::Args, i: usize, word: &str) -> conf::Error {
    let error = args.bad(i, format!("invalid condition \"{word}\""));
    error.help("($variable), ($variable = text), ($variable ~ regex), (-f path)")
}
