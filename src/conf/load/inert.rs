//! Directives without effect: their values are checked, and their blocks are skipped.

use super::{Arg, Block, Contexts, End, Error, Kind, Lexer, Loader, Occurrence, Statement};
use crate::conf::Inert;

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
        if let (End::Open, Kind::Inert(inert)) = (statement.end, kind) {
            return self.inert_block(inert, name, lexer);
        }
        Ok(())
    }

    /// Reads a block without effect to its end: the names of its directives are checked, and whether the one is there
    /// that it can't do without.
    fn inert_block(&mut self, inert: &Inert, name: &Arg, lexer: &mut Lexer) -> Result<(), Error> {
        let (mut errors, mut is_empty) = (Vec::new(), true);
        let read = lexer.skip_block(|statement, depth| {
            let Some(name) = statement.words.first() else { return false };
            is_empty &= !inert.needed.contains(&&*name.text);
            if depth == 1 && !inert.needed.contains(&&*name.text) && !inert.inner.contains(&&*name.text) {
                let error = self.find(statement, name, Contexts::empty()).err();
                errors.extend(error.map(|error| self.explain(statement, error)));
            }
            self.registry.holds_lua(&name.text)
        });
        errors.into_iter().for_each(|error| self.mistakes.add(error));
        self.mistakes.keep(read?.map_or(Ok(()), Err));
        if is_empty && !inert.needed.is_empty() {
            let what = format!("no {}s are inside {}", inert.needed[0], name.text);
            self.mistakes.add(Error::at(name.span, what).ends_in(lexer.line()));
        }
        Ok(())
    }
}
