//! Regular expressions of the conf file: PCRE2's, as in nginx, matched within a bound.
//!
//! Two engines match bytes, without regard to UTF-8. PCRE2 reads every pattern, and decides what is an error, which
//! groups there are and what they are called. Where `linear` can show that the regex crate gives the same groups for
//! every text, the regex crate does the matching, because its time is linear in the text. Look-around, back references
//! and whatever else only PCRE2 knows are PCRE2's, within `STEPS`.
//!
//! Measured, in CPU time of one match (PCRE2 10.46, regex 1.13.2, November 2026):
//!
//! | pattern, text | regex | PCRE2 | PCRE2, JIT |
//! |---|---|---|---|
//! | `\.(?:css\|js\|png\|jpg)$`, a usual uri | 30 ns | 150 to 270 ns | 40 ns |
//! | `\w+\.(gif\|jpg)$`, a usual uri | 30 ns | 1,900 ns | 80 ns |
//! | the same, 8 KB of a client's choice | 30 ns | 50 ms | 6 µs |
//! | `/(.+\.php)(/.*)?$`, 8 KB of a client's choice | 16 µs | 600 ms | 60 µs |
//! | `(a+)+$`, 8 KB of a client's choice | 30 ns | the limit | the limit |
//!
//! JIT is not used: other texts are as hostile to it, a long text can exceed its stack, and it needs memory that is
//! writable and executable. A match that takes all its steps makes its pattern hurry for a while. A step may scan the
//! text once, so that the limit bounds no scans: `(?!x)\w+\.jpg$` takes PCRE2 50 ms. A text that does not match without
//! the look-around either never gets there (`relaxed`).

mod linear;
mod relaxed;

use super::template::VariableNames;
use crate::conf;
use crate::os::pcre::{Group, Pattern};
use crate::os::time;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

/// Steps of PCRE2 in one match: at some 25 ns each, 25 ms; nginx allows ten million. A pattern of three `(.+)` parts
/// and a look-ahead needs more than a hundred thousand on a harmless path of 40 segments.
const STEPS: u32 = 1_000_000;

/// Steps of a match while its pattern has to hurry (`Backtracking::hurried_until_ms`): some 50 µs.
const HURRIED_STEPS: u32 = 2_000;

/// How long a pattern has to hurry behind a match that took all its steps, ms: one such match holds up a worker for
/// 25 ms, which must be rare enough to leave the 99th percentile of other clients' times alone.
const HURRY_MS: u64 = 10_000;

/// The least limit at each place, for patterns whose steps can't be counted together.
const LEAST_STEPS: u32 = 1_000;

/// PCRE2's number for a match that took more steps than it may (PCRE2_ERROR_MATCHLIMIT).
const MATCH_LIMIT: i32 = -47;

/// A compiled pattern. Cheap to clone.
#[derive(Clone)]
pub struct Regex(Arc<Compiled>);

struct Compiled {
    pattern: Arc<str>,
    engine: Engine,
    names: Box<[(Box<str>, usize)]>,
    groups: usize,
}

enum Engine {
    Linear(regex::bytes::Regex),
    Backtracking(Backtracking),
}

/// A pattern that PCRE2 matches.
struct Backtracking {
    pattern: Pattern,
    /// A pattern without look-around that matches whatever this one does, for the regex crate.
    relaxed: Option<regex::bytes::Regex>,
    /// The search as one match from the start of the text, so that PCRE2 counts all steps together.
    counted: Option<Pattern>,
    /// Until when a match may take `HURRIED_STEPS` alone, ms of the monotonic clock: somebody has made one that took
    /// all of `STEPS`, and may ask for it a thousand times a second. 0: it need not hurry.
    hurried_until_ms: AtomicU64,
}

/// The compiled patterns that are in use, by pattern and whether case is ignored.
type Known = HashMap<(Box<str>, bool), Weak<Compiled>>;

thread_local! {
    /// Sites repeat their patterns: 1,000 servers with `\.(css|js)$` are read in half the instructions, and a reload
    /// compiles new patterns only.
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// A match failed in the engine, which found neither a match nor none: the request gets 500, as in nginx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchError {
    /// PCRE2's number: -47: too many steps; -63: too much memory; -3 to -23: after `(*UTF)`, text that is not UTF-8.
    pub code: i32,
    /// The pattern.
    pub pattern: Arc<str>,
}

impl fmt::Display for MatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pcre2_match() failed: {} using \"{}\"", self.code, self.pattern)
    }
}

impl std::error::Error for MatchError {}

/// The groups of the last successful match: reusable, and independent of the text that was matched.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    text: Vec<u8>,
    groups: Vec<Group>,
}

impl Captures {
    /// The text of a group; 0 is the whole match. `None` for a group that took no part or doesn't exist.
    pub fn get(&self, group: usize) -> Option<&[u8]> {
        let (start, end) = (*self.groups.get(group)?)?;
        self.text.get(start..end)
    }

    /// Forgets the match; keeps the capacity.
    pub fn clear(&mut self) {
        self.text.clear();
        self.groups.clear();
    }
}

impl Regex {
    /// Compiles a PCRE pattern.
    ///
    /// # Errors
    /// The reason why the pattern is refused, in nginx's words (ngx_regex_compile).
    pub fn new(pattern: &str, ignore_case: bool) -> Result<Self, String> {
        KNOWN.with_borrow_mut(|known| {
            let key = (Box::from(pattern), ignore_case);
            if let Some(compiled) = known.get(&key).and_then(Weak::upgrade) {
                return Ok(Self(compiled));
            }
            let compiled = Arc::new(Compiled::new(pattern, ignore_case)?);
            if known.len() == known.capacity() {
                known.retain(|_, compiled| compiled.strong_count() > 0);
            }
            known.insert(key, Arc::downgrade(&compiled));
            Ok(Self(compiled))
        })
    }

    /// The regex `pattern` in argument `i` of a directive; its named groups become variables.
    ///
    /// # Errors
    /// The pattern is refused, at the argument.
    pub fn parse(args: &mut conf::Args, i: usize, pattern: &str, ignore_case: bool) -> Result<Self, conf::Error> {
        let regex = Regex::new(pattern, ignore_case).map_err(|error| args.bad(i, error))?;
        let span = args.span(i);
        args.notes::<VariableNames>().capture(regex.names().map(|(name, _)| name), span);
        Ok(regex)
    }

    /// The pattern as the conf has it.
    pub(in crate::http) fn pattern(&self) -> &str {
        &self.0.pattern
    }

    /// The named groups, with their numbers.
    pub fn names(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.names.iter().map(|(name, group)| (&**name, *group))
    }

    /// How many groups there are, without the whole match.
    pub fn groups(&self) -> usize {
        self.0.groups
    }

    /// Whether it matches anywhere in the text.
    ///
    /// # Errors
    /// When it can't be decided within the limits.
    pub fn is_match(&self, text: &[u8]) -> Result<bool, MatchError> {
        self.find(text, None)
    }

    /// Whether the pattern matches anywhere in the text; after a match `captures` holds its groups, without a match its
    /// old ones. Allocates only for patterns with groups.
    ///
    /// # Errors
    /// When it can't be decided within the limits.
    pub fn captures(&self, text: &[u8], captures: &mut Captures) -> Result<bool, MatchError> {
        let groups = (self.0.groups > 0).then_some(&mut captures.groups);
        let matches = self.find(text, groups)?;
        if matches {
            captures.text.clear();
            if self.0.groups > 0 {
                captures.text.extend_from_slice(text);
            } else {
                captures.groups.clear();
            }
        }
        Ok(matches)
    }

    fn find(&self, text: &[u8], groups: Option<&mut Vec<Group>>) -> Result<bool, MatchError> {
        match &self.0.engine {
            Engine::Linear(regex) => Ok(linear::find(regex, text, groups)),
            Engine::Backtracking(engine) => {
                engine.find(text, groups).map_err(|code| MatchError { code, pattern: Arc::clone(&self.0.pattern) })
            }
        }
    }
}

impl Compiled {
    fn new(pattern: &str, ignore_case: bool) -> Result<Self, String> {
        let compiled = Pattern::new(pattern, ignore_case).map_err(|error| error.in_pattern(pattern))?;
        // Names of variables have no case.
        let names = compiled.names().into_iter().map(|(name, group)| (name.to_ascii_lowercase().into(), group));
        let (names, groups) = (names.collect(), compiled.groups());
        let engine = match linear::compile(pattern, ignore_case) {
            Some(regex) => Engine::Linear(regex),
            None => Engine::backtracking(compiled, pattern, ignore_case),
        };
        Ok(Self { pattern: pattern.into(), engine, names, groups })
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "~{}", self.0.pattern)
    }
}

impl Engine {
    fn backtracking(compiled: Pattern, pattern: &str, ignore_case: bool) -> Self {
        let counted = if compiled.is_anchored() { None } else { counted(pattern, ignore_case) };
        let (relaxed, hurried_until_ms) = (relaxed::compile(pattern, ignore_case), AtomicU64::new(0));
        Self::Backtracking(Backtracking { pattern: compiled, relaxed, counted, hurried_until_ms })
    }
}

impl Backtracking {
    fn find(&self, text: &[u8], groups: Option<&mut Vec<Group>>) -> Result<bool, i32> {
        if self.relaxed.as_ref().is_some_and(|relaxed| !relaxed.is_match(text)) {
            return Ok(false);
        }
        let steps = if self.is_hurried() { HURRIED_STEPS } else { STEPS };
        let found = self.find_within(steps, text, groups);
        if found == Err(MATCH_LIMIT) && steps == STEPS {
            self.hurried_until_ms.store(time::monotonic_ms() + HURRY_MS, Relaxed);
        }
        found
    }

    /// Several threads may ask at a time, and each may find out by itself.
    fn is_hurried(&self) -> bool {
        match self.hurried_until_ms.load(Relaxed) {
            0 => false,
            until if time::monotonic_ms() < until => true,
            _ => {
                self.hurried_until_ms.store(0, Relaxed);
                false
            }
        }
    }

    /// PCRE2 counts steps anew at each place where a match can begin, and each byte is such a place: the limit is
    /// divided among them. Where a place needs more, the sum is counted: slower, without PCRE2's short cuts to the next
    /// place.
    fn find_within(&self, steps: u32, text: &[u8], mut groups: Option<&mut Vec<Group>>) -> Result<bool, i32> {
        let Backtracking { pattern, counted, .. } = self;
        if pattern.is_anchored() {
            return pattern.find(text, steps, groups);
        }
        let places = u32::try_from(text.len()).unwrap_or(u32::MAX).saturating_add(1);
        let least = LEAST_STEPS.min(steps / LEAST_STEPS);
        let Some(counted) = counted else { return pattern.find(text, (steps / places).max(least), groups) };
        match pattern.find(text, steps / places, groups.as_deref_mut()) {
            Err(MATCH_LIMIT) => counted.find(text, steps, groups),
            result => result,
        }
    }
}

/// The pattern behind the shortest text that lets it match. `None` when that would change its meaning: verbs concern
/// the whole pattern, and so does recursion into it.
fn counted(pattern: &str, ignore_case: bool) -> Option<Pattern> {
    if ["(*", "(?R", "(?0", "\\g<0", "\\g'0"].iter().any(|whole| pattern.contains(whole)) {
        return None;
    }
    // A pattern may end inside `\Q`, or in a comment that only a line feed ends.
    let ends = [")", "\n)", "\\E)"];
    ends.iter().find_map(|end| Pattern::new(&format!("\\A(?s:.)*?\\K(?:{pattern}{end}"), ignore_case).ok())
}

#[cfg(test)]
mod tests;
