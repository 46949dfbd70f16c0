//! From bytes to a [`Conf`]: reads statements, checks them as nginx's `ngx_conf_handler` does, lets the settings parse
//! them, and gives every block its scope.

mod braces;
mod checks;
mod files;
mod hints;
mod include;
mod inert;
mod salvage;
mod scopes;

pub use salvage::{Watch, salvage};

use super::args::join;
use super::lexer::{End, Lexer, Statement};
use super::{
    Arg, Args, Contexts, Entry, Error, ErrorKind, Item, Kind, Mistakes, Notes, Problems, Registry, Scope, Section,
    SourceId, Sources, Span, Store, Value, Warning,
};
use crate::os::Addr;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The origin of a conf.
#[derive(Debug, Clone, Copy)]
pub enum Input<'i> {
    /// A file; `include` is relative to its directory.
    File(&'i Path),
    /// A text that the program carries; `include` is relative to the prefix.
    Text {
        /// The name of the text in errors.
        name: &'i str,
        /// The text.
        text: &'i str,
    },
}

impl<'i> Input<'i> {
    /// A text whose includes are relative to the prefix.
    pub fn text(name: &'i str, text: &'i str) -> Input<'i> {
        Input::Text { name, text }
    }
}

/// Options of the reading of a conf.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The directory where relative paths start (`-p`).
    pub prefix: String,
    /// `-g`: directives that come first in the main context.
    pub globals: Option<String>,
    /// Names and texts of files that the program carries: an `include` of a missing file, in whatever directory, gets
    /// the text with its name.
    pub built_in: &'static [(&'static str, &'static str)],
}

/// A conf that was read without an error.
#[derive(Debug)]
pub struct Conf {
    /// The main context.
    pub root: Node,
    /// The texts that the conf was read from.
    pub sources: Sources,
    /// The wildcard addresses of inherited listening sockets that take IPv4 clients as well.
    pub passed: Vec<Addr>,
    /// Remarks for the error log.
    pub warnings: Vec<Warning>,
    notes: Notes,
    /// The beginnings of its statements.
    statements: Vec<Span>,
    /// Where the reading of a file ended before the file did.
    unread: Vec<Span>,
}

impl Conf {
    /// The note of type `N` that directives left while they were parsed ([`Args::notes`]), if any did.
    pub fn notes<N: std::any::Any>(&self) -> Option<&N> {
        self.notes.get()
    }

    /// Adds the text at its place to an error that was found after the loading.
    pub fn explain(&self, error: Error) -> Error {
        error.shown_with(&self.sources)
    }

    /// Adds a warning that was found after the loading.
    pub fn warn(&mut self, error: Error) {
        let error = self.explain(error);
        self.warnings.push(Warning { notice: false, error });
    }

    /// Adds a notice that was found after the loading.
    pub fn notice(&mut self, error: Error) {
        let error = self.explain(error);
        self.warnings.push(Warning { notice: true, error });
    }

    /// Fails with all mistakes but the consequences of others, in the order of the conf, if there are any.
    pub fn judge(&self, mistakes: Mistakes) -> Result<(), Problems> {
        match Problems::new(mistakes.into_errors(&self.sources), &self.statements) {
            Some(problems) => Err(problems.shown_with(&self.sources).with_unread(&self.unread, &self.sources)),
            None => Ok(()),
        }
    }

    /// `conf/drover.conf:12`
    pub fn place(&self, span: Span) -> Option<String> {
        self.sources.place(span.file, span.line)
    }
}

/// A block.
#[derive(Debug)]
pub struct Node {
    section: &'static Section,
    /// The arguments between the name and the brace.
    pub args: Vec<Arg>,
    /// The place of the name.
    pub span: Span,
    /// The values in force in the block.
    pub scope: Scope,
    /// The inner blocks, in their order.
    pub children: Vec<Node>,
    /// Whether each of its own statements was understood.
    pub is_whole: bool,
}

impl Node {
    /// Whether this is a block of `section`.
    pub fn is(&self, section: &'static Section) -> bool {
        std::ptr::eq(self.section, section)
    }

    /// The inner blocks of `section`, in their order.
    pub fn children_of<'n>(&'n self, section: &'static Section) -> impl Iterator<Item = &'n Node> {
        self.children.iter().filter(move |node| node.is(section))
    }
}

/// Reads a conf. Errors: all that are found, with the texts at their places, ready to be shown. Behind an error of the
/// syntax nothing is read: what comes there can't be told.
pub fn load(registry: &Registry, input: Input, options: &Options) -> Result<Conf, Problems> {
    let (conf, mistakes) = read(registry, input, options)?;
    conf.judge(mistakes)?;
    Ok(conf)
}

/// Reads a conf as far as it can be understood, so that more than its statements can be checked; it is no conf to serve
/// where there are mistakes. Errors: those of a conf that can't be read at all, as of [`load`].
pub fn read(registry: &Registry, input: Input, options: &Options) -> Result<(Conf, Mistakes), Problems> {
    let mut loader = Loader::new(registry, input, options);
    let read = loader.load(input, options);
    let mut mistakes = std::mem::take(&mut loader.mistakes);
    let root = mistakes.keep(read);
    mistakes.end_reading();
    if let Some(root) = root {
        return Ok((loader.done(root), mistakes));
    }
    let nothing = loader.root(Block::new(&MAIN, Vec::new(), Span::NOWHERE), Scope::default());
    match loader.done(nothing).judge(mistakes) {
        Err(problems) => Err(problems),
        Ok(()) => unreachable!("an error that ends the reading is about no name"),
    }
}

/// Reads a conf from a text called `conf`, with the prefix `/`, for tests.
pub fn parse(registry: &Registry, text: &str) -> Result<Conf, Error> {
    let options = Options { prefix: "/".to_owned(), ..Options::default() };
    load(registry, Input::Text { name: "conf", text }, &options).map_err(Problems::into_first)
}

static MAIN: Section = Section::new("main").inner(Contexts::MAIN);

/// Levels of blocks and includes: no conf can exhaust the stack.
pub(super) const DEEPEST: usize = 64;

const NO_BLOCKS: &str = "block directives are not supported in -g option";

/// The reason why a list of statements may end: the end of a file, a brace, the end of `-g`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    File,
    Braces,
    CommandLine,
}

/// A block while it is read.
struct Block {
    section: &'static Section,
    args: Vec<Arg>,
    span: Span,
    own: HashMap<usize, Own>,
    /// The directives without effect that it may have once, and where they stand.
    inert: HashMap<String, Span>,
    children: Vec<Block>,
    is_whole: bool,
}

struct Own {
    value: Value,
    span: Span,
    /// Whether a directive has been understood.
    is_set: bool,
}

impl Block {
    fn new(section: &'static Section, args: Vec<Arg>, span: Span) -> Block {
        Block { section, args, span, own: HashMap::new(), inert: HashMap::new(), children: Vec::new(), is_whole: true }
    }
}

struct Loader<'l> {
    registry: &'l Registry,
    prefix: String,
    conf_dir: String,
    built_in: &'static [(&'static str, &'static str)],
    sources: Sources,
    notes: Notes,
    warnings: Vec<Warning>,
    /// The errors so far, none of which hides what comes behind.
    mistakes: Mistakes,
    /// The beginnings of the statements that were read.
    statements: Vec<Span>,
    /// Where the reading of a file ended before the file did.
    unread: Vec<Span>,
    /// Directives without effect that the conf has, each once.
    inert: Vec<(String, Span)>,
    /// The files that are being read, outermost first.
    open_files: Vec<PathBuf>,
    depth: usize,
    /// The semicolon in front of the statement that is being read.
    last_end: Option<Span>,
}

impl<'l> Loader<'l> {
    fn new(registry: &'l Registry, input: Input<'l>, options: &Options) -> Loader<'l> {
        let conf_dir = match input {
            Input::File(path) => path.parent().map(|dir| dir.to_string_lossy().into_owned()),
            Input::Text { .. } => Some(options.prefix.clone()),
        };
        Loader {
            registry,
            prefix: options.prefix.clone(),
            conf_dir: conf_dir.unwrap_or_default(),
            built_in: options.built_in,
            sources: Sources::default(),
            notes: Notes::default(),
            warnings: Vec::new(),
            mistakes: Mistakes::default(),
            statements: Vec::new(),
            unread: Vec::new(),
            inert: Vec::new(),
            open_files: Vec::new(),
            depth: 0,
            last_end: None,
        }
    }

    fn load(&mut self, input: Input, options: &Options) -> Result<Node, Error> {
        let defaults = self.defaults()?;
        let mut root = Block::new(&MAIN, Vec::new(), Span::NOWHERE);
        if let Some(text) = &options.globals {
            let file = self.sources.add_command_line(text.clone().into_bytes());
            let read = self.block(&mut Lexer::new(text.as_bytes(), file, true), &mut root, Inside::CommandLine);
            self.keep_syntax(read);
        }
        match input {
            Input::File(path) => {
                let name = path.to_string_lossy().into_owned();
                let text = files::read(path)
                    .map_err(|failure| Error::new(ErrorKind::File, Span::NOWHERE, failure.to_string()))?;
                let read = self.file(&name, text, None, |loader, lexer| loader.block(lexer, &mut root, Inside::File));
                self.keep_syntax(read);
            }
            Input::Text { name, text } => {
                let text = text.as_bytes().to_vec();
                let read = self.file(name, text, None, |loader, lexer| loader.block(lexer, &mut root, Inside::File));
                self.keep_syntax(read);
            }
        }
        self.check_required(&root);
        Ok(self.root(root, defaults))
    }

    /// Keeps an error that ends the reading of a text: any name may stand behind it.
    fn keep_syntax(&mut self, read: Result<(), Error>) {
        if self.mistakes.keep(read).is_none() {
            self.mistakes.lose_file();
        }
    }

    fn done(mut self, root: Node) -> Conf {
        if !self.inert.is_empty() {
            let names = self.inert.iter().map(|(name, span)| {
                let place = self.sources.place(span.file, span.line).unwrap_or_default();
                format!("\"{name}\" in {place}")
            });
            let names = names.collect::<Vec<_>>().join(", ");
            let message = format!("without effect here, and not needed: {names}");
            let error = Error::at(Span::NOWHERE, message);
            self.warnings.push(Warning { notice: true, error });
        }
        let mut conf = Conf {
            root,
            sources: self.sources,
            passed: Vec::new(),
            warnings: Vec::new(),
            notes: self.notes,
            statements: self.statements,
            unread: self.unread,
        };
        for Warning { notice, error } in self.warnings {
            conf.warnings.push(Warning { notice, error: conf.explain(error) });
        }
        conf
    }

    /// Lets `read` read a text to its end; `from`: the `include` that it stands for.
    fn file<R>(
        &mut self,
        name: &str,
        text: Vec<u8>,
        from: Option<Span>,
        read: impl FnOnce(&mut Self, &mut Lexer) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let file = self.sources.add_file(name, text.clone(), from);
        self.open_files.push(files::identity(name));
        let mut lexer = Lexer::new(&text, file, false);
        let result = read(self, &mut lexer);
        self.unread.extend(lexer.rest().filter(|_| result.is_err()));
        self.open_files.pop();
        result
    }

    /// Reads statements into `block` until it ends.
    fn block(&mut self, lexer: &mut Lexer, block: &mut Block, inside: Inside) -> Result<(), Error> {
        loop {
            let mut statement = lexer.statement()?;
            match (statement.end, inside) {
                (End::Close, Inside::Braces) | (End::Text, Inside::File | Inside::CommandLine) => return Ok(()),
                (End::Close, _) => {
                    return Err(Error::new(ErrorKind::Syntax, statement.end_span, "unexpected \"}\""));
                }
                (End::Text, Inside::Braces) => {
                    // Nothing stands behind it, and the blocks around get the same error, which is kept once.
                    self.mistakes.add(self.never_closed(lexer, block.section, block.span));
                    block.is_whole = false;
                    return Ok(());
                }
                (End::Open, Inside::CommandLine) => {
                    return Err(Error::new(ErrorKind::Syntax, statement.end_span, NO_BLOCKS));
                }
                (End::Semicolon | End::Open, _) => {
                    let start = lexer.position();
                    self.statements.push(statement.words.first().map_or(statement.end_span, |word| word.span));
                    self.note_slips(&mut statement, block, inside)?;
                    if let Err(error) = self.statement(lexer, &statement, block) {
                        block.is_whole = false;
                        self.go_on_after(error, &statement, lexer.position() == start, lexer)?;
                    }
                    self.last_end = Some(statement.end_span).filter(|_| statement.end == End::Semicolon);
                }
            }
        }
    }

    fn statement(&mut self, lexer: &mut Lexer, statement: &Statement, block: &mut Block) -> Result<(), Error> {
        let context = block.section.inner;
        let Some(name) = statement.words.first() else { return Ok(()) };
        if name.text == "include" {
            return self.include(statement, |loader, lexer| loader.block(lexer, block, Inside::File));
        }
        let entry = self.find(statement, name, context)?;
        self.warn_of_swallowed_statement(statement, entry, context);
        match entry.kind() {
            Kind::Section(section) => {
                self.check_once(section, statement, name, block)?;
                let args = statement.words.get(1..).unwrap_or_default();
                if let Some(store) = section.head {
                    let own = self.own(store, statement, name, block)?;
                    let head = Occurrence { name, args, items: &[], context, first: None, statement };
                    match self.set(store, head, &mut own.value) {
                        Ok(()) => own.is_set = true,
                        Err(error) => self.go_on_after(error, statement, false, lexer)?,
                    }
                }
                let mut inner = Block::new(section, args.to_vec(), name.span);
                let read = self.deeper(name, |loader| loader.block(lexer, &mut inner, Inside::Braces));
                inner.is_whole &= read.is_ok();
                block.children.push(inner);
                return read;
            }
            Kind::Setting(store) => {
                let own = self.own(store, statement, name, block)?;
                let first = Some(own.span).filter(|first| *first != name.span);
                let mut items = Vec::new();
                if store.takes_block() {
                    self.items(lexer, &mut items, Inside::Braces, name)?;
                }
                let args = statement.words.get(1..).unwrap_or_default();
                self.set(store, Occurrence { name, args, items: &items, context, first, statement }, &mut own.value)?;
                own.is_set = true;
            }
            // A refused one is here with the value that asks for nothing.
            kind @ (Kind::Inert(_) | Kind::Refused(_)) => return self.without_effect(kind, statement, block, lexer),
        }
        Ok(())
    }

    /// Reads the statements of a raw block.
    fn items(&mut self, lexer: &mut Lexer, items: &mut Vec<Item>, inside: Inside, owner: &Arg) -> Result<(), Error> {
        loop {
            let mut statement = lexer.statement()?;
            self.note_slips_of_item(&mut statement);
            let syntax = |message: &str| Err(Error::new(ErrorKind::Syntax, statement.end_span, message));
            match (statement.end, inside) {
                (End::Close, Inside::Braces) | (End::Text, Inside::File | Inside::CommandLine) => return Ok(()),
                (End::Close, _) => return syntax("unexpected \"}\""),
                (End::Open, _) => return syntax("unexpected \"{\""),
                (End::Text, Inside::Braces) => return Err(self.unclosed(lexer, &owner.text, owner.span)),
                (End::Semicolon, _) => self.warn_of_foreign_characters(&statement),
            }
            match statement.words.first() {
                Some(word) if word.text == "include" => {
                    let inner = |loader: &mut Self, lexer: &mut Lexer| loader.items(lexer, items, Inside::File, owner);
                    let included = self.include(&statement, inner);
                    included.or_else(|error| self.go_on_after(error, &statement, false, lexer))?;
                }
                Some(word) => items.push(Item { span: word.span, words: statement.words }),
                None => {}
            }
        }
    }

    /// Lets a setting parse an occurrence into `value`.
    fn set(&mut self, store: &dyn Store, occurrence: Occurrence, value: &mut Value) -> Result<(), Error> {
        let mut args = self.args(occurrence);
        let parsed = store.parse(&mut args, value);
        let mut errors = std::mem::take(&mut args.errors);
        errors.extend(parsed.err());
        let Some(last) = errors.pop() else { return Ok(()) };
        errors.into_iter().for_each(|error| self.mistakes.add(error));
        Err(last)
    }

    fn args<'a>(&'a mut self, occurrence: Occurrence<'a>) -> Args<'a> {
        Args {
            name: occurrence.name,
            words: occurrence.args,
            items: occurrence.items,
            context: occurrence.context,
            first: occurrence.first,
            end_line: occurrence.statement.end_span.line,
            prefix: &self.prefix,
            conf_dir: &self.conf_dir,
            notes: &mut self.notes,
            warnings: &mut self.warnings,
            errors: Vec::new(),
        }
    }

    /// The values of an empty conf.
    fn defaults(&mut self) -> Result<Scope, Error> {
        let mut defaults = Scope::default();
        for (entry, store) in self.registry.settings() {
            defaults.set(store.index(), self.default_of(entry, store)?, None);
        }
        Ok(defaults)
    }

    fn default_of(&mut self, entry: &'static dyn Entry, store: &'static dyn Store) -> Result<Value, Error> {
        let info = entry.info();
        let mut value = store.empty();
        let (Some(default), Some(name)) = (info.default(), info.names().first()) else { return Ok(value) };
        let end = if store.takes_block() { "" } else { ";" };
        let text = format!("{name} {default}{end}");
        let mut lexer = Lexer::new(text.as_bytes(), SourceId::NONE, false);
        let statement = lexer.statement()?;
        let Some((name, args)) = statement.words.split_first() else { return Ok(value) };
        let mut items = Vec::new();
        if store.takes_block() {
            self.items(&mut lexer, &mut items, Inside::Braces, name)?;
        }
        let occurrence =
            Occurrence { name, args, items: &items, context: info.contexts(), first: None, statement: &statement };
        self.set(store, occurrence, &mut value)?;
        Ok(value)
    }
}

/// A directive in a conf, at one place.
struct Occurrence<'s> {
    name: &'s Arg,
    args: &'s [Arg],
    items: &'s [Item],
    context: Contexts,
    first: Option<Span>,
    statement: &'s Statement,
}
