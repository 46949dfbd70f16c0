//! All directives, by name.

use super::{Contexts, Entry, Kind, Store, did_you_mean};
use std::collections::HashMap;

/// The directives of all modules.
pub struct Registry {
    entries: Vec<&'static dyn Entry>,
    by_name: HashMap<&'static str, Vec<&'static dyn Entry>>,
    /// Families whose names share a beginning, for names that `by_name` lacks.
    by_prefix: Vec<(&'static str, [&'static dyn Entry; 1])>,
}

impl Registry {
    /// Gathers the lists of the modules, and gives every setting its index in the scopes.
    pub fn new(lists: &[&[&'static dyn Entry]]) -> Registry {
        let entries: Vec<&'static dyn Entry> = lists.concat();
        let mut by_prefix = Vec::new();
        let mut by_name: HashMap<&'static str, Vec<&'static dyn Entry>> = HashMap::new();
        for entry in &entries {
            if let Kind::Setting(store) = entry.kind() {
                store.index();
            }
            for name in entry.info().names() {
                match name.strip_suffix('*') {
                    Some(prefix) => by_prefix.push((prefix, [*entry])),
                    None => by_name.entry(name).or_default().push(*entry),
                }
            }
        }
        Registry { entries, by_name, by_prefix }
    }

    /// Every entry, in the order of the lists.
    pub fn entries(&self) -> &[&'static dyn Entry] {
        &self.entries
    }

    /// The entries of a name: one for each meaning, in contexts of its own.
    pub fn named(&self, name: &str) -> &[&'static dyn Entry] {
        let family = || self.by_prefix.iter().find(|(prefix, _)| name.starts_with(prefix));
        match self.by_name.get(name) {
            Some(entries) => entries,
            None => family().map_or(&[], |(_, entry)| entry),
        }
    }

    /// Whether the block of a directive is Lua.
    pub(super) fn holds_lua(&self, name: &str) -> bool {
        let is_lua = |entry: &&'static dyn Entry| match entry.kind() {
            Kind::Refused(refused) => refused.holds_code,
            _ => false,
        };
        self.named(name).iter().any(is_lua)
    }

    pub(super) fn settings(&self) -> impl Iterator<Item = (&'static dyn Entry, &'static dyn Store)> {
        self.entries.iter().filter_map(|entry| match entry.kind() {
            Kind::Setting(store) if !store.is_part() => Some((*entry, store)),
            _ => None,
        })
    }

    /// The name that `word` most likely misspells: preferably one that `context` takes.
    pub fn nearest(&self, word: &str, context: Contexts) -> Option<&'static str> {
        let names = |wanted: fn(Contexts, Contexts) -> bool| {
            let entries = self.entries.iter().map(|entry| entry.info());
            entries.filter(move |info| wanted(info.contexts, context)).flat_map(|info| info.names().iter().copied())
        };
        did_you_mean(word, names(|contexts, here| contexts.intersects(here)).chain(["include"]))
            .or_else(|| did_you_mean(word, names(|contexts, _| !contexts.is_empty())))
    }

    /// Mistakes in the entries themselves, for a test: names with two meanings in one context, missing texts, missing
    /// contexts.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, entries) in &self.by_name {
            let mut seen = Contexts::empty();
            for entry in entries {
                let refused = matches!(entry.kind(), Kind::Refused(_));
                let contexts = if refused { Contexts::all() } else { entry.info().contexts };
                if seen.intersects(contexts) {
                    problems.push(format!("\"{name}\" is there twice"));
                }
                seen |= contexts;
            }
        }
        for entry in &self.entries {
            let info = entry.info();
            let name = info.names().first().copied().unwrap_or("?");
            if info.about.is_empty() {
                problems.push(format!("\"{name}\" has no text about it"));
            }
            if matches!(entry.kind(), Kind::Setting(_)) && info.args.1 > 0 && info.syntax().is_empty() {
                problems.push(format!("\"{name}\" has no syntax"));
            }
            if info.contexts.is_empty() && !matches!(entry.kind(), Kind::Refused(_)) {
                problems.push(format!("\"{name}\" has no context"));
            }
        }
        problems
    }
}
