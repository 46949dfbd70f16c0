//! `map`: a variable whose value depends on a text, as in nginx's `ngx_http_map_module.c`.

use super::cx::{Cx, Defined};
use super::defined;
use super::error_lines;
use super::state::Exchange;
use crate::conf::{self, Arg, Contexts, Item, Setting, Span};
use crate::http::site::masks::{Masks, Refused};
use crate::http::site::regex::Regex;
use crate::http::site::template::{self, Template, VariableNames};
use foldhash::HashMap;
use std::sync::Arc;

/// A `map`: a text in lower case finds its value by one look-up in a hash table, however many there are; masks take one
/// more for each label of a host; the regexes are tried in their order.
#[derive(Debug, Default)]
struct Map {
    source: Template,
    keys: Masks<Key>,
    regexes: Vec<(Regex, usize)>,
    default: Option<Key>,
    /// The different values.
    values: Vec<Template>,
    /// Keys may be masks, and a dot at the end of the text counts for nothing.
    is_for_hosts: bool,
    is_volatile: bool,
}

/// The number of a key's value, and the place of the key.
#[derive(Debug, Clone, Copy)]
struct Key {
    value: usize,
    span: Span,
}

/// A variable whose value depends on another's.
pub static MAP: Setting<()> = Setting::many(&["map"], |args, (): &mut ()| {
    let mut map = Map { source: Template::parse(args, 0)?, ..Map::default() };
    defined::name(args, 1)?;
    let mut known = HashMap::default();
    for item in args.block() {
        map.line(args.notes(), item, &mut known).or_else(|error| args.go_on_after(error))?;
    }
    defined::define(args, 1, map.is_volatile, Arc::new(map))
})
.contexts(Contexts::HTTP)
.args(2, 2)
.takes_block()
.syntax("TEXT $VARIABLE { KEY VALUE; ... }")
.about(
    "Defines a variable: the value behind the key that TEXT, with its variables filled in, is, without regard to case. \
     A key `~REGEX` or `~*REGEX` is one that TEXT fits, where no other key does; its groups are `$1` and so on from \
     then on. `default` is for all other texts, whose value is empty without it. `\\` in front of a key takes away its \
     special meaning. `hostnames` lets the keys below it be masks: `*.example.org`, `.example.org` (both), \
     `www.example.*`. A value may hold variables. It is computed at its first use and kept for the request, unless \
     `volatile` stands in the block. `include` reads keys from a file. However many keys there are, a text is looked \
     up in a hash table.",
);

impl Map {
    fn line<'a>(
        &mut self,
        names: &mut VariableNames,
        item: &'a Item,
        known: &mut HashMap<&'a str, usize>,
    ) -> Result<(), conf::Error> {
        match item.words.as_slice() {
            [word] if word.text == "hostnames" => self.is_for_hosts = true,
            [word] if word.text == "volatile" => self.is_volatile = true,
            [key, value] => {
                let value = self.value_number(names, value, known)?;
                self.add(names, key, value)?;
            }
            _ => {
                let error = conf::Error::at(item.span, "invalid number of the map parameters");
                return Err(error.help("a key and a value: is a \";\" missing, or quotes around blanks?"));
            }
        }
        Ok(())
    }

    /// The number of a value, which is compiled where it is new.
    fn value_number<'a>(
        &mut self,
        names: &mut VariableNames,
        value: &'a Arg,
        known: &mut HashMap<&'a str, usize>,
    ) -> Result<usize, conf::Error> {
        if let Some(number) = known.get(value.text.as_str()) {
            return Ok(*number);
        }
        let compiled = Template::compile(&value.text, value.span, names);
        self.values.push(compiled.map_err(|why| conf::Error::at(value.span, why).help(template::help(&value.text)))?);
        known.insert(&value.text, self.values.len() - 1);
        Ok(self.values.len() - 1)
    }

    fn add(&mut self, names: &mut VariableNames, key: &Arg, value: usize) -> Result<(), conf::Error> {
        let (text, span) = (key.text.as_str(), key.span);
        let bad = |message: String| conf::Error::at(span, message);
        let new = Key { value, span };
        if text == "default" {
            return match self.default.replace(new) {
                Some(first) => Err(bad("duplicate default map parameter".to_owned()).first_at(first.span)),
                None => Ok(()),
            };
        }
        if let Some(pattern) = text.strip_prefix('~') {
            let caseless = pattern.strip_prefix('*');
            let regex = Regex::new(caseless.unwrap_or(pattern), caseless.is_some()).map_err(bad)?;
            names.capture(regex.names().map(|(name, _)| name), span);
            self.regexes.push((regex, value));
            return Ok(());
        }
        let name = text.strip_prefix('\\').unwrap_or(text).to_ascii_lowercase();
        let added = match self.is_for_hosts {
            true => self.keys.add(&name, new),
            false => self.keys.add_exact(&name, new).map_err(Refused::Duplicate),
        };
        added.map_err(|refused| match refused {
            Refused::Invalid => {
                let error = bad(format!("invalid hostname or wildcard \"{name}\""));
                error.help("a name, *.NAME, .NAME or NAME.*")
            }
            Refused::Duplicate(first) => bad(format!("conflicting parameter \"{name}\"")).first_at(first.span),
        })
    }

    /// The number of the value for a text.
    fn find(&self, ex: &Exchange, cx: &Cx, text: &[u8]) -> Option<usize> {
        if !self.keys.is_empty()
            && let Some(key) = self.keys.find(&text.to_ascii_lowercase())
        {
            return Some(key.value);
        }
        // An empty text fits no regex (ngx_http_map_find).
        let regexes = if text.is_empty() { &[][..] } else { &self.regexes };
        for (regex, value) in regexes {
            let mut captured = ex.target.captured.borrow_mut();
            match regex.captures(text, &mut captured.groups) {
                Ok(true) => {
                    captured.keep_names(Some(regex));
                    return Some(*value);
                }
                Ok(false) => {}
                Err(error) => {
                    drop(captured);
                    error_lines::regex_failed(ex, cx, text, &error);
                    break;
                }
            }
        }
        self.default.map(|key| key.value)
    }
}

impl Defined for Map {
    fn value(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) {
        let mut text = Vec::new();
        self.source.eval(ex, cx, &mut text);
        if self.is_for_hosts && text.last() == Some(&b'.') {
            text.pop();
        }
        if let Some(value) = self.find(ex, cx, &text).and_then(|number| self.values.get(number)) {
            value.eval(ex, cx, out);
        }
    }
}

/// The directive of this module: `map`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&MAP];
