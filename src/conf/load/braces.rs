//! Regexes with braces and without quotes, as in `location ~ ^/\d{3}$ {`: to nginx the first brace ends the
//! statement. Such a statement gets the error that nginx finds first, and the advice to quote the regex, and is then
//! read as if it had quotes, so that nothing follows from the mistake.

use super::{Block, Inside, Loader, Occurrence};
use crate::conf::lexer::{Braced, End, Language, Lexer, Statement};
use crate::conf::{Arg, Error, ErrorKind, Kind};
use crate::os::pcre::Pattern;

impl Loader<'_> {
    /// Keeps what is wrong with the form of a statement whose meaning is beyond doubt. Error: `-g` takes no brace.
    pub(super) fn note_slips(
        &mut self,
        statement: &mut Statement,
        block: &mut Block,
        inside: Inside,
    ) -> Result<(), Error> {
        if let Some(slip) = statement.slip.take() {
            let slip = self.explain(statement, slip);
            self.mistakes.add(slip);
            block.is_whole = false;
        }
        let Some(braced) = statement.braced.take() else { return Ok(()) };
        if inside == Inside::CommandLine {
            return Err(Error::new(ErrorKind::Syntax, braced.brace, super::NO_BLOCKS));
        }
        if let Some(error) = self.cut_at_brace(statement, &braced, block) {
            self.mistakes.add(quoted(error, statement, &braced));
        }
        Ok(())
    }

    /// Keeps the slips in a statement of a raw block.
    pub(super) fn note_slips_of_item(&mut self, statement: &mut Statement) {
        if let Some(braced) = statement.braced.take() {
            let error = Error::new(ErrorKind::Context, braced.brace, "unexpected \"{\"");
            self.mistakes.add(quoted(error, statement, &braced));
        }
        self.mistakes.keep(statement.slip.take().map_or(Ok(()), Err));
    }

    /// The error that nginx finds in a statement which ends at the brace; `None`: one that has nothing to do with it.
    fn cut_at_brace(&mut self, statement: &Statement, braced: &Braced, block: &Block) -> Option<Error> {
        let mut words = statement.words.get(..=braced.index)?.to_vec();
        words.last_mut()?.text.clone_from(&braced.cut);
        let cut = Statement { words, end: End::Open, end_span: braced.brace, braced: None, slip: None };
        let (name, args) = cut.words.split_first()?;
        let context = block.section.inner;
        let entry = match self.find(&cut, name, context) {
            Ok(entry) => entry,
            Err(error) => {
                let whole = self.find(statement, name, context).err();
                return (whole.is_none_or(|whole| whole.message() != error.message())).then_some(error);
            }
        };
        if let Kind::Section(section) = entry.kind()
            && let Some(store) = section.head
        {
            let head = Occurrence { name, args, items: &[], context, first: None, statement: &cut };
            if let Err(error) = self.set(store, head, &mut store.empty()) {
                return Some(error);
            }
        }
        let sentence = bad_regex(args).unwrap_or_else(|| format!("unknown directive \"{}\"", braced.rest));
        Some(Error::new(ErrorKind::Unknown, braced.brace, sentence))
    }

    /// Reads to the end of a block that nothing here understands.
    pub(super) fn skip_unknown_block(&self, name: Option<&Arg>, lexer: &mut Lexer) -> Result<(), Error> {
        if name.is_some_and(|name| self.registry.holds_lua(&name.text)) && lexer.skip_code(Language::Lua) {
            return Ok(());
        }
        let start = lexer.mark();
        let is_lua = |inner: &Statement| inner.words.first().is_some_and(|name| self.registry.holds_lua(&name.text));
        let Err(error) = lexer.skip_block(|inner, _| is_lua(inner)) else { return Ok(()) };
        let end = lexer.mark();
        // Some other language, most likely.
        lexer.reset(start);
        if lexer.skip_code(Language::Unknown) {
            return Ok(());
        }
        lexer.reset(end);
        Err(error)
    }
}

/// The complaint about the regex of a location; `None`: it has none, or a good one.
fn bad_regex(args: &[Arg]) -> Option<String> {
    let (pattern, ignores_case) = match args {
        [modifier, pattern] if modifier.text == "~" => (&*pattern.text, false),
        [modifier, pattern] if modifier.text == "~*" => (&*pattern.text, true),
        [glued] => {
            let pattern = glued.text.strip_prefix('~')?;
            (pattern.strip_prefix('*').unwrap_or(pattern), pattern.starts_with('*'))
        }
        _ => return None,
    };
    Pattern::new(pattern, ignores_case).err().map(|error| error.in_pattern(pattern))
}

/// Points to the word, and says how it is written.
fn quoted(error: Error, statement: &Statement, braced: &Braced) -> Error {
    let mut raw = &*braced.raw;
    // The parenthesis of an "if" stays outside.
    while raw.ends_with(')') && raw.matches(')').count() > raw.matches('(').count() {
        raw = &raw[..raw.len() - 1];
    }
    let quote = if raw.contains('"') { '\'' } else { '"' };
    let what = if raw.contains(['\\', '^', '$', '~', '*', '(', '[', '|']) { "the regex" } else { "the value" };
    let span = statement.words.get(braced.index).map_or(braced.brace, |word| word.span);
    error.moved_to(span).help(format!("put {what} in quotes: {quote}{raw}{quote}"))
}
