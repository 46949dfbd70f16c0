//! `location`: settings for some uris of a server.

use super::limit_except::LimitExcept;
use super::regex::Regex;
use super::root::{ROOT, UriTail};
use super::route::Rule;
use super::script::Script;
use crate::conf::{self, Contexts, Node, Scope, Section, Span};
use crate::http::message::head::Method;
use crate::log::LogRef;

/// `location`: the block of settings for some uris of a server.
pub static LOCATION: Section = Section::new("location")
    .contexts(Contexts::SERVER.union(Contexts::LOCATION))
    .inner(Contexts::LOCATION)
    .args(1, 2)
    .syntax("[= | ~ | ~* | ^~] URI | @NAME")
    .about(
        "Settings for some uris: exactly this one (`=`), those that start so (longest first; `^~` stops before the \
         regexes), those that a regex fits (`~`, or `~*` without regard to case; the first that does), or those that \
         an internal redirect sends to `@NAME`.",
    );

/// A `location`, or the settings of a server itself, where no location fits.
#[derive(Debug)]
pub struct Location {
    /// The index of the location in [`HttpBlock::locations`](super::block::HttpBlock::locations).
    pub index: usize,
    /// The index of the one around it.
    pub(super) outer: Option<usize>,
    /// The place of the location's name in the conf, or of the server's.
    pub span: Span,
    /// The uri, regex or `@name` that the conf gives it; a server has none.
    pub name: String,
    /// The settings of the location, inherited ones included.
    pub scope: Scope,
    /// The uris that the location is for.
    pub pattern: Pattern,
    /// The part of a uri that follows the location's `root` or `alias` in the path of a file.
    pub uri_tail: UriTail,
    /// The log of the errors of requests that the location serves.
    pub error_log: LogRef,
    /// The location has a content handler, which answers in the place of files.
    pub has_handler: bool,
    /// The phases that the location has nothing for, a bit each.
    pub idle_phases: u32,
    /// All heads of 200s with whole files are the same, for one uri and one state of the file.
    pub has_steady_heads: bool,
    /// Files are not simply looked up: some links are not followed, or a cache is asked.
    pub has_file_rules: bool,
    /// The location around this one, which is an `if` or the `limit_except` of it.
    pub within: Option<usize>,
    /// The `limit_except` of the location.
    pub limit_except: Option<LimitExcept>,
    /// Settings that every request asks its location for.
    pub(in crate::http) rules: LocationRules,
    /// The steps that `rewrite`, `if`, `set`, `break` and `return` of the location are.
    pub script: Option<Script>,
}

/// Settings that every request asks its location for, looked up when the conf is compiled.
#[derive(Debug, Default)]
pub(in crate::http) struct LocationRules {
    /// The directory of `root` or `alias`, if it is the same for all requests.
    pub directory: Option<Box<[u8]>>,
    /// Which connections go on after an answer.
    pub kept: Kept,
}

/// Which connections go on after an answer (`exchange/keep_alive.rs` has the directives).
#[derive(Debug, Default)]
pub(in crate::http) struct Kept {
    /// How many requests one may carry; 0: connections are not kept.
    pub requests: u64,
    /// How long it may carry them, ms.
    pub time_ms: u64,
    /// Browsers whose connections are closed: old versions of Internet Explorer, after a POST.
    pub closes_msie6: bool,
    /// Safari on a Mac.
    pub closes_safari: bool,
}

/// The uris that a location is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// Every uri that no location of the server fits.
    Server,
    /// `= URI`: exactly this uri.
    Exact(Vec<u8>),
    /// `URI` or `^~ URI`: the uris that begin so.
    Prefix(Vec<u8>),
    /// `~ URI` or `~* URI`: the uris that the regex matches.
    Regex,
    /// `@NAME`: no uri of a client; internal redirects name the location.
    Named,
}

impl Location {
    /// The location of `node`. `outer`: the location around it, whose alias holds for the inner one as it is.
    pub(super) fn new(index: usize, node: &Node, pattern: Pattern, outer: Option<&Location>) -> Location {
        let (scope, span) = (node.scope.clone(), node.span);
        let uri_tail = match outer {
            Some(outer) if !scope.set_here(&ROOT) => outer.uri_tail,
            _ => uri_tail(&scope, &pattern),
        };
        let outer = outer.map(|outer| outer.index);
        let (name, error_log) = (name_of(node), LogRef::main());
        let directory = scope.get(&ROOT).directory().map(Box::from);
        Location {
            index,
            outer,
            span,
            name,
            scope,
            pattern,
            uri_tail,
            error_log,
            has_handler: false,
            idle_phases: 0,
            has_steady_heads: false,
            has_file_rules: false,
            within: None,
            limit_except: None,
            rules: LocationRules { directory, ..LocationRules::default() },
            script: None,
        }
    }

    /// The location of an `if` of `self`, or of its `limit_except`: the same uris, with the settings of the block.
    pub(super) fn new_if(&self, index: usize, node: &Node) -> Location {
        let (within, name) = (Some(self.index), self.name.clone());
        Location { within, name, ..Location::new(index, node, self.pattern.clone(), Some(self)) }
    }

    /// The index of the location whose settings hold for a request of this method, whose text is `text`.
    pub(in crate::http) fn for_method(&self, method: Method, text: &[u8]) -> usize {
        match &self.limit_except {
            Some(limit) if limit.limits(method, text) => limit.location,
            _ => self.index,
        }
    }

    /// The location itself, or the one that an `if` or `limit_except` stands in.
    pub fn home(&self) -> usize {
        self.within.unwrap_or(self.index)
    }
}

/// The name of a location, as nginx has it (`clcf->name`).
fn name_of(node: &Node) -> String {
    match node.args.as_slice() {
        [only] => {
            MODIFIERS.into_iter().find_map(|modifier| only.text.strip_prefix(modifier)).unwrap_or(&only.text).to_owned()
        }
        words => words.last().map_or(String::new(), |name| name.text.clone()),
    }
}

/// The modifiers of a location's uri, none the beginning of one behind it.
const MODIFIERS: [&str; 4] = ["=", "^~", "~*", "~"];

/// The part of a uri that the root or alias of `scope` puts behind its path, if a location of this `pattern` says it.
fn uri_tail(scope: &Scope, pattern: &Pattern) -> UriTail {
    match pattern {
        _ if !scope.get(&ROOT).is_alias() => UriTail::Whole,
        Pattern::Prefix(prefix) | Pattern::Exact(prefix) => UriTail::After(prefix.len()),
        Pattern::Regex => UriTail::Nothing,
        Pattern::Server | Pattern::Named => UriTail::Whole,
    }
}

/// Fails where nginx does not let a location stand in another (`ngx_http_core_location`).
pub(super) fn check_nested(rule: &Rule, name: &str, outer: &Rule, outer_name: &str) -> Result<(), String> {
    match (outer, rule) {
        (Rule::Exact(_), _) => Err(format!("location \"{name}\" cannot be inside the exact location \"{outer_name}\"")),
        (Rule::Named(_), _) => Err(format!("location \"{name}\" cannot be inside the named location \"{outer_name}\"")),
        (_, Rule::Named(_)) => Err(format!("named location \"{name}\" can be on the server level only")),
        (_, Rule::Exact(_) | Rule::Prefix { .. }) if !name.starts_with(outer_name) => {
            Err(format!("location \"{name}\" is outside location \"{outer_name}\""))
        }
        _ => Ok(()),
    }
}

/// How a location's arguments are written: the modifier stands apart or glued to its uri. The text is its name in
/// messages.
pub(super) fn parse_rule(node: &Node) -> Result<(Rule, Pattern, &str), conf::Error> {
    let (modifier, text, span) = match node.args.as_slice() {
        [modifier, text] => {
            if !matches!(modifier.text.as_str(), "=" | "^~" | "~" | "~*") {
                let message = format!("invalid location modifier \"{}\"", modifier.text);
                return Err(conf::Error::at(modifier.span, message).help("one of =, ^~, ~, ~*"));
            }
            (modifier.text.as_str(), text.text.as_str(), text.span)
        }
        [only] => {
            let modifiers = ["=", "^~", "~*", "~", "@"];
            let modifier = modifiers.into_iter().find(|modifier| only.text.starts_with(modifier)).unwrap_or("");
            (modifier, &only.text[modifier.len()..], only.span)
        }
        _ => return Err(conf::Error::at(node.span, "invalid number of arguments in \"location\" directive")),
    };
    let path = text.as_bytes().to_vec();
    let (rule, pattern) = match modifier {
        "=" => (Rule::Exact(path.clone()), Pattern::Exact(path)),
        "~" | "~*" => {
            let regex = Regex::new(text, modifier == "~*").map_err(|error| conf::Error::at(span, error))?;
            (Rule::Regex(regex), Pattern::Regex)
        }
        "@" => (Rule::Named(text.to_owned()), Pattern::Named),
        modifier => (Rule::Prefix { path: path.clone(), no_regex: modifier == "^~" }, Pattern::Prefix(path)),
    };
    let name = match node.args.as_slice() {
        [only] if modifier == "@" => &only.text,
        _ => text,
    };
    Ok((rule, pattern, name))
}

/// The directive of this module: `location`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&LOCATION];
