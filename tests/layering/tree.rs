//! The modules of a crate and the names each of them uses, read with syn; code for tests is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};

/// Longer chains of re-exports than this are circular.
const LONGEST_CHAIN: usize = 16;

/// A path such as `crate::os::Addr`, segment by segment.
type Names = Vec<String>;

/// For each file the files whose items it uses, with the names.
pub type Edges<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<String>>>;

/// Reads a source file; `None` when there is none of this name.
type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// A crate: its modules, the root first.
#[derive(Default)]
pub struct Tree {
    modules: Vec<Module>,
}

#[derive(Default)]
struct Module {
    /// The file with the module's code; an inline module shares its parent's.
    file: String,
    parent: Option<usize>,
    names: Vec<(String, Name)>,
    /// The paths before `::*`.
    globs: Vec<Names>,
    /// The paths in code and in private imports.
    uses: BTreeSet<Names>,
    /// The paths of `pub use` and its like.
    re_exports: BTreeSet<Names>,
}

/// The meaning of a name in a module.
enum Name {
    Module(usize),
    Item,
    Import(Names),
}

/// The modules that a path leads through, and those whose code defines the item at its end.
#[derive(Default)]
struct Found {
    passed: BTreeSet<usize>,
    defining: BTreeSet<usize>,
}

impl Tree {
    /// The crate whose root module is `root`, a file named lib.rs or main.rs; or the part of a crate below a mod.rs.
    pub fn read(root: &Path, read: Read) -> Self {
        let mut tree = Self::default();
        tree.add_file(root, None, read);
        tree
    }

    pub fn files(&self) -> BTreeSet<&str> {
        self.modules.iter().map(|module| &*module.file).collect()
    }

    /// The imports between files. A re-export counts for the file with the item.
    pub fn edges(&self) -> Edges<'_> {
        let mut edges = Edges::new();
        for (at, module) in self.modules.iter().enumerate() {
            for path in &module.uses {
                for target in self.found(at, path).defining {
                    let file = &*self.modules[target].file;
                    if file != module.file {
                        let names = edges.entry(&*module.file).or_default().entry(file).or_default();
                        names.insert(path.last().cloned().unwrap_or_default());
                    }
                }
            }
        }
        edges
    }

    /// The files in import circles, circle by circle: within one, each file uses each other over some number of steps.
    pub fn circles(&self) -> Vec<Vec<&str>> {
        let edges = self.edges();
        let reach = |from: &str| {
            let mut reached = BTreeSet::new();
            let mut ahead: Vec<&str> = edges.get(from).into_iter().flat_map(|to| to.keys().copied()).collect();
            while let Some(file) = ahead.pop() {
                if reached.insert(file) {
                    ahead.extend(edges.get(file).into_iter().flat_map(|to| to.keys().copied()));
                }
            }
            reached
        };
        let reached: BTreeMap<&str, _> = edges.keys().map(|file| (*file, reach(file))).collect();
        let circle_of = |file: &str| {
            reached[file]
                .iter()
                .copied()
                .filter(|other| reached.get(other).is_some_and(|back| back.contains(file)))
                .collect()
        };
        let circles: BTreeSet<Vec<&str>> = reached.keys().map(|file| circle_of(file)).collect();
        circles.into_iter().filter(|circle| !circle.is_empty()).collect()
    }

    /// The floors of the module in the file `of`: the modules of its `mod` lines, in their order.
    pub fn floors(&self, of: &str) -> Vec<&str> {
        self.floor_modules(of).into_iter().map(|(name, _)| name).collect()
    }

    fn floor_modules(&self, of: &str) -> Vec<(&str, usize)> {
        let Some(house) = self.modules.iter().find(|module| module.file == of) else { return Vec::new() };
        let modules = house.names.iter().filter_map(|(name, meaning)| match meaning {
            Name::Module(module) => Some((name.as_str(), *module)),
            _ => None,
        });
        modules.filter(|(_, module)| self.modules[*module].file != of).collect()
    }

    /// A line for each use of a floor from one that stands above it in the file `of`.
    pub fn upward_uses(&self, of: &str) -> BTreeSet<String> {
        let floors = self.floor_modules(of);
        let floor_of = |module: usize| {
            let mut up = std::iter::successors(Some(module), |module| self.modules[*module].parent);
            up.find_map(|module| floors.iter().position(|(_, floor)| *floor == module))
        };
        let mut complaints = BTreeSet::new();
        for (at, module) in self.modules.iter().enumerate() {
            let Some(own) = floor_of(at) else { continue };
            for path in module.uses.iter().chain(&module.re_exports) {
                let found = self.found(at, path);
                let used = found.passed.union(&found.defining).filter_map(|module| floor_of(*module));
                complaints.extend(used.filter(|used| *used > own).map(|used| {
                    let (file, own, used) = (&module.file, floors[own].0, floors[used].0);
                    format!("{file}: {own} uses {}, but {used} stands above it", path.join("::"))
                }));
            }
        }
        complaints
    }

    fn found(&self, from: usize, path: &[String]) -> Found {
        let mut found = Found::default();
        self.follow(from, path, true, LONGEST_CHAIN, &mut found);
        found
    }

    /// Follows `path` from a module. An unknown name at the `start` of a path belongs to another crate or to a
    /// function; later in the path a macro has made it.
    fn follow(&self, from: usize, path: &[String], start: bool, chain: usize, found: &mut Found) {
        let (Some((head, rest)), Some(chain)) = (path.split_first(), chain.checked_sub(1)) else {
            found.passed.insert(from);
            return;
        };
        if !start {
            found.passed.insert(from);
        }
        match head.as_str() {
            "crate" if start => return self.follow(0, rest, false, chain, found),
            "self" => return self.follow(from, rest, start, chain, found),
            "super" => return self.follow(self.modules[from].parent.unwrap_or(0), rest, false, chain, found),
            _ => {}
        }
        let mut is_known = false;
        for (_, name) in self.modules[from].names.iter().filter(|(name, _)| name == head) {
            is_known = true;
            match name {
                Name::Module(module) => self.follow(*module, rest, false, chain, found),
                Name::Item => _ = found.defining.insert(from),
                Name::Import(path) => self.follow(from, &[path, rest].concat(), true, chain, found),
            }
        }
        if is_known {
            return;
        }
        for glob in &self.modules[from].globs {
            let mut opened = Found::default();
            self.follow(from, glob, true, chain, &mut opened);
            let names = |module: &&usize| self.modules[**module].names.iter().any(|(name, _)| name == head);
            for module in opened.passed.iter().filter(names) {
                is_known = true;
                self.follow(*module, path, false, chain, found);
            }
        }
        if !is_known && !start {
            found.defining.insert(from);
        }
    }

    fn add_file(&mut self, file: &Path, parent: Option<usize>, read: Read) -> usize {
        let source = read(file).unwrap_or_else(|| panic!("no file {}", file.display()));
        let parsed = syn::parse_file(&source).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let is_root =
            file.file_name().is_some_and(|name| ["lib.rs", "main.rs", "mod.rs"].iter().any(|root| name == *root));
        let folder = if is_root { file.with_file_name("") } else { file.with_extension("") };
        self.add_module(file, &folder, parent, &parsed.items, read)
    }

    fn add_module(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        items: &[syn::Item],
        read: Read,
    ) -> usize {
        let at = self.modules.len();
        self.modules.push(Module { file: file.display().to_string(), parent, ..Module::default() });
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            if let syn::Item::Mod(item) = item {
                let name = item.ident.unraw().to_string();
                let inner = folder.join(&name);
                let child = match &item.content {
                    Some((_, items)) => self.add_module(file, &inner, Some(at), items, read),
                    None => self.add_file(&self.file_of(file, &inner, &item.attrs, read), Some(at), read),
                };
                self.modules[at].names.push((name, Name::Module(child)));
            } else {
                self.modules[at].names.extend(ident(item).map(|ident| (ident.unraw().to_string(), Name::Item)));
                self.modules[at].visit_item(item);
            }
        }
        at
    }

    /// The file of the module that belongs at `inner`, its path without the extension.
    fn file_of(&self, file: &Path, inner: &Path, attributes: &[syn::Attribute], read: Read) -> PathBuf {
        let given = attributes.iter().find(|attribute| attribute.path().is_ident("path"));
        if let Some(syn::Meta::NameValue(given)) = given.map(|attribute| &attribute.meta)
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(name), .. }) = &given.value
        {
            return file.with_file_name(name.value());
        }
        let own = inner.with_extension("rs");
        if read(&own).is_some() { own } else { inner.join("mod.rs") }
    }
}

impl Module {
    /// Takes down the imports of a `use` tree.
    fn add_imports(&mut self, tree: &syn::UseTree, before: &[String], is_public: bool) {
        let joined = |ident: &syn::Ident| match ident.to_string().as_str() {
            "self" if !before.is_empty() => before.to_vec(),
            _ => [before, &[ident.unraw().to_string()]].concat(),
        };
        let (name, path) = match tree {
            syn::UseTree::Path(path) => return self.add_imports(&path.tree, &joined(&path.ident), is_public),
            syn::UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.add_imports(tree, before, is_public));
            }
            syn::UseTree::Glob(_) => return self.globs.push(before.to_vec()),
            syn::UseTree::Name(name) => (joined(&name.ident).last().cloned().unwrap_or_default(), joined(&name.ident)),
            syn::UseTree::Rename(rename) => (rename.rename.unraw().to_string(), joined(&rename.ident)),
        };
        let list = if is_public { &mut self.re_exports } else { &mut self.uses };
        list.insert(path.clone());
        self.names.push((name, Name::Import(path)));
    }

    /// The paths in what a macro gets: two names at least, for a single one may be a field or a variable.
    fn add_paths_in_tokens(&mut self, tokens: TokenStream) {
        let mut path = Names::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.add_path(std::mem::take(&mut path));
                    }
                    path.push(ident.unraw().to_string());
                    colons = 0;
                }
                other => {
                    self.add_path(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.add_paths_in_tokens(group.stream());
                    }
                }
            }
        }
        self.add_path(path);
    }

    fn add_path(&mut self, path: Names) {
        if path.len() > 1 {
            self.uses.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_imports(&item.tree, &[], !matches!(item.vis, syn::Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.uses.insert(path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, used: &'ast syn::Macro) {
        self.add_paths_in_tokens(used.tokens.clone());
        visit::visit_macro(self, used);
    }
}

/// Whether `#[test]` or a `cfg` with `test` in it, and not behind a `not`, leaves an item to the tests.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            condition.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "test")
                && !condition.contains("not")
        }
        _ => false,
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    use syn::Item::*;
    match item {
        Const(item) => &item.attrs,
        Enum(item) => &item.attrs,
        Fn(item) => &item.attrs,
        Impl(item) => &item.attrs,
        Macro(item) => &item.attrs,
        Mod(item) => &item.attrs,
        Static(item) => &item.attrs,
        Struct(item) => &item.attrs,
        Trait(item) => &item.attrs,
        Type(item) => &item.attrs,
        Union(item) => &item.attrs,
        Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name that an item gives to its module.
fn ident(item: &syn::Item) -> Option<&syn::Ident> {
    use syn::Item::*;
    match item {
        Const(item) => Some(&item.ident),
        Enum(item) => Some(&item.ident),
        Fn(item) => Some(&item.sig.ident),
        Macro(item) => item.ident.as_ref(),
        Static(item) => Some(&item.ident),
        Struct(item) => Some(&item.ident),
        Trait(item) => Some(&item.ident),
        Type(item) => Some(&item.ident),
        Union(item) => Some(&item.ident),
        _ => None,
    }
}
