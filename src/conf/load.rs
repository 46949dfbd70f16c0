//! From bytes to a [`Conf`]: reads statements, checks them as nginx's `ngx_conf_handler` does, lets the settings parse them,
//! and gives every block its scope.

mod checks;
mod hints;
mod include;
mod salvage;

pub use salvage::salvage;

use super::args::join;
use super::lexer::{End, Lexer, Statement};
use super::scope::Cell;
use super::{
    Arg, Args, Contexts, Entry, Error, ErrorKind, FileId, Item, Kind, Notes, Registry, Scope, Section, Sources, Span,
    Store, Value,
};
use crate::os::Addr;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Where a conf comes from.
#[derive(Debug, Clone, Copy)]
pub enum Input<'i> {
    /// A file; `include` is relative to its directory.
    File(&'i Path),
    /// A text that the program carries; `include` is relative to the prefix.
    Text {
        /// What errors call it.
        name: &'i str,
        /// The conf.
        text: &'i str,
    },
}

/// What a conf's reading depends on besides its text.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What relative paths start at (`-p`).
    pub prefix: String,
    /// `-g`: directives put in the main context first.
    pub globals: Option<String>,
    /// Name and text of files that the program carries: an `include` of a file that is missing, in whatever directory,
    /// gets the text under its name.
    pub built_in: &'static [(&'static str, &'static str)],
}

/// A conf that was read without an error.
#[derive(Debug)]
pub struct Conf {
    /// The main context.
    pub root: Node,
    /// The texts it was read from.
    pub sources: Sources,
    /// The wildcard addresses of listening sockets that were passed in and take IPv4 clients, too.
    pub passed: Vec<Addr>,
    /// What the error log of the start should say.
    pub warnings: Vec<Warning>,
    notes: Notes,
}

impl Conf {
    /// What the directives noted while they were parsed ([`Args::notes`]), if any did.
    pub fn notes<N: std::any::Any>(&self) -> Option<&N> {
        self.notes.get()
    }

    /// Looks up the place of an error that was found after loading.
    pub fn explain(&self, error: Error) -> Error {
        error.shown_with(&self.sources)
    }

    /// Adds a warning that was found after loading.
    pub fn warn(&mut self, error: Error) {
        let error = self.explain(error);
        self.warnings.push(Warning { notice: false, error });
    }

    /// `conf/drover.conf:12`
    pub fn place(&self, span: Span) -> Option<String> {
        self.sources.place(span.file, span.line)
    }
}

/// Something to say about a conf that works.
#[derive(Debug)]
pub struct Warning {
    /// For the level `notice`, not `warn`.
    pub notice: bool,
    /// The sentence, its place, and what would help.
    pub error: Error,
}

/// A block.
#[derive(Debug)]
pub struct Node {
    section: &'static Section,
    /// What stands between its name and its brace.
    pub args: Vec<Arg>,
    /// Its name.
    pub span: Span,
    /// The values in force in it.
    pub scope: Scope,
    /// The blocks in it, in their order.
    pub children: Vec<Node>,
}

impl Node {
    /// Whether it is a block of this section.
    pub fn is(&self, section: &'static Section) -> bool {
        std::ptr::eq(self.section, section)
    }

    /// The blocks of this section in it, in their order.
    pub fn children_of<'n>(&'n self, section: &'static Section) -> impl Iterator<Item = &'n Node> {
        self.children.iter().filter(move |node| node.is(section))
    }
}

/// Reads a conf. The error can be shown as it is.
pub fn load(registry: &Registry, input: Input, options: &Options) -> Result<Conf, Error> {
    let mut loader = Loader::new(registry, input, options);
    match loader.load(input, options) {
        Ok(root) => Ok(loader.done(root)),
        Err(error) => Err(error.shown_with(&loader.sources)),
    }
}

/// Reads a conf from a text called `conf`, with the prefix `/`; for tests above all.
pub fn parse(registry: &Registry, text: &str) -> Result<Conf, Error> {
    let options = Options { prefix: "/".to_owned(), ..Options::default() };
    load(registry, Input::Text { name: "conf", text }, &options)
}

static MAIN: Section = Section::new("main").inner(Contexts::MAIN);

/// Blocks and includes may be nested this deep, so that no conf can exhaust the stack.
const DEEPEST: usize = 64;

/// How a text may end.
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
    children: Vec<Block>,
}

struct Own {
    value: Value,
    span: Span,
}

impl Block {
    fn new(section: &'static Section, args: Vec<Arg>, span: Span) -> Block {
        Block { section, args, span, own: HashMap::new(), children: Vec::new() }
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
    /// Inert directives that were met, each once.
    inert: Vec<(&'static str, Span)>,
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
            self.block(&mut Lexer::new(text.as_bytes(), file, true), &mut root, Inside::CommandLine)?;
        }
        match input {
            Input::File(path) => {
                let name = path.to_string_lossy().into_owned();
                let text = include::read(path)
                    .map_err(|failure| Error::new(ErrorKind::File, Span::NOWHERE, failure.to_string()))?;
                self.file(&name, text, |loader, lexer| loader.block(lexer, &mut root, Inside::File))?;
            }
            Input::Text { name, text } => {
                let text = text.as_bytes().to_vec();
                self.file(name, text, |loader, lexer| loader.block(lexer, &mut root, Inside::File))?;
            }
        }
        self.check_required(&root)?;
        Ok(self.node(root, &Scope::new(Vec::new()), &defaults))
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
        let mut conf =
            Conf { root, sources: self.sources, passed: Vec::new(), warnings: Vec::new(), notes: self.notes };
        for Warning { notice, error } in self.warnings {
            conf.warnings.push(Warning { notice, error: conf.explain(error) });
        }
        conf
    }

    /// Reads a text, in which `read` must reach the end.
    fn file<R>(
        &mut self,
        name: &str,
        text: Vec<u8>,
        read: impl FnOnce(&mut Self, &mut Lexer) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let file = self.sources.add_file(name, text.clone());
        self.open_files.push(include::identity(name));
        let result = read(self, &mut Lexer::new(&text, file, false));
        self.open_files.pop();
        result
    }

    /// Reads statements into `block` until it ends.
    fn block(&mut self, lexer: &mut Lexer, block: &mut Block, inside: Inside) -> Result<(), Error> {
        loop {
            let statement = lexer.statement()?;
            match (statement.end, inside) {
                (End::Close, Inside::Braces) | (End::Text, Inside::File | Inside::CommandLine) => return Ok(()),
                (End::Close, _) => {
                    return Err(Error::new(ErrorKind::Syntax, statement.end_span, "unexpected \"}\""));
                }
                (End::Text, Inside::Braces) => return Err(self.never_closed(lexer, block.section, block.span)),
                (End::Open, Inside::CommandLine) => {
                    let message = "block directives are not supported in -g option";
                    return Err(Error::new(ErrorKind::Syntax, statement.end_span, message));
                }
                (End::Semicolon | End::Open, _) => {
                    let read = self.statement(lexer, &statement, block);
                    read.map_err(|error| self.explain(&statement, error))?;
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
        self.doubt(statement, entry, context);
        match entry.kind() {
            Kind::Section(section) => {
                self.check_once(section, statement, name, block)?;
                let mut inner = Block::new(section, statement.words.get(1..).unwrap_or_default().to_vec(), name.span);
                self.deeper(name, |loader| loader.block(lexer, &mut inner, Inside::Braces))?;
                block.children.push(inner);
            }
            Kind::Setting(store) => {
                let own = self.own(store, statement, name, block)?;
                let first = Some(own.span).filter(|first| *first != name.span);
                let mut items = Vec::new();
                if store.takes_block() {
                    self.items(lexer, &mut items, Inside::Braces, name)?;
                }
                let args = statement.words.get(1..).unwrap_or_default();
                self.set(store, Spoken { name, args, items: &items, context, first, statement }, &mut own.value)?;
            }
            Kind::Inert(_) => {
                let known = entry.info().names().iter().find(|known| **known == name.text);
                if let Some(known) = known
                    && !self.inert.iter().any(|(name, _)| name == known)
                {
                    self.inert.push((known, name.span));
                }
            }
            // `find` has answered with its error.
            Kind::Refused(_) => {}
        }
        Ok(())
    }

    /// Reads the statements of a raw block.
    fn items(&mut self, lexer: &mut Lexer, items: &mut Vec<Item>, inside: Inside, owner: &Arg) -> Result<(), Error> {
        loop {
            let statement = lexer.statement()?;
            let syntax = |message: &str| Err(Error::new(ErrorKind::Syntax, statement.end_span, message));
            match (statement.end, inside) {
                (End::Close, Inside::Braces) | (End::Text, Inside::File | Inside::CommandLine) => return Ok(()),
                (End::Close, _) => return syntax("unexpected \"}\""),
                (End::Open, _) => return syntax("unexpected \"{\""),
                (End::Text, Inside::Braces) => return Err(self.unclosed(lexer, &owner.text, owner.span)),
                (End::Semicolon, _) => self.doubt_words(&statement),
            }
            match statement.words.first() {
                Some(word) if word.text == "include" => {
                    self.include(&statement, |loader, lexer| loader.items(lexer, items, Inside::File, owner))?;
                }
                Some(word) => items.push(Item { span: word.span, words: statement.words }),
                None => {}
            }
        }
    }

    /// Lets a setting parse what was said.
    fn set(&mut self, store: &dyn Store, spoken: Spoken, value: &mut Value) -> Result<(), Error> {
        let mut args = Args {
            name: spoken.name,
            words: spoken.args,
            items: spoken.items,
            context: spoken.context,
            first: spoken.first,
            end_line: spoken.statement.end_span.line,
            prefix: &self.prefix,
            conf_dir: &self.conf_dir,
            notes: &mut self.notes,
            warnings: &mut self.warnings,
        };
        store.parse(&mut args, value)
    }

    /// The values of a conf that says nothing.
    fn defaults(&mut self) -> Result<HashMap<usize, Value>, Error> {
        let mut defaults = HashMap::new();
        for (entry, store) in self.registry.settings() {
            defaults.insert(store.slot(), self.default_of(entry, store)?);
        }
        Ok(defaults)
    }

    fn default_of(&mut self, entry: &'static dyn Entry, store: &'static dyn Store) -> Result<Value, Error> {
        let info = entry.info();
        let mut value = store.empty();
        let (Some(default), Some(name)) = (info.default(), info.names().first()) else { return Ok(value) };
        let end = if store.takes_block() { "" } else { ";" };
        let text = format!("{name} {default}{end}");
        let mut lexer = Lexer::new(text.as_bytes(), FileId::NONE, false);
        let statement = lexer.statement()?;
        let Some((name, args)) = statement.words.split_first() else { return Ok(value) };
        let mut items = Vec::new();
        if store.takes_block() {
            self.items(&mut lexer, &mut items, Inside::Braces, name)?;
        }
        let spoken = Spoken { name, args, items: &items, context: info.contexts(), first: None, statement: &statement };
        self.set(store, spoken, &mut value)?;
        Ok(value)
    }

    /// Gives a block its scope, then those in it: what is said below a block in its surroundings is inherited too.
    fn node(&self, block: Block, outer: &Scope, defaults: &HashMap<usize, Value>) -> Node {
        let mut own = block.own;
        let size = defaults.keys().max().map_or(0, |slot| slot + 1);
        let mut cells = vec![None; size];
        for (_, store) in self.registry.settings() {
            let slot = store.slot();
            let Some(cell) = cells.get_mut(slot) else { continue };
            *cell = match own.remove(&slot) {
                Some(Own { value, span }) => Some(Cell { value, span: Some(span), here: true }),
                None => outer
                    .cell_at(slot)
                    .filter(|_| !store.is_local())
                    .map(|cell| Cell { here: false, ..cell.clone() })
                    .or_else(|| Some(Cell { value: defaults.get(&slot)?.clone(), span: None, here: false })),
            };
        }
        let scope = Scope::new(cells);
        let children = block.children.into_iter().map(|child| self.node(child, &scope, defaults)).collect();
        Node { section: block.section, args: block.args, span: block.span, scope, children }
    }
}

/// A directive as it was said.
struct Spoken<'s> {
    name: &'s Arg,
    args: &'s [Arg],
    items: &'s [Item],
    context: Contexts,
    first: Option<Span>,
    statement: &'s Statement,
}
