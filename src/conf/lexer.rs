//! Cuts the bytes of a conf into statements by the rules of nginx's `ngx_conf_read_token`.

use super::{Arg, Error, ErrorKind, SourceId, Span};

/// How a statement ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// `;`
    Semicolon,
    /// `{`
    Open,
    /// `}`, which has no words before it.
    Close,
    /// The end of the text, which has no words before it.
    Text,
}

/// Words and the end after them.
#[derive(Debug)]
pub(crate) struct Statement {
    pub words: Vec<Arg>,
    pub end: End,
    /// The place of the end.
    pub end_span: Span,
    /// The first word with a brace that nginx takes for the end.
    pub braced: Option<Braced>,
    /// An error at the end which leaves no doubt how to read on.
    pub slip: Option<Error>,
}

/// A word in which a regex has a `{`, as in `^/\d{3}$`, without quotes: nginx ends the statement there.
#[derive(Debug)]
pub(crate) struct Braced {
    /// The index of the word.
    pub index: usize,
    /// The word up to the brace.
    pub cut: String,
    /// The place of the brace.
    pub brace: Span,
    /// The next word to nginx.
    pub rest: String,
    /// The whole word as the text has it.
    pub raw: String,
}

/// Bytes of the longest parameter, nginx's buffer: a missing quote is noticed near its place.
const LONGEST: usize = 4096;

/// The position in a text that is being read.
pub(crate) struct Lexer<'t> {
    text: &'t [u8],
    file: SourceId,
    /// Whether the text comes from `-g`: the error about its end has other words.
    command_line: bool,
    at: usize,
    line: u32,
    column: u32,
}

/// The language of a block that is skipped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// Lua, with comments behind `--` and strings in long brackets.
    Lua,
    /// Any other: comments behind `#`.
    Unknown,
}

/// A place in the text.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    at: usize,
    line: u32,
    column: u32,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t [u8], file: SourceId, command_line: bool) -> Lexer<'t> {
        // Some editors begin a file with a byte order mark.
        let at = if text.starts_with("\u{feff}".as_bytes()) { "\u{feff}".len() } else { 0 };
        Lexer { text, file, command_line, at, line: 1, column: 1 }
    }

    /// The next statement.
    pub(crate) fn statement(&mut self) -> Result<Statement, Error> {
        let (mut words, mut braced) = (Vec::new(), None);
        loop {
            self.skip_blanks();
            let mark = self.mark();
            let unexpected = |byte: u8| self.error(mark, 1, format!("unexpected \"{}\"", byte as char));
            let mut slip = None;
            let end = match self.peek() {
                None if words.is_empty() => End::Text,
                None => return Err(self.unexpected_end()),
                Some(b'{') if words.is_empty() => return Err(unexpected(b'{')),
                Some(b'{') => End::Open,
                Some(b'}') if words.is_empty() => End::Close,
                Some(b'}') => {
                    slip = Some(unexpected(b'}').help("is a \";\" missing before it?"));
                    End::Semicolon
                }
                Some(b';') => {
                    slip = words.is_empty().then(|| unexpected(b';'));
                    End::Semicolon
                }
                Some(_) => {
                    let (word, brace) = self.word()?;
                    let index = words.len();
                    braced = braced.or_else(|| brace.map(|(at, brace)| self.braced(index, mark, at, brace)));
                    words.push(word);
                    continue;
                }
            };
            // The brace that a slip is about ends the block.
            if slip.is_none() || words.is_empty() {
                self.bump();
            }
            return Ok(Statement { words, end, end_span: self.span(mark, 1), braced, slip });
        }
    }

    /// The next statement without an error. After an error the reading goes on in the line below the statement's
    /// beginning. `None`: the end of the text.
    pub(crate) fn statement_or_next(&mut self) -> Option<Statement> {
        loop {
            self.skip_blanks();
            let start = self.mark();
            match self.statement() {
                Ok(statement) if statement.end == End::Text => return None,
                Ok(statement) => return Some(statement),
                Err(_) => self.reset(start),
            }
            while self.bump()? != b'\n' {}
        }
    }

    /// How many bytes have been read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Reads to the brace that closes the block whose opening brace was read last. Returns the first slip in the block,
    /// if there is one. `holds_lua`: whether the block of a statement does; the number is how many blocks are around.
    pub(crate) fn skip_block(
        &mut self,
        mut holds_lua: impl FnMut(&Statement, usize) -> bool,
    ) -> Result<Option<Error>, Error> {
        let (mut depth, mut slip) = (1_usize, None);
        while depth > 0 {
            let statement = self.statement()?;
            let is_lua = holds_lua(&statement, depth);
            match statement.end {
                End::Open => {
                    if !is_lua || !self.skip_code(Language::Lua) {
                        depth += 1;
                    }
                }
                End::Close => depth -= 1,
                End::Text => return Err(self.end_of_text("unexpected end of file, expecting \"}\"")),
                End::Semicolon => slip = slip.or(statement.slip),
            }
        }
        Ok(slip)
    }

    /// Reads to the brace that closes a block of another language, whose strings and comments may hold braces. False:
    /// there is no such brace, and nothing has been read.
    pub(crate) fn skip_code(&mut self, language: Language) -> bool {
        let start = self.mark();
        let comment: &[u8] = if language == Language::Lua { b"--" } else { b"#" };
        let mut depth = 1_usize;
        while depth > 0 {
            if self.begins(comment) {
                comment.iter().for_each(|_| _ = self.bump());
                // A long comment ends as a long string does.
                if language != Language::Lua || !self.skip_long_string() {
                    self.skip_line();
                }
                continue;
            }
            if language == Language::Lua && self.skip_long_string() {
                continue;
            }
            match self.bump() {
                None => {
                    self.reset(start);
                    return false;
                }
                Some(b'{') => depth += 1,
                Some(b'}') => depth -= 1,
                Some(quote @ (b'"' | b'\'')) => self.skip_string(quote),
                Some(_) => {}
            }
        }
        true
    }

    fn begins(&self, with: &[u8]) -> bool {
        self.text.get(self.at..).is_some_and(|rest| rest.starts_with(with))
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.bump();
        }
    }

    /// Reads to the end of a string in Lua's long brackets, `[[` or `[==[`, if one begins here and ends.
    fn skip_long_string(&mut self) -> bool {
        let Some(behind) = self.text.get(self.at..).and_then(|rest| rest.strip_prefix(b"[")) else { return false };
        let level = behind.iter().take_while(|byte| **byte == b'=').count();
        let closing = [b"]", &vec![b'='; level][..], b"]"].concat();
        let Some(inside) = behind.get(level..).and_then(|rest| rest.strip_prefix(b"[")) else { return false };
        let Some(len) = inside.windows(closing.len()).position(|bytes| bytes == closing) else { return false };
        for _ in 0..len + 2 * closing.len() {
            self.bump();
        }
        true
    }

    /// Reads to the end of a string, which is in the same line.
    fn skip_string(&mut self, quote: u8) {
        while let Some(byte) = self.peek().filter(|byte| *byte != b'\n') {
            self.bump();
            match byte {
                b'\\' => _ = self.bump(),
                byte if byte == quote => return,
                _ => {}
            }
        }
    }

    /// The place of what follows; `None`: nothing but blanks and comments does.
    pub(crate) fn rest(&mut self) -> Option<Span> {
        self.skip_blanks();
        self.peek().map(|_| self.span(self.mark(), 1))
    }

    /// The line that has been reached.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }

    /// Goes back to a place.
    pub(crate) fn reset(&mut self, mark: Mark) {
        (self.at, self.line, self.column) = (mark.at, mark.line, mark.column);
    }

    /// The text from a [`Lexer::position`] to this one.
    pub(crate) fn text_since(&self, start: usize) -> &'t [u8] {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The place that has been reached.
    pub(crate) fn mark(&self) -> Mark {
        Mark { at: self.at, line: self.line, column: self.column }
    }

    /// The next byte.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Takes the next byte.
    pub(crate) fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
            self.column = 1;
        } else if byte & 0xc0 != 0x80 {
            // Continuation bytes of UTF-8 are no column of their own.
            self.column += 1;
        }
        Some(byte)
    }

    fn span(&self, mark: Mark, len: u32) -> Span {
        Span { file: self.file, line: mark.line, column: mark.column, len }
    }

    /// An error of the syntax in the `len` characters at `mark`.
    pub(crate) fn error(&self, mark: Mark, len: u32, message: String) -> Error {
        Error::new(ErrorKind::Syntax, self.span(mark, len), message)
    }

    /// The error about a text that ends within a statement.
    pub(crate) fn unexpected_end(&self) -> Error {
        self.end_of_text("unexpected end of file, expecting \";\" or \"}\"")
    }

    /// The error about a text that ends too early; `file` is the wording for a file.
    pub(crate) fn end_of_text(&self, file: &str) -> Error {
        let message = if self.command_line { "unexpected end of parameter, expecting \";\"" } else { file };
        self.error(self.mark(), 1, message.to_owned())
    }

    fn skip_blanks(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'#' => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.bump();
                    }
                    continue;
                }
                _ => return,
            }
            self.bump();
        }
    }

    /// A word, and its first brace that nginx would take for an end.
    pub(crate) fn word(&mut self) -> Result<(Arg, Option<(usize, Span)>), Error> {
        let mark = self.mark();
        let quote = match self.peek() {
            Some(quote @ (b'"' | b'\'')) => {
                self.bump();
                Some(quote)
            }
            _ => None,
        };
        let start = self.at;
        let mut brace = None;
        // A brace behind `$` belongs to the name of a variable.
        let mut variable = false;
        let end = loop {
            if self.at - start == LONGEST && self.peek().is_some() && !self.command_line {
                return Err(self.too_long(mark, quote, start));
            }
            let at = self.at;
            let Some(byte) = self.peek() else { return Err(self.unfinished(mark, quote)) };
            let ends = match (byte, quote) {
                (b'{', None) if !variable && is_of_a_regex(self.text, start, at) => {
                    brace = brace.or_else(|| Some((at, self.span(self.mark(), 1))));
                    false
                }
                (b'{', None) => !variable,
                (b' ' | b'\t' | b'\r' | b'\n' | b';', None) => true,
                (byte, Some(quote)) => byte == quote,
                _ => false,
            };
            if ends && quote.is_none() {
                break at;
            }
            self.bump();
            if ends {
                break at;
            }
            if byte == b'\\' && self.bump().is_none() {
                return Err(self.unfinished(mark, quote));
            }
            variable = byte == b'$' || variable && byte == b'{';
        };
        if quote.is_some() {
            self.after_quote()?;
        }
        Ok((self.finish(mark, start..end, quote.is_some())?, brace))
    }

    /// The parts of a word that began at `mark` and has been read, with a brace at `at`.
    fn braced(&self, index: usize, mark: Mark, at: usize, brace: Span) -> Braced {
        let text = |range: std::ops::Range<usize>| self.text.get(range).unwrap_or_default();
        let behind = text(at + 1..self.text.len());
        let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{');
        let rest = behind.split(ends).next().unwrap_or_default();
        let read = |bytes: &[u8]| String::from_utf8_lossy(&unescape(bytes)).into_owned();
        let raw = String::from_utf8_lossy(text(mark.at..self.at)).into_owned();
        Braced { index, cut: read(text(mark.at..at)), brace, rest: read(rest), raw }
    }

    /// Only a blank, an end, or the `)` of an `if` may follow a closing quote.
    fn after_quote(&self) -> Result<(), Error> {
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' | b')') => Ok(()),
            Some(_) => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let piece = String::from_utf8_lossy(rest.get(..rest.len().min(4)).unwrap_or_default());
                let found = piece.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
                Err(self
                    .error(self.mark(), 1, format!("unexpected \"{found}\""))
                    .help("a blank or \";\" must follow a closing quote"))
            }
        }
    }

    fn unfinished(&self, mark: Mark, quote: Option<u8>) -> Error {
        let error = self.unexpected_end();
        match quote {
            Some(quote) => error.help(format!("the {} of line {} is never closed", quote as char, mark.line)),
            None => error,
        }
    }

    fn too_long(&self, mark: Mark, quote: Option<u8>, start: usize) -> Error {
        let message = match quote {
            Some(quote) => {
                format!("too long parameter, probably missing terminating \"{}\" character", quote as char)
            }
            None => {
                let head = self.text.get(start..start + 10).unwrap_or_default();
                format!("too long parameter \"{}...\" started", String::from_utf8_lossy(head))
            }
        };
        self.error(mark, 1, message)
    }

    fn finish(&self, mark: Mark, range: std::ops::Range<usize>, quoted: bool) -> Result<Arg, Error> {
        let raw = self.text.get(range).unwrap_or_default();
        let first_line = self.text.get(mark.at..self.at).unwrap_or_default().split(|byte| *byte == b'\n').next();
        let len = first_line.unwrap_or_default().iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u32;
        let span = self.span(mark, len);
        let text = String::from_utf8(unescape(raw)).map_err(|_| {
            self.error(mark, len, "a parameter that is not UTF-8".to_owned()).help("save the file as UTF-8")
        })?;
        if text.contains('\0') {
            return Err(self.error(mark, len, "a parameter that holds a NUL byte".to_owned()));
        }
        Ok(Arg { text, span, quoted })
    }
}

/// Whether the brace at `at`, in a word that began at `start`, belongs to a regex: a number of repetitions as in
/// `\d{3}`, or a name or number as in `\p{L}`. No statement that nginx takes begins so behind a brace.
fn is_of_a_regex(text: &[u8], start: usize, at: usize) -> bool {
    let behind = text.get(at + 1..).unwrap_or_default();
    let Some(len) = behind.iter().position(|byte| !byte.is_ascii_alphanumeric() && !b",_+^".contains(byte)) else {
        return false;
    };
    let inside = &behind[..len];
    if inside.is_empty() || behind.get(len) != Some(&b'}') {
        return false;
    }
    let is_number = inside.iter().all(|byte| byte.is_ascii_digit() || *byte == b',');
    let before = text.get(start..at).unwrap_or_default();
    let is_named = matches!(before, [.., b'\\', b'p' | b'P' | b'x' | b'o' | b'k' | b'g' | b'N']);
    is_named || is_number && inside.iter().any(u8::is_ascii_digit)
}

/// Removes backslashes in front of `" ' \` and turns `\t \r \n` into control characters; other backslashes stay.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [byte, after @ ..] = rest {
        let (byte, after) = match (byte, after) {
            (b'\\', [quoted @ (b'"' | b'\'' | b'\\'), after @ ..]) => (*quoted, after),
            (b'\\', [b't', after @ ..]) => (b'\t', after),
            (b'\\', [b'r', after @ ..]) => (b'\r', after),
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            _ => (*byte, after),
        };
        text.push(byte);
        rest = after;
    }
    text
}
