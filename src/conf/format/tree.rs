//! The lines of a conf with their comments, in the blocks that hold them.

use crate::conf::lexer::{Language, Lexer, Statement as Words};
use crate::conf::load::DEEPEST;
use crate::conf::{Entry, Error, ErrorKind, Kind, Registry, SourceId, Span};

/// A whole text.
pub(super) struct Tree<'t> {
    pub(super) lines: Vec<Line<'t>>,
    /// Whether its lines end in CR LF.
    pub(super) has_crlf: bool,
}

/// A part of a block that begins a line.
pub(super) enum Line<'t> {
    /// Empty lines.
    Blank,
    /// A comment without anything before it.
    Comment(&'t [u8]),
    /// A directive, or an item of a block such as `types`.
    Statement(Statement<'t>),
}

/// Words and their end.
pub(super) struct Statement<'t> {
    /// The words, and the comments between them.
    pub(super) pieces: Vec<Piece<'t>>,
    /// The end behind them.
    pub(super) end: End<'t>,
    /// The comment behind the end, in the same line.
    pub(super) trailing: Option<Piece<'t>>,
}

/// The end of a statement.
pub(super) enum End<'t> {
    /// `;`
    Semicolon,
    /// A block of statements.
    Block(Block<'t>),
    /// A block in another language: the bytes behind the opening brace, up to and with the closing one.
    Code(&'t [u8]),
}

/// A block of statements.
pub(super) struct Block<'t> {
    /// The comment behind the opening brace, in its line.
    pub(super) comment: Option<Piece<'t>>,
    /// The lines.
    pub(super) lines: Vec<Line<'t>>,
    /// Whether both braces are in one line.
    pub(super) is_one_line: bool,
}

/// A word with its quotes, or a comment.
pub(super) struct Piece<'t> {
    /// The bytes.
    pub(super) text: &'t [u8],
    /// Whether this is a comment.
    pub(super) is_comment: bool,
    /// Whether a line begins with it.
    pub(super) begins_line: bool,
    /// The columns between the piece before it and this one, where both are in one line.
    pub(super) gap: usize,
    /// The column where it begins, counted from the statement's own.
    pub(super) column: usize,
}

/// Reads a text. Errors: those of the syntax, and the beginnings of the statements so far.
pub(super) fn read<'t>(
    registry: &Registry,
    file: SourceId,
    text: &'t [u8],
) -> Result<Tree<'t>, (Vec<Error>, Vec<Span>)> {
    let lexer = Lexer::new(text, file, false);
    let place = lexer.position();
    let columns = Columns { text, place, column: 0 };
    let mut reader =
        Reader { registry, lexer, columns, has_crlf: None, errors: Vec::new(), statements: Vec::new(), depth: 0 };
    match reader.lines(None) {
        Ok(lines) if reader.errors.is_empty() => Ok(Tree { lines, has_crlf: reader.has_crlf.unwrap_or(false) }),
        Ok(_) => Err((reader.errors, reader.statements)),
        Err(error) => {
            reader.errors.push(error);
            Err((reader.errors, reader.statements))
        }
    }
}

/// Blanks between two pieces.
struct Gap {
    line_ends: usize,
    columns: usize,
}

struct Reader<'r, 't> {
    registry: &'r Registry,
    lexer: Lexer<'t>,
    columns: Columns<'t>,
    /// Whether the first line end between words is CR LF; those inside of words and code don't count.
    has_crlf: Option<bool>,
    /// Errors that leave no doubt how to read on.
    errors: Vec<Error>,
    statements: Vec<Span>,
    depth: usize,
}

/// The braces' own statement, for the error about a block that never ends.
struct Opened<'s> {
    name: &'s str,
    line: u32,
}

impl<'t> Reader<'_, 't> {
    /// The lines of a block, up to and with its closing brace; those of the text, where no block was `opened`.
    fn lines(&mut self, opened: Option<Opened>) -> Result<Vec<Line<'t>>, Error> {
        let mut lines = Vec::new();
        loop {
            let gap = self.gap();
            if gap.line_ends > 1 && !lines.is_empty() {
                lines.push(Line::Blank);
            }
            let mark = self.lexer.mark();
            let unexpected = |byte: char| format!("unexpected \"{byte}\"");
            match self.lexer.peek() {
                None => match &opened {
                    None => break,
                    Some(Opened { name, line }) => {
                        let error = self.lexer.end_of_text("unexpected end of file, expecting \"}\"");
                        return Err(error.help(format!("the \"{{\" of \"{name}\" in line {line} is never closed")));
                    }
                },
                Some(b'}') if opened.is_some() => {
                    self.lexer.bump();
                    break;
                }
                Some(byte @ (b'{' | b'}')) => return Err(self.lexer.error(mark, 1, unexpected(byte.into()))),
                Some(b';') => {
                    self.errors.push(self.lexer.error(mark, 1, unexpected(';')));
                    self.lexer.bump();
                }
                Some(b'#') => lines.push(Line::Comment(self.comment())),
                Some(_) => lines.push(Line::Statement(self.statement()?)),
            }
        }
        if matches!(lines.last(), Some(Line::Blank)) {
            lines.pop();
        }
        Ok(lines)
    }

    fn statement(&mut self) -> Result<Statement<'t>, Error> {
        let mut pieces: Vec<Piece> = Vec::new();
        let first_column = self.columns.of(self.lexer.position());
        let mut gap = Gap { line_ends: 0, columns: 0 };
        let (mut name, mut start) = (String::new(), Span::NOWHERE);
        let end = loop {
            let mark = self.lexer.mark();
            let place = self.lexer.position();
            let is_comment = match self.lexer.peek() {
                None => return Err(self.lexer.unexpected_end()),
                Some(b';') => {
                    self.lexer.bump();
                    break End::Semicolon;
                }
                Some(b'{') => {
                    self.lexer.bump();
                    break self.block(&name, start)?;
                }
                Some(b'}') => {
                    let missing = self.lexer.error(mark, 1, "unexpected \"}\"".to_owned());
                    self.errors.push(missing.help("is a \";\" missing before it?"));
                    break End::Semicolon;
                }
                Some(byte) => byte == b'#',
            };
            let text = if is_comment {
                self.comment()
            } else {
                let (word, _) = self.lexer.word()?;
                if pieces.is_empty() {
                    self.statements.push(word.span);
                    (name, start) = (word.text, word.span);
                }
                self.lexer.text_since(place)
            };
            let column = self.columns.of(place).saturating_sub(first_column);
            pieces.push(Piece { text, is_comment, begins_line: gap.line_ends > 0, gap: gap.columns, column });
            gap = self.gap();
        };
        let trailing = self.trailing(first_column);
        Ok(Statement { pieces, end, trailing })
    }

    /// The block behind the opening brace of the directive `name`, which began at `start`.
    fn block(&mut self, name: &str, start: Span) -> Result<End<'t>, Error> {
        let inside = self.lexer.mark();
        let place = self.lexer.position();
        if self.skip_code(name) {
            return Ok(End::Code(self.lexer.text_since(place)));
        }
        self.lexer.reset(inside);
        if self.depth == DEEPEST {
            let message = format!("more than {DEEPEST} levels of blocks and includes");
            return Err(Error::new(ErrorKind::Syntax, start, message));
        }
        let first_line = self.lexer.line();
        let comment = self.trailing(0);
        self.depth += 1;
        let lines = self.lines(Some(Opened { name, line: start.line }))?;
        self.depth -= 1;
        Ok(End::Block(Block { comment, lines, is_one_line: self.lexer.line() == first_line }))
    }

    /// Reads a block in another language to its end: that of a directive known for it, or of a directive that is not
    /// known, where the block can't be read. False: the block is the conf's own.
    fn skip_code(&mut self, name: &str) -> bool {
        if self.registry.holds_lua(name) {
            return self.lexer.skip_code(Language::Lua);
        }
        let is_own = |entry: &&'static dyn Entry| matches!(entry.kind(), Kind::Setting(_) | Kind::Section(_));
        if self.registry.named(name).iter().any(is_own) {
            return false;
        }
        let inside = self.lexer.mark();
        let registry = self.registry;
        let is_lua = |inner: &Words| inner.words.first().is_some_and(|name| registry.holds_lua(&name.text));
        let is_readable = self.lexer.skip_block(|inner, _| is_lua(inner)).is_ok_and(|slip| slip.is_none());
        self.lexer.reset(inside);
        !is_readable && self.lexer.skip_code(Language::Unknown)
    }

    /// The comment that begins in this line, if nothing else does.
    fn trailing(&mut self, first_column: usize) -> Option<Piece<'t>> {
        let before = self.lexer.mark();
        let from = self.columns.of(self.lexer.position());
        while matches!(self.lexer.peek(), Some(b' ' | b'\t' | b'\r')) {
            self.lexer.bump();
        }
        if self.lexer.peek() != Some(b'#') {
            self.lexer.reset(before);
            return None;
        }
        let at = self.columns.of(self.lexer.position());
        let (gap, column) = (at - from, at.saturating_sub(first_column));
        Some(Piece { text: self.comment(), is_comment: true, begins_line: false, gap, column })
    }

    /// A comment up to the end of its line, without the blanks there.
    fn comment(&mut self) -> &'t [u8] {
        let place = self.lexer.position();
        while self.lexer.peek().is_some_and(|byte| byte != b'\n') {
            self.lexer.bump();
        }
        self.note_line_end(place);
        self.lexer.text_since(place).trim_ascii_end()
    }

    /// Reads the blanks in front of the next word, comment or end.
    fn gap(&mut self) -> Gap {
        let place = self.lexer.position();
        let from = self.columns.of(place);
        let mut line_ends = 0;
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.lexer.peek() {
            if byte == b'\n' {
                self.note_line_end(place);
                line_ends += 1;
            }
            self.lexer.bump();
        }
        let end = self.lexer.position();
        // A CR alone has no width, and separates words all the same.
        let columns = if line_ends == 0 { (self.columns.of(end) - from).max(usize::from(end > place)) } else { 0 };
        Gap { line_ends, columns }
    }

    /// Notes which line end is here, if it is the first one. A CR in front of `from` is the end of a word (`\` CR).
    fn note_line_end(&mut self, from: usize) {
        let place = self.lexer.position();
        if self.has_crlf.is_none() && self.columns.text.get(place) == Some(&b'\n') {
            self.has_crlf = Some(self.columns.text[from..place].ends_with(b"\r"));
        }
    }
}

/// Columns of places in a text, in which a tab goes on to the next multiple of four.
struct Columns<'t> {
    text: &'t [u8],
    /// The last place that was asked for.
    place: usize,
    column: usize,
}

/// The indentation of a block, and what a tab is worth: most confs with tabs have one for each block.
pub(super) const INDENT: usize = 4;

impl Columns<'_> {
    /// The column of a place, which is not before the last one that was asked for.
    fn of(&mut self, place: usize) -> usize {
        for byte in self.text.get(self.place..place).unwrap_or_default() {
            self.column = match byte {
                b'\n' => 0,
                b'\t' => (self.column / INDENT + 1) * INDENT,
                b'\r' | 0x80..=0xbf => self.column,
                _ => self.column + 1,
            };
        }
        self.place = place;
        self.column
    }
}
