//! Regexes of the conf against PCRE2 itself, through the pcre2 crate: random patterns, random texts, the same groups.
//! The crate is built with the same PCRE2 as drover, because versions differ in bugs. `differential` compares with the
//! one that nginx links.
//!
//! Patterns come from a seed, which a failure prints: `REGEX_SEED=N` repeats it. `REGEX_SECONDS=60` goes on for that
//! long.

use drover::http::site::regex::{Captures, Regex};
use fastrand::Rng;
use std::time::{Duration, Instant};

/// Constructs that configurations of sites use most.
const PLAIN: &str =
    r"a b A B 1 / \. - _ . \w \d \s \W [ab] [^a] [a-b1] [\w.-] [[:alpha:]_] [^/] [^\d\n] [A-B] \x61 \/ \-";
const ASSERTIONS: &str = r"^ $ $ $ \b \B \A \z \Z";
/// Few engines but PCRE have these.
const SPECIAL: &str = r"\h \H \v \R \N \X \Q.a\E [\Qa-\E] \x{61} \141 \p{L} \P{Lu} \1 \g{1} \g{-1} \g1
    [[:^upper:]] [[:upper:]] (?i) (?-i) (?s) (?m) (?x) \K \G (?<=a) (?<!b) (?<=ab|b) (?#a) (*SKIP) (*PRUNE) (*COMMIT)
    \pL \PL \p{^Lu} \p{L&} \p{Cyrillic} \p{Any} [\p{Ll}\d] [^\P{L}]
    (*THEN) (*ACCEPT) (?1) (?R) (?(1)a|b) é [\x80-\xff] \e \ca [\h1] (?J) (?<n>a) \k<n> \o{141} [--1] [a&&b] []a]";
/// Words at the start of a pattern, which make characters of bytes, and properties of characters out of ASCII.
const MODES: &str = "(*UTF) (*UCP) (*UTF)(*UCP) (*UTF8)";
const GROUPS: &str = "( ( (?:";
const SPECIAL_GROUPS: &str = "(?= (?! (?> (?| (?i: (?<! (?<= (?s:";
const COUNTS: &str = "? * + + ?? *? +? {2} {1,2} {0,2} {1,} {0}";
const SPECIAL_COUNTS: &str = "? * + {1,2} *+ ++ ?+ {2}+";
/// In any order: most are no pattern, and the rest is what nobody thought of.
const SOUP: &str = r"[ ] [^ - - ( ) \ a b 1 ^ $ . | ? * + { } 1 , : && ~~ -- w d Q E < > ! = # [:alpha:] n x61 é /";

fn word<'a>(random: &mut Rng, words: &'a str) -> &'a str {
    let words: Vec<_> = words.split_ascii_whitespace().collect();
    random.choice(words).unwrap_or_default()
}

fn pattern(random: &mut Rng) -> String {
    let mut pattern = String::new();
    if random.usize(..12) == 0 {
        pattern.push_str(word(random, MODES));
    }
    match random.usize(..8) {
        0 => (0..=random.usize(..8)).for_each(|_| pattern.push_str(word(random, SOUP))),
        1..=4 => branches(random, 3, false, &mut pattern),
        _ => branches(random, 3, true, &mut pattern),
    }
    pattern
}

fn branches(random: &mut Rng, depth: usize, special: bool, out: &mut String) {
    for branch in 0..=random.usize(..5) / 3 {
        out.push_str(if branch == 0 { "" } else { "|" });
        for _ in 0..random.usize(..4) {
            part(random, depth, special, out);
        }
    }
}

fn part(random: &mut Rng, depth: usize, special: bool, out: &mut String) {
    let own = special && random.usize(..2) == 0;
    match random.usize(..12) {
        0..=2 if depth > 0 => {
            out.push_str(word(random, if own { SPECIAL_GROUPS } else { GROUPS }));
            branches(random, depth - 1, special, out);
            out.push(')');
        }
        3 => return out.push_str(word(random, ASSERTIONS)),
        4..=7 if own => out.push_str(word(random, SPECIAL)),
        _ => out.push_str(word(random, PLAIN)),
    }
    if random.usize(..3) == 0 {
        out.push_str(word(random, if own { SPECIAL_COUNTS } else { COUNTS }));
    }
}

fn text(random: &mut Rng) -> Vec<u8> {
    const BYTES: &[u8] = b"aaaabbbbABAB11//..-_ \n\t\xe9\xc3\xa9";
    const CHARACTERS: [&str; 8] =
        ["\u{e9}", "\u{c9}", "\u{44f}", "\u{42f}", "\u{661}", "\u{301}", "\u{20ac}", "\u{1f600}"];
    let mut text: Vec<u8> = (0..random.usize(..10)).map(|_| BYTES[random.usize(..BYTES.len())]).collect();
    if random.usize(..3) == 0 {
        // Valid UTF-8, most of the time.
        text.retain(|byte| byte.is_ascii() || random.usize(..8) == 0);
        for _ in 0..random.usize(..4) {
            let at = random.usize(..=text.len());
            text.splice(at..at, CHARACTERS[random.usize(..CHARACTERS.len())].bytes());
        }
    }
    text.extend_from_slice(if random.usize(..6) == 0 { b"\n" } else { b"" });
    text
}

/// The text of each group; `None`: the group took no part in the match.
type Groups = Vec<Option<Vec<u8>>>;

/// The names of the groups, and for each text its groups; `None` without a match, PCRE2's number where it fails.
#[derive(Debug, PartialEq)]
struct Meaning {
    names: Vec<(String, usize)>,
    found: Vec<Result<Option<Groups>, i32>>,
}

/// `None`: no pattern.
fn ours(pattern: &str, ignore_case: bool, texts: &[Vec<u8>]) -> Option<Meaning> {
    let regex = Regex::new(pattern, ignore_case).ok()?;
    let mut names: Vec<_> = regex.names().map(|(name, group)| (name.to_owned(), group)).collect();
    names.sort();
    let found = |text: &Vec<u8>| {
        let mut captures = Captures::default();
        let found = regex.captures(text, &mut captures).map_err(|error| error.code)?;
        let group = |group| captures.get(group).map(<[u8]>::to_vec);
        Ok(found.then(|| (1..=regex.groups()).map(group).collect()))
    };
    Some(Meaning { names, found: texts.iter().map(found).collect() })
}

fn pcres(pattern: &str, ignore_case: bool, texts: &[Vec<u8>]) -> Option<Meaning> {
    let regex = pcre2::bytes::RegexBuilder::new().caseless(ignore_case).build(pattern).ok()?;
    let named = |(group, name): (usize, &Option<String>)| Some((name.clone()?, group));
    let mut names: Vec<_> = regex.capture_names().iter().enumerate().filter_map(named).collect();
    names.sort();
    let found = |text: &Vec<u8>| match regex.captures(text) {
        Ok(found) => Ok(found.map(|found| {
            (1..found.len()).map(|group| found.get(group).map(|group| group.as_bytes().to_vec())).collect()
        })),
        Err(error) => Err(error.code()),
    };
    Some(Meaning { names, found: texts.iter().map(found).collect() })
}

/// Leaves out of the comparison a match that takes drover more steps than it allows (PCRE2 itself allows ten million),
/// and one that PCRE2 can't decide (too many steps, a recursion in the same place), where drover knows by the pattern
/// without its look-around that there is none. Counts them.
fn excuse_limits(ours: &Option<Meaning>, pcres: &mut Option<Meaning>) -> usize {
    let (Some(ours), Some(pcres)) = (ours, pcres) else { return 0 };
    let is_excused =
        |ours: &Result<_, _>, pcres: &Result<_, _>| matches!((ours, pcres), (Err(-47), _) | (Ok(None), Err(-47 | -52)));
    let pairs = ours.found.iter().zip(&mut pcres.found);
    pairs.filter(|(ours, pcres)| is_excused(ours, pcres)).map(|(ours, pcres)| pcres.clone_from(ours)).count()
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
    let mut random = Rng::with_seed(seed);
    let end = Instant::now() + Duration::from_secs(number("REGEX_SECONDS").unwrap_or(3));
    let (mut patterns, mut valid, mut matched, mut too_hard) = (0, 0, 0, 0);
    while Instant::now() < end || patterns < 1000 {
        let pattern = pattern(&mut random);
        let ignore_case = random.usize(..4) == 0;
        let texts: Vec<_> = (0..8).map(|_| text(&mut random)).collect();
        patterns += 1;
        let ours = ours(&pattern, ignore_case, &texts);
        let mut pcres = pcres(&pattern, ignore_case, &texts);
        too_hard += excuse_limits(&ours, &mut pcres);
        let shown: Vec<_> = texts.iter().map(|text| text.escape_ascii().to_string()).collect();
        assert_eq!(
            ours, pcres,
            "REGEX_SEED={seed}, pattern {patterns}: {pattern:?}, ignore case {ignore_case}, {shown:?}; drover, PCRE2"
        );
        valid += usize::from(pcres.is_some());
        matched += pcres.map_or(0, |meaning| meaning.found.iter().filter(|found| matches!(found, Ok(Some(_)))).count());
    }
    let counts =
        format!("REGEX_SEED={seed}: {patterns} patterns, {valid} valid, {matched} matches, {too_hard} too hard");
    println!("{counts}");
    assert!(valid * 2 > patterns && matched > valid && too_hard * 100 < matched, "{counts}");
}
