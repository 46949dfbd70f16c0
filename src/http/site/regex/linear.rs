//! Patterns to which PCRE2 and the regex crate give the same meaning, group by group.
//!
//! Both prefer the first alternative, and more or fewer rounds as the pattern says, so that they find the same match.
//! Syntax that means something else to one of them is told apart on the syntax tree, where only known nodes pass. Left
//! out are flags, classes inside classes, bytes above ASCII, `\v`, possessive repetitions (`a++` is `(?:a+)+` to the
//! regex crate), and repetitions of what can be empty, whose last round the two leave in different groups.

use crate::os::pcre::Group;
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ast::{
    AssertionKind, Ast, ClassSet, ClassSetItem, GroupKind, HexLiteralKind, Literal, LiteralKind, RepetitionKind,
    RepetitionRange, SpecialLiteralKind, parse::Parser,
};

/// Bytes of a compiled pattern: a text that does not suit the cache of a larger one takes too long.
const SIZE_LIMIT: usize = 1 << 20;

/// PCRE's `$`: the end, or in front of a last line feed.
const END: &str = r"(?:\n?\z)";

/// The pattern for the regex crate; `None` when PCRE2 could understand something else.
pub(super) fn compile(pattern: &str, ignore_case: bool) -> Option<Regex> {
    let (pattern, ignore_case) = pattern.strip_prefix("(?i)").map_or((pattern, ignore_case), |rest| (rest, true));
    if !pattern.is_ascii() {
        return None;
    }
    let tree = Parser::new().parse(pattern).ok()?;
    let mut ends = Vec::new();
    can_be_empty(&tree, true, &mut ends)?;
    let mut rewritten = pattern.to_owned();
    for at in ends.into_iter().rev() {
        rewritten.replace_range(at..=at, END);
    }
    let mut builder = RegexBuilder::new(&rewritten);
    builder.unicode(false).case_insensitive(ignore_case).size_limit(SIZE_LIMIT).build().ok()
}

/// The first match; its groups go to `groups`, the whole match first.
pub(super) fn find(regex: &Regex, text: &[u8], groups: Option<&mut Vec<Group>>) -> bool {
    let Some(groups) = groups else { return regex.is_match(text) };
    let mut found = regex.capture_locations();
    if regex.captures_read(&mut found, text).is_none() {
        return false;
    }
    groups.clear();
    groups.extend((0..found.len()).map(|group| found.get(group)));
    true
}

/// Whether a part of a pattern can match the empty text; `None` when the engines may differ. `last`: nothing of the
/// pattern follows and no group ends here, so that a `$` may take the line feed, too. Adds the places of `$` to `ends`.
fn can_be_empty(part: &Ast, last: bool, ends: &mut Vec<usize>) -> Option<bool> {
    match part {
        Ast::Empty(_) => Some(true),
        Ast::Dot(_) | Ast::ClassPerl(_) => Some(false),
        Ast::Literal(literal) => same_literal(literal).then_some(false),
        Ast::ClassBracketed(class) => match &class.kind {
            ClassSet::Item(item) => same_item(item).then_some(false),
            ClassSet::BinaryOp(_) => None,
        },
        Ast::Assertion(assertion) => match assertion.kind {
            AssertionKind::StartLine | AssertionKind::StartText | AssertionKind::EndText => Some(true),
            AssertionKind::WordBoundary | AssertionKind::NotWordBoundary => Some(true),
            AssertionKind::EndLine if last => {
                ends.push(assertion.span.start.offset);
                Some(true)
            }
            _ => None,
        },
        Ast::Repetition(repetition) => {
            if matches!(*repetition.ast, Ast::Repetition(_)) || can_be_empty(&repetition.ast, false, ends)? {
                return None;
            }
            Some(match &repetition.op.kind {
                RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore => true,
                RepetitionKind::OneOrMore => false,
                // PCRE2 10.46 misses matches beside such a group: `(a|^.){0}1` in `a1`.
                RepetitionKind::Range(RepetitionRange::Exactly(0) | RepetitionRange::Bounded(_, 0)) => return None,
                RepetitionKind::Range(range) => least(range) == 0,
            })
        }
        Ast::Group(group) => match &group.kind {
            GroupKind::NonCapturing(flags) if flags.items.is_empty() => can_be_empty(&group.ast, last, ends),
            GroupKind::NonCapturing(_) => None,
            // A group's text ends in front of the line feed.
            GroupKind::CaptureIndex(_) | GroupKind::CaptureName { .. } => can_be_empty(&group.ast, false, ends),
        },
        Ast::Alternation(alternation) => {
            alternation.asts.iter().try_fold(false, |empty, part| Some(can_be_empty(part, last, ends)? | empty))
        }
        Ast::Concat(concat) => {
            let (end, before) = concat.asts.split_last()?;
            let empty = before.iter().try_fold(true, |empty, part| Some(can_be_empty(part, false, ends)? & empty))?;
            Some(can_be_empty(end, last, ends)? & empty)
        }
        Ast::Flags(_) | Ast::ClassUnicode(_) => None,
    }
}

fn least(range: &RepetitionRange) -> u32 {
    match range {
        RepetitionRange::Exactly(n) | RepetitionRange::AtLeast(n) | RepetitionRange::Bounded(n, _) => *n,
    }
}

fn same_literal(literal: &Literal) -> bool {
    use SpecialLiteralKind::{Bell, CarriageReturn, FormFeed, LineFeed, Tab};
    match &literal.kind {
        LiteralKind::Verbatim | LiteralKind::Meta | LiteralKind::Superfluous => true,
        LiteralKind::HexFixed(kind) => matches!(kind, HexLiteralKind::X),
        LiteralKind::Special(kind) => matches!(kind, Bell | CarriageReturn | FormFeed | LineFeed | Tab),
        LiteralKind::Octal | LiteralKind::HexBrace(_) => false,
    }
}

fn same_item(item: &ClassSetItem) -> bool {
    match item {
        ClassSetItem::Empty(_) | ClassSetItem::Perl(_) => true,
        ClassSetItem::Literal(literal) => same_literal(literal),
        ClassSetItem::Range(range) => same_literal(&range.start) && same_literal(&range.end),
        // Without regard to case `[:^upper:]` is everything to the regex crate.
        ClassSetItem::Ascii(class) => !class.negated,
        ClassSetItem::Union(union) => {
            let inner = union.items.get(1..union.items.len().saturating_sub(1)).unwrap_or_default();
            // To PCRE `[--/]` is a range.
            !inner.iter().any(is_bare_hyphen) && union.items.iter().all(same_item)
        }
        ClassSetItem::Unicode(_) | ClassSetItem::Bracketed(_) => false,
    }
}

fn is_bare_hyphen(item: &ClassSetItem) -> bool {
    matches!(item, ClassSetItem::Literal(Literal { kind: LiteralKind::Verbatim, c: '-', .. }))
}
