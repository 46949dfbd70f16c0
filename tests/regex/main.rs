//! Regexes of the conf against the machine's own PCRE2, which nginx links: random patterns, random texts, the same
//! groups.
//!
//! Patterns come from a seed, which a failure prints: `REGEX_SEED=N` repeats it. `REGEX_SECONDS=60` goes on for that
//! long.

use drover::http::regex::{Captures, Regex};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

#[path = "../support/mod.rs"]
mod support;

/// The generator of Vigna's splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn word<'a>(&mut self, words: &'a str) -> &'a str {
        let at = self.below(words.split_ascii_whitespace().count());
        words.split_ascii_whitespace().nth(at).unwrap_or_default()
    }
}

/// What sites write most.
const PLAIN: &str =
    r"a b A B 1 / \. - _ . \w \d \s \W [ab] [^a] [a-b1] [\w.-] [[:alpha:]_] [^/] [^\d\n] [A-B] \x61 \/ \-";
const ASSERTIONS: &str = r"^ $ $ $ \b \B \A \z \Z";
/// What few engines but PCRE have. Left out is what PCRE2's versions differ in: recursion (in 10.42 a group that only
/// `(?1)` enters leaves its inner groups set), `\X` (Unicode's version), and verbs such as `(*COMMIT)` (the places that
/// a search skips never meet them).
const SPECIAL: &str = r"\h \H \v \R \N \Q.a\E [\Qa-\E] \x{61} \141 \p{L} \P{L} \1 \g{1} \g{-1} \g1 [[:^upper:]]
    [[:upper:]] (?i) (?-i) (?s) (?m) (?x) \K \G (?<=a) (?<!b) (?<=ab|ba) (?#a) (*ACCEPT) (?(1)a|b) é [\x80-\xff] \e \ca
    [\h1] (?J) (?<n>a) \k<n> \o{141} [--1] [a&&b] []a]";
const GROUPS: &str = "( ( (?:";
const SPECIAL_GROUPS: &str = "(?= (?! (?> (?| (?i: (?<! (?<= (?s:";
const COUNTS: &str = "? * + + ?? *? +? {2} {1,2} {0,2} {1,} {0}";
const SPECIAL_COUNTS: &str = "? * + {1,2} *+ ++ ?+ {2}+";
/// In any order: most are no pattern, and the rest is what nobody thought of.
const SOUP: &str = r"[ ] [^ - - ( ) \ a b 1 ^ $ . | ? * + { } 1 , : && ~~ -- w d Q E < > ! = # [:alpha:] n x61 é /";

fn pattern(random: &mut Random) -> String {
    let mut pattern = String::new();
    match random.below(8) {
        0 => (0..=random.below(8)).for_each(|_| pattern.push_str(random.word(SOUP))),
        1..=4 => branches(random, 3, false, &mut pattern),
        _ => branches(random, 3, true, &mut pattern),
    }
    pattern
}

fn branches(random: &mut Random, depth: usize, special: bool, out: &mut String) {
    for branch in 0..=random.below(5) / 3 {
        out.push_str(if branch == 0 { "" } else { "|" });
        for _ in 0..random.below(4) {
            part(random, depth, special, out);
        }
    }
}

fn part(random: &mut Random, depth: usize, special: bool, out: &mut String) {
    let own = special && random.below(2) == 0;
    match random.below(12) {
        0..=2 if depth > 0 => {
            out.push_str(random.word(if own { SPECIAL_GROUPS } else { GROUPS }));
            branches(random, depth - 1, special, out);
            out.push(')');
        }
        3 => return out.push_str(random.word(ASSERTIONS)),
        4..=7 if own => out.push_str(random.word(SPECIAL)),
        _ => out.push_str(random.word(PLAIN)),
    }
    if random.below(3) == 0 {
        out.push_str(random.word(if own { SPECIAL_COUNTS } else { COUNTS }));
    }
}

fn text(random: &mut Random) -> Vec<u8> {
    const BYTES: &[u8] = b"aaaabbbbABAB11//..-_ \n\t\xe9\xc3\xa9";
    let mut text: Vec<u8> = (0..random.below(10)).map(|_| BYTES[random.below(BYTES.len())]).collect();
    text.extend_from_slice(if random.below(6) == 0 { b"\n" } else { b"" });
    text
}

struct Oracle {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/regex/oracle.py");
        let mut command = Command::new(support::tools::find("python3"));
        let mut child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
        let (ask, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, ask, answers }
    }

    fn ask(&mut self, pattern: &str, ignore_case: bool, texts: &[Vec<u8>]) -> Value {
        let texts: Vec<_> = texts.iter().map(|text| hex(text)).collect();
        writeln!(self.ask, "{}", json!([hex(pattern.as_bytes()), ignore_case, texts]))
            .expect("the oracle takes a question");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the oracle answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the oracle has died on {pattern:?}: {error}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What drover makes of it, in the oracle's form, with the texts of the groups for their places.
fn ours(pattern: &str, ignore_case: bool, texts: &[Vec<u8>]) -> Value {
    let Ok(regex) = Regex::new(pattern, ignore_case) else { return Value::Null };
    let found = |text: &Vec<u8>| {
        let mut captures = Captures::default();
        match regex.captures(text, &mut captures) {
            Ok(true) => (1..=regex.groups()).map(|group| captures.get(group).map(hex)).collect(),
            Ok(false) => Value::Null,
            Err(error) => json!(error.code),
        }
    };
    json!([regex.names().collect::<Vec<_>>(), texts.iter().map(found).collect::<Vec<_>>()])
}

/// The oracle's answer with texts for places, and without the whole match, which no conf can ask for.
fn theirs(mut answer: Value, texts: &[Vec<u8>]) -> Value {
    let Some(matches) = answer.get_mut(1).and_then(Value::as_array_mut) else { return answer };
    for (groups, text) in matches.iter_mut().zip(texts) {
        let Some(all) = groups.as_array_mut() else { continue };
        all.remove(0);
        for group in all {
            let place = |i: usize| group.get(i).and_then(Value::as_u64).map(|place| place as usize);
            if let (Some(start), Some(end)) = (place(0), place(1)) {
                *group = json!(text.get(start..end).map(hex));
            }
        }
    }
    answer
}

/// Newer in drover's PCRE2 than in Debian 12's 10.42: repetitions without a least number and with blanks, lookbehind of
/// different lengths, extended classes.
fn is_new_syntax(pattern: &str) -> bool {
    ["{,", "{ ", "(?<=", "(?<!", "(?["].iter().any(|new| pattern.contains(new))
}

/// A match that takes drover more steps than it allows is not compared: PCRE2 itself allows ten million. Counts them.
fn excuse_limits(ours: &Value, theirs: &mut Value) -> usize {
    let (Some(ours), Some(theirs)) = (ours.get(1), theirs.get_mut(1)) else { return 0 };
    let pairs = ours.as_array().into_iter().flatten().zip(theirs.as_array_mut().into_iter().flatten());
    pairs.filter(|(ours, _)| **ours == json!(-47)).map(|(ours, theirs)| *theirs = ours.clone()).count()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn random_patterns_match_as_in_pcre2() {
    let seed = number("REGEX_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        now.as_nanos() as u64
    });
    let (mut random, mut oracle) = (Random(seed), Oracle::start());
    let end = Instant::now() + Duration::from_secs(number("REGEX_SECONDS").unwrap_or(3));
    let (mut patterns, mut valid, mut matched, mut too_hard) = (0, 0, 0, 0);
    while Instant::now() < end || patterns < 1000 {
        let pattern = pattern(&mut random);
        let ignore_case = random.below(4) == 0;
        let texts: Vec<_> = (0..8).map(|_| text(&mut random)).collect();
        patterns += 1;
        let ours = ours(&pattern, ignore_case, &texts);
        let mut theirs = theirs(oracle.ask(&pattern, ignore_case, &texts), &texts);
        too_hard += excuse_limits(&ours, &mut theirs);
        if is_new_syntax(&pattern) && theirs.is_null() {
            continue;
        }
        let shown: Vec<_> = texts.iter().map(|text| text.escape_ascii().to_string()).collect();
        assert_eq!(
            ours, theirs,
            "REGEX_SEED={seed}, pattern {patterns}: {pattern:?}, ignore case {ignore_case}, {shown:?}; drover, PCRE2"
        );
        valid += usize::from(!theirs.is_null());
        matched += theirs.get(1).and_then(Value::as_array).map_or(0, |all| all.iter().filter(|m| m.is_array()).count());
    }
    let counts =
        format!("REGEX_SEED={seed}: {patterns} patterns, {valid} valid, {matched} matches, {too_hard} too hard");
    println!("{counts}");
    assert!(valid * 2 > patterns && matched > valid && too_hard * 100 < matched, "{counts}");
}
