//! All that is wrong with a conf, so that a person mends it in one go.

use super::{Error, Sources, Span};
use std::fmt;

/// The errors in a conf: at least one, equal ones in one group, in the order of their first places.
#[derive(Debug)]
pub struct Problems {
    first: Group,
    more: Vec<Group>,
    /// How many statements are wrong, and how many there are.
    statements: (usize, usize),
    /// The places from which on files were not read.
    unread: Vec<String>,
}

/// Errors that differ in nothing but their places.
#[derive(Debug)]
struct Group {
    first: Error,
    /// The places of the others.
    others: Vec<Span>,
}

/// Places that are named; more are counted.
const NAMED: usize = 5;

impl Problems {
    /// Groups the errors. `statements`: the beginnings of those that the conf has. `None`: there is no error.
    pub(super) fn new(errors: Vec<Error>, statements: &[Span]) -> Option<Problems> {
        let wrong = wrong_statements(&errors, statements);
        let mut errors = errors.into_iter();
        let (first, more) = (Group::new(errors.next()?), Vec::new());
        let mut problems = Problems { first, more, statements: (wrong, statements.len()), unread: Vec::new() };
        errors.for_each(|error| problems.add(error));
        Some(problems)
    }

    fn add(&mut self, error: Error) {
        let mut groups = std::iter::once(&mut self.first).chain(&mut self.more);
        match groups.find(|group| group.first.is_like(&error)) {
            Some(group) => group.others.push(error.span()),
            None => self.more.push(Group::new(error)),
        }
    }

    /// Adds to each error the text at its place, and the other places.
    pub(super) fn shown_with(self, sources: &Sources) -> Problems {
        let more = self.more.into_iter().map(|group| group.shown_with(sources)).collect();
        Problems { first: self.first.shown_with(sources), more, ..self }
    }

    /// Adds the places from which on files were not read.
    pub(super) fn with_unread(mut self, unread: &[Span], sources: &Sources) -> Problems {
        self.unread.extend(unread.iter().filter_map(|span| sources.place(span.file, span.line)));
        self
    }

    /// The first error of each group.
    pub fn errors(&self) -> impl Iterator<Item = &Error> {
        self.groups().map(|group| &group.first)
    }

    /// The first error alone.
    pub fn into_first(self) -> Error {
        self.first.first
    }

    fn groups(&self) -> impl Iterator<Item = &Group> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// A sentence about how much is wrong, when it is more than one thing, or when something was not read.
    pub fn summary(&self) -> Option<String> {
        let errors: usize = self.groups().map(|group| 1 + group.others.len()).sum();
        let (wrong, all) = self.statements;
        let kinds = match 1 + self.more.len() {
            1 if errors == 1 => "1 problem".to_owned(),
            1 => "the same problem".to_owned(),
            kinds => format!("{kinds} problems"),
        };
        let unread = match &self.unread[..] {
            [] => String::new(),
            places => format!("; not read: what stands from {} on", places.join(" and from ")),
        };
        (errors > 1 || !unread.is_empty()).then(|| format!("{kinds} in {wrong} of {all} directives{unread}"))
    }
}

/// For standard error: each error with the line of the conf, then the summary.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.errors().enumerate() {
            write!(f, "{}{error}", if n == 0 { "" } else { "\n" })?;
        }
        self.summary().map_or(Ok(()), |summary| write!(f, "\ndrover: [emerg] {summary}"))
    }
}

impl From<Error> for Problems {
    fn from(error: Error) -> Problems {
        Problems { first: Group::new(error), more: Vec::new(), statements: (1, 1), unread: Vec::new() }
    }
}

impl Group {
    fn new(first: Error) -> Group {
        Group { first, others: Vec::new() }
    }

    fn shown_with(self, sources: &Sources) -> Group {
        let also = (!self.others.is_empty()).then(|| also(&self.first, &self.others, sources));
        Group { first: self.first.shown_with(sources).with_others(also), others: self.others }
    }
}

/// How many statements have errors.
fn wrong_statements(errors: &[Error], statements: &[Span]) -> usize {
    let place = |span: Span| (span.file, span.line, span.column);
    let mut starts: Vec<_> = statements.iter().copied().map(place).collect();
    starts.sort_unstable();
    let has_place = |error: &&Error| error.span() != Span::NOWHERE;
    let of = |error: &Error| starts.partition_point(|start| *start <= place(error.span()));
    let mut wrong: Vec<usize> = errors.iter().filter(has_place).map(of).collect();
    wrong.sort_unstable();
    wrong.dedup();
    wrong.len()
}

/// The sentence about the other places of an error.
fn also(first: &Error, others: &[Span], sources: &Sources) -> String {
    let mut spans: Vec<&Span> = others.iter().collect();
    spans.dedup_by_key(|span| (span.file, span.line));
    spans.retain(|span| (span.file, span.line) != (first.span().file, first.span().line));
    let place = |span: &&Span| match sources.place(span.file, span.line) {
        Some(place) if span.file != first.span().file => place,
        _ => span.line.to_string(),
    };
    let named: Vec<String> = spans.iter().take(NAMED).map(place).collect();
    let times = format!("{} times in all", others.len() + 1);
    match (spans.len(), spans.len().saturating_sub(NAMED)) {
        (0, _) => times,
        (1, _) => format!("{times}, also in line {}", named.concat()),
        (_, 0) => format!("{times}, also in lines {}", named.join(", ")),
        (_, rest) => format!("{times}, also in lines {} and {rest} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use crate::conf::{Contexts, Entry, Input, Options, Problems, Refused, Registry, Section, Setting, load};

    static SERVER: Section = Section::new("server").contexts(Contexts::MAIN).inner(Contexts::SERVER);
    static ON: Setting<bool> = Setting::flag("on").contexts(Contexts::SERVER);
    static PASS: Refused = Refused::new("pass", "Nothing is passed on.");
    static DIRECTIVES: &[&dyn Entry] = &[&SERVER, &ON, &PASS];

    fn problems(text: &str) -> Problems {
        load(&Registry::new(&[DIRECTIVES]), Input::text("conf", text), &Options::default()).unwrap_err()
    }

    fn said(text: &str) -> Vec<String> {
        let problems = problems(text);
        let each = problems.errors().map(|error| match error.others() {
            Some(others) => format!("{}; {others}", error.sentence()),
            None => error.sentence(),
        });
        each.chain(problems.summary()).collect()
    }

    #[test]
    fn all_errors_are_named_and_equal_ones_once() {
        let text = "server {\n on x; pass a;\n on off; pass b; on on; }\nserver { nonsense 1 { a; b { } } }\npass;";
        assert_eq!(
            said(text),
            [
                "invalid value \"x\" in \"on\" directive, it must be \"on\" or \"off\" in conf:2",
                "\"pass\" directive is not supported in conf:2; 3 times in all, also in lines 3, 5",
                "\"on\" directive is duplicate in conf:3; 2 times in all",
                "unknown directive \"nonsense\" in conf:4",
                "4 problems in 7 of 9 directives",
            ]
        );
        assert_eq!(said("nonsense;"), ["unknown directive \"nonsense\" in conf:1"]);
        let [first, sum] = &said(&"pass;\n".repeat(450))[..] else { panic!("more than one group") };
        assert!(first.ends_with("; 450 times in all, also in lines 2, 3, 4, 5, 6 and 444 more"), "{first}");
        assert_eq!(sum, "the same problem in 450 of 450 directives");
    }

    #[test]
    fn an_error_of_the_syntax_is_the_last() {
        let text = "nonsense;\nserver { on x; } }\nnonsense;";
        assert_eq!(said(text)[2..3], ["unexpected \"}\" in conf:2"]);
        assert_eq!(problems("nonsense {\n").errors().count(), 2);
        assert_eq!(said("nonsense {\n")[1], "unexpected end of file, expecting \"}\" in conf:2");
        assert!(said("server { pass { on '").len() > 1);
    }

    #[test]
    fn what_a_terminal_shows_ends_with_the_sum() {
        let shown = problems("pass a;\npass b;\n").to_string();
        assert!(shown.contains("^^^^ Nothing is passed on.\n  = 2 times in all, also in line 2\n"), "{shown}");
        assert!(shown.ends_with("\ndrover: [emerg] the same problem in 2 of 2 directives"), "{shown}");
    }
}
