//! Directives without effect: their values are checked, and their blocks are skipped.

use super::{Block, End, Error, Kind, Lexer, Loader, Occurrence, Statement};

impl Loader<'_> {
    /// Checks a directive without effect, and reads its block to the end.
    pub(super) fn without_effect(
        &mut self,
        kind: Kind,
        statement: &Statement,
        block: &mut Block,
        lexer: &mut Lexer,
    ) -> Result<(), Error> {
        let Some((name, args)) = statement.words.split_first() else { return Ok(()) };
        let (is_once, check) = kind.without_effect(&name.text);
        let first = block.inert.insert(name.text.clone(), name.span).filter(|_| is_once);
        let context = block.section.inner;
        let args = self.args(Occurrence { name, args, items: &[], context, first, statement });
        first.map_or(Ok(()), |_| Err(args.duplicate("is duplicate")))?;
        check.map_or(Ok(()), |check| check(&args))?;
        if !self.inert.iter().any(|(known, _)| *known == name.text) {
            self.inert.push((name.text.clone(), name.span));
        }
        if statement.end == End::Open {
            let slip = lexer.skip_block(|name| self.holds_lua(name))?;
            self.mistakes.keep(slip.map_or(Ok(()), Err));
        }
        Ok(())
    }
}
