//! Writes the lines of a conf.
//!
//! A block's lines are indented by four blanks. Words have one blank between them, but columns stay: where words, or
//! the comments behind statements, stand below each other in neighbouring lines, they still do. A name may have two
//! blanks behind it, as in nginx's own confs. A statement of several lines keeps them, its further lines as far to the
//! right of its first as they were.

use super::tree::{Block, End, INDENT, Line, Piece, Statement, Tree};
use std::collections::HashMap;

/// Columns of a block that stays in one line.
const WIDEST: usize = 120;

/// The text of a conf.
pub(super) fn write(tree: &Tree) -> Vec<u8> {
    let mut writer = Writer { text: Vec::new(), line_end: if tree.has_crlf { b"\r\n" } else { b"\n" } };
    writer.lines(&tree.lines, 0);
    // A mark that is a word would be none at the beginning of a text.
    if writer.text.starts_with("\u{feff}".as_bytes()) {
        writer.text.splice(..0, writer.line_end.iter().copied());
    }
    writer.text
}

struct Writer<'w> {
    text: Vec<u8>,
    line_end: &'w [u8],
}

/// How many lines of a group have a piece at a column: by its number, and the column counted from the statement's.
type Columns = HashMap<(usize, usize), usize>;

/// The number of a comment behind a statement.
const TRAILING: usize = usize::MAX;

impl Writer<'_> {
    fn lines(&mut self, lines: &[Line], depth: usize) {
        let mut columns = Columns::new();
        let mut is_in_group = false;
        for (n, line) in lines.iter().enumerate() {
            let begins_group = !is_in_group;
            is_in_group = is_of_group(line);
            if begins_group && is_in_group {
                columns = columns_of(lines.get(n..).unwrap_or_default());
            }
            match line {
                Line::Blank => self.end_line(),
                Line::Comment(comment) => {
                    self.pad(depth * INDENT);
                    self.text.extend_from_slice(comment);
                    self.end_line();
                }
                Line::Statement(statement) => self.statement(statement, depth, &columns),
            }
        }
    }

    fn statement(&mut self, statement: &Statement, depth: usize, columns: &Columns) {
        let indent = depth * INDENT;
        self.pad(indent);
        match &statement.end {
            End::Semicolon if is_simple(statement) => {
                let width = self.simple(statement, columns);
                self.comment_behind(statement, width, columns);
            }
            End::Semicolon => {
                self.pieces(statement, indent, false);
                self.text.push(b';');
                self.comment_behind(statement, 0, &Columns::new());
            }
            End::Block(block) => {
                self.head(statement, indent);
                self.block(block, depth);
                self.comment_behind(statement, 0, &Columns::new());
            }
            End::Code(code) => {
                self.head(statement, indent);
                self.text.extend_from_slice(b"{");
                self.text.extend_from_slice(code);
                self.comment_behind(statement, 0, &Columns::new());
            }
        }
        self.end_line();
    }

    /// A statement in one line. Returns its width.
    fn simple(&mut self, statement: &Statement, columns: &Columns) -> usize {
        let mut width = 0;
        for (n, piece) in statement.pieces.iter().enumerate() {
            let gap = match piece.gap {
                0 => 0,
                gap if n == 1 => gap.min(2),
                _ => 1,
            };
            width += self.gap(n, piece, width, gap, columns);
            self.text.extend_from_slice(piece.text);
            width += columns_in(piece.text);
        }
        self.text.push(b';');
        width + 1
    }

    /// The comment behind a statement of this width, if there is one.
    fn comment_behind(&mut self, statement: &Statement, width: usize, columns: &Columns) {
        if let Some(comment) = &statement.trailing {
            self.gap(TRAILING, comment, width, comment.gap.clamp(1, 2), columns);
            self.text.extend_from_slice(comment.text);
        }
    }

    /// The blanks in front of a piece, which keeps its column where another line of the group has one below or above.
    /// Nothing in front of it is wider than it was. Returns their number.
    fn gap(&mut self, n: usize, piece: &Piece, width: usize, usual: usize, columns: &Columns) -> usize {
        let is_column = piece.gap > 0 && columns.get(&(n, piece.column)).is_some_and(|lines| *lines > 1);
        let gap = if is_column { piece.column.saturating_sub(width).max(1) } else { usual };
        self.pad(gap);
        gap
    }

    /// The pieces of a statement in several lines. `is_joined`: in one, as far as comments let them.
    fn pieces(&mut self, statement: &Statement, indent: usize, is_joined: bool) {
        let mut is_behind_comment = false;
        for (n, piece) in statement.pieces.iter().enumerate() {
            if is_behind_comment || n > 0 && piece.begins_line && !is_joined {
                self.end_line();
                self.pad(indent + piece.column.max(INDENT));
            } else if is_joined {
                self.pad(usize::from(piece.gap > 0 || piece.begins_line));
            } else {
                self.pad(piece.gap);
            }
            self.text.extend_from_slice(piece.text);
            is_behind_comment = piece.is_comment;
        }
        if is_behind_comment {
            self.end_line();
            self.pad(indent + INDENT);
        }
    }

    /// The words in front of a block, and a blank.
    fn head(&mut self, statement: &Statement, indent: usize) {
        let has_comment = statement.pieces.iter().any(|piece| piece.is_comment);
        self.pieces(statement, indent, !has_comment);
        if !statement.pieces.last().is_some_and(|piece| piece.is_comment) {
            self.text.push(b' ');
        }
    }

    fn block(&mut self, block: &Block, depth: usize) {
        self.text.push(b'{');
        if let Some(comment) = &block.comment {
            self.pad(comment.gap.clamp(1, 2));
            self.text.extend_from_slice(comment.text);
        } else if block.lines.is_empty() {
            self.text.extend_from_slice(b" }");
            return;
        } else if block.is_one_line && self.one_line(block) {
            return;
        }
        self.end_line();
        self.lines(&block.lines, depth + 1);
        self.pad(depth * INDENT);
        self.text.push(b'}');
    }

    /// Writes a block of one statement behind its brace, if it fits. False: nothing is written.
    fn one_line(&mut self, block: &Block) -> bool {
        let [Line::Statement(statement)] = &block.lines[..] else { return false };
        if !matches!(statement.end, End::Semicolon) || !is_simple(statement) || statement.trailing.is_some() {
            return false;
        }
        let before = self.text.len();
        self.text.push(b' ');
        self.simple(statement, &Columns::new());
        self.text.extend_from_slice(b" }");
        let line = self.text.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let fits = columns_in(line) <= WIDEST;
        if !fits {
            self.text.truncate(before);
        }
        fits
    }

    fn pad(&mut self, blanks: usize) {
        self.text.extend(std::iter::repeat_n(b' ', blanks));
    }

    fn end_line(&mut self) {
        self.text.extend_from_slice(self.line_end);
    }
}

/// Whether a statement stands in one line, without a tab in its words, whose width depends on the column.
fn is_simple(statement: &Statement) -> bool {
    let has_control = |piece: &Piece| piece.text.iter().any(|byte| matches!(byte, b'\n' | b'\r' | b'\t'));
    let is_plain = |piece: &Piece| !piece.is_comment && !piece.begins_line && !has_control(piece);
    statement.pieces.iter().all(is_plain)
}

/// Whether a line can have a neighbour in its columns.
fn is_of_group(line: &Line) -> bool {
    match line {
        Line::Blank => false,
        Line::Comment(_) => true,
        Line::Statement(statement) => matches!(statement.end, End::Semicolon) && is_simple(statement),
    }
}

/// The columns of the group that begins with these lines.
fn columns_of(lines: &[Line]) -> Columns {
    let mut columns = Columns::new();
    for line in lines.iter().take_while(|line| is_of_group(line)) {
        let Line::Statement(statement) = line else { continue };
        let pieces =
            statement.pieces.iter().enumerate().chain(statement.trailing.iter().map(|piece| (TRAILING, piece)));
        for (n, piece) in pieces.filter(|(_, piece)| piece.gap > 0) {
            *columns.entry((n, piece.column)).or_default() += 1;
        }
    }
    columns
}

/// The columns that a text of one line takes.
fn columns_in(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}
