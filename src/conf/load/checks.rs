//! The checks on a statement before it is parsed: nginx's sentences, in nginx's order, with what would help.

use super::{Block, DEEPEST, End, Lexer, Loader, Own, Statement};
use crate::conf::entry::InNginx;
use crate::conf::{Arg, Contexts, Entry, Error, ErrorKind, Kind, Section, Span, Store};

impl Loader<'_> {
    /// The entry of a statement. Errors: an unknown name, a name that this context does not take, a wrong end, a wrong
    /// number of arguments.
    pub(super) fn find(
        &self,
        statement: &Statement,
        name: &Arg,
        context: Contexts,
    ) -> Result<&'static dyn Entry, Error> {
        let line = statement.end_span.line;
        let entries = self.registry.named(&name.text);
        if let [only] = entries
            && let Kind::Refused(refused) = only.kind()
        {
            if refused.is_idle(statement.words.get(1..).unwrap_or_default()) && statement.end == End::Semicolon {
                let contexts = refused.info().contexts();
                if !contexts.is_empty() && !contexts.intersects(context) {
                    return Err(self.not_here(name, entries, context).ends_in(line));
                }
                return Ok(*only);
            }
            let message = match refused.in_nginx {
                InNginx::Here => format!("\"{}\" directive is not supported", name.text),
                InNginx::Elsewhere => format!("\"{}\" directive is not allowed here", name.text),
                InNginx::Nowhere => format!("unknown directive \"{}\"", name.text),
            };
            return Err(Error::new(ErrorKind::Refused, name.span, message).ends_in(line).help(refused.info().about()));
        }
        let Some(entry) = entries.iter().find(|entry| entry.info().contexts().intersects(context)) else {
            return Err(self.not_here(name, entries, context).ends_in(line));
        };
        let block = match entry.kind() {
            Kind::Section(_) => true,
            Kind::Setting(store) => store.takes_block(),
            Kind::Inert(inert) => inert.takes_block,
            Kind::Refused(_) => false,
        };
        if !block && statement.end == End::Open {
            return Err(self.not_terminated(statement, name));
        }
        if block && statement.end != End::Open {
            let message = format!("directive \"{}\" has no opening \"{{\"", name.text);
            return Err(Error::new(ErrorKind::Context, statement.end_span, message));
        }
        let form = match entry.kind() {
            Kind::Inert(inert) => inert.form_of(&name.text),
            _ => None,
        };
        let (min, max) = form.map_or(entry.info().args(), |form| form.args);
        let number = statement.words.len() - 1;
        if !(min..=max).contains(&number) {
            let syntax = form.map_or_else(|| entry.info().syntax(), |form| form.syntax.into());
            return Err(self.wrong_number(statement, name, &syntax, number > max, max > 0));
        }
        Ok(*entry)
    }

    fn not_here(&self, name: &Arg, entries: &[&'static dyn Entry], context: Contexts) -> Error {
        if entries.is_empty() {
            let error = Error::new(ErrorKind::Unknown, name.span, format!("unknown directive \"{}\"", name.text));
            return match self.registry.nearest(&name.text, context) {
                Some(near) => error.help(format!("did you mean \"{near}\"?")),
                None => error,
            };
        }
        let contexts = entries.iter().fold(Contexts::empty(), |all, entry| all | entry.info().contexts());
        let places: Vec<&str> = contexts.words().collect();
        let message = format!("\"{}\" directive is not allowed here", name.text);
        let help = format!("its place is {}", places.join(", "));
        Error::new(ErrorKind::Context, name.span, message).help(help)
    }

    pub(super) fn not_terminated(&self, statement: &Statement, name: &Arg) -> Error {
        let message = format!("directive \"{}\" is not terminated by \";\"", name.text);
        Error::new(ErrorKind::Context, statement.end_span, message)
    }

    pub(super) fn wrong_number(
        &self,
        statement: &Statement,
        name: &Arg,
        syntax: &str,
        is_excess: bool,
        takes_some: bool,
    ) -> Error {
        let message = format!("invalid number of arguments in \"{}\" directive", name.text);
        let usage = format!("{} {syntax}", name.text);
        let is_free = |word: &str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_uppercase());
        let quotes = match is_excess && syntax.split([' ', '[', ']']).any(is_free) {
            true => ", and a value of several words in quotes",
            false => "",
        };
        let error = Error::new(ErrorKind::Arity, name.span, message).ends_in(statement.end_span.line);
        match syntax.is_empty() && takes_some {
            true => error,
            false => error.help(format!("write it as: {}{quotes}", usage.trim())),
        }
    }

    /// Keeps the error of a statement, so that the statements behind it can be checked. `is_closed_up`: a block that
    /// the statement opens has not been read. Errors: an error of the syntax, here or in that block.
    pub(super) fn go_on_after(
        &mut self,
        error: Error,
        statement: &Statement,
        is_closed_up: bool,
        lexer: &mut Lexer,
    ) -> Result<(), Error> {
        let error = self.explain(statement, error);
        if error.kind() == ErrorKind::Syntax {
            return Err(error);
        }
        self.mistakes.add(error);
        match statement.words.first() {
            Some(name) if name.text == "include" => self.mistakes.lose_file(),
            _ => statement.words.iter().for_each(|word| self.mistakes.lose(&*word.text)),
        }
        if statement.end == End::Open && is_closed_up {
            let start = lexer.position();
            self.skip_unknown_block(statement.words.first(), lexer)?;
            self.mistakes.lose(String::from_utf8_lossy(lexer.text_since(start)));
        }
        Ok(())
    }

    pub(super) fn check_once(
        &self,
        section: &'static Section,
        statement: &Statement,
        name: &Arg,
        block: &Block,
    ) -> Result<(), Error> {
        match block.children.iter().find(|child| section.once && std::ptr::eq(child.section, section)) {
            Some(first) => Err(duplicate(statement, name, first.span)),
            None => Ok(()),
        }
    }

    /// The block's own value of a setting, empty at its first occurrence.
    pub(super) fn own<'b>(
        &self,
        store: &dyn Store,
        statement: &Statement,
        name: &Arg,
        block: &'b mut Block,
    ) -> Result<&'b mut Own, Error> {
        use std::collections::hash_map::Entry::{Occupied, Vacant};
        match block.own.entry(store.index()) {
            Occupied(own) if !store.is_many() => Err(duplicate(statement, name, own.get().span)),
            Occupied(own) => Ok(own.into_mut()),
            Vacant(place) => Ok(place.insert(Own { value: store.empty(), span: name.span, is_set: false })),
        }
    }

    pub(super) fn check_required(&mut self, root: &Block) {
        for entry in self.registry.entries() {
            if let Kind::Section(section) = entry.kind()
                && section.required
                && !root.children.iter().any(|child| std::ptr::eq(child.section, section))
            {
                let name = entry.info().names().first().copied().unwrap_or_default();
                let message = format!("no \"{name}\" section in configuration");
                let error = Error::new(ErrorKind::Context, Span::NOWHERE, message).misses(name);
                self.mistakes.add(error.help(format!("add one; \"{name} {{}}\" will do")));
            }
        }
    }

    pub(super) fn never_closed(&self, lexer: &Lexer, section: &'static Section, span: Span) -> Error {
        self.unclosed(lexer, section.info().names().first().copied().unwrap_or_default(), span)
    }

    /// The error about a text that ends inside the block of `name`, which begins at `span`.
    pub(super) fn unclosed(&self, lexer: &Lexer, name: &str, span: Span) -> Error {
        lexer
            .end_of_text("unexpected end of file, expecting \"}\"")
            .help(format!("the \"{{\" of \"{name}\" in line {} is never closed", span.line))
    }

    /// Runs `read` one level deeper. Error: [`DEEPEST`].
    pub(super) fn deeper<R>(
        &mut self,
        name: &Arg,
        read: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        if self.depth == DEEPEST {
            return Err(Error::new(
                ErrorKind::Syntax,
                name.span,
                format!("more than {DEEPEST} levels of blocks and includes"),
            ));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }
}

fn duplicate(statement: &Statement, name: &Arg, first: Span) -> Error {
    let message = format!("\"{}\" directive is duplicate", name.text);
    Error::new(ErrorKind::Duplicate, name.span, message).ends_in(statement.end_span.line).first_at(first)
}
