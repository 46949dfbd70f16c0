use super::*;
use proptest::prelude::*;

fn matches(pattern: &str, text: &[u8]) -> bool {
    let regex = Regex::new(pattern, false).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    regex.is_match(text).unwrap()
}

#[test]
fn what_sites_write() {
    for (pattern, yes, no) in [
        (r"\.(?:css|js)$", "/a.css", "/a.cssx"),
        (r"^/[\w.-]+$", "/a-b.c", "/a/b"),
        (r"^/[\w\-\.]+\/$", "/a-b/", "/a-b"),
        (r"^(?!/api).*$", "/x", "/api/x"),
        (r"^/(?<!x)a(?=b)", "/ab", "/ac"),
        (r"^(.)\1$", "aa", "ab"),
        (r"^[a-z[0-9]+$", "a[0", "a]"),
        (r"^[&&x]+$", "&x", "y"),
        (r"^[--/]+$", "-./", ","),
        (r"^[a-c-e]+$", "a-e", "d"),
        (r"^[+--]+$", "+,-", "*"),
        (r"^[]a]+$", "]a", "b"),
        (r"^[^]a]+$", "b", "]"),
        (r"^a{2}$", "aa", "a"),
        (r"^a{,2}$", "aa", "a{,2}"),
        (r"^/a{x$", "/a{x", "/ax"),
        (r"^\<\>\_\-\@\%\!\#\/$", "<>_-@%!#/", ""),
        (r"^a\hb$", "a\tb", "aab"),
        (r"^a\Hb$", "axb", "a b"),
        (r"^\Qa.b\Ec$", "a.bc", "axbc"),
        (r"^(?>a+)b++$", "aab", "aa"),
        (r"(?i)^/A$", "/a", "/b"),
        ("^/\u{e9}$", "/\u{e9}", "/e"),
        ("^/[\u{e9}]+$", "/\u{e9}", "/e"),
        (r"", "x", "\0never"),
    ] {
        assert!(matches(pattern, yes.as_bytes()), "{pattern} {yes}");
        assert!(no == "\0never" || !matches(pattern, no.as_bytes()), "{pattern} {no}");
    }
}

#[test]
fn bytes_need_not_be_utf8() {
    assert!(matches(r"^/.$", b"/\xe9"));
    assert!(matches(r"^/[^x](?!y)$", b"/\xe9"));
    assert!(matches(r"^/\xe9$", b"/\xe9"));
    assert!(matches(r"^/..$", "/\u{e9}".as_bytes()));
}

#[test]
fn groups_by_number_and_name() {
    let regex = Regex::new(r"^/(?<lang>[a-z]{2})/(x)?(.*)", false).unwrap();
    assert_eq!(regex.names().collect::<Vec<_>>(), [("lang", 1)]);
    assert_eq!(regex.groups(), 3);
    let mut captures = Captures::default();
    assert_eq!(regex.captures(b"/de/y\xff", &mut captures), Ok(true));
    assert_eq!((captures.get(0), captures.get(1)), (Some(&b"/de/y\xff"[..]), Some(&b"de"[..])));
    assert_eq!((captures.get(2), captures.get(3), captures.get(4)), (None, Some(&b"y\xff"[..]), None));
    assert_eq!(regex.captures(b"/x", &mut captures), Ok(false));
    assert_eq!(captures.get(1), Some(&b"de"[..]), "no match leaves them");
    assert_eq!(Regex::new("^/x", false).unwrap().captures(b"/x", &mut captures), Ok(true));
    assert_eq!(captures.get(1), None);
}

#[test]
fn case() {
    assert_eq!(Regex::new(r"\.PHP$", true).unwrap().is_match(b"/a.php"), Ok(true));
    assert_eq!(Regex::new(r"\.PHP$", false).unwrap().is_match(b"/a.php"), Ok(false));
}

/// Patterns that other engines understand otherwise, or not at all.
#[test]
fn what_only_pcre_means() {
    for (pattern, yes, no) in [
        (r"^/v\d+\.?\d+$", "/v12 /v1.2 /v123", "/v1 /v /v1."),
        (r"^/w/\w+-?\w+$", "/w/ab /w/a-b", "/w/a /w/a-"),
        (r"^/((?i)images)/Secret$", "/IMAGES/Secret /images/Secret", "/images/SECRET /images/secret"),
        (r"^/(?=(?i)a)ab$", "/ab", "/AB /Ab /aB"),
        (r"^/(a(?i)b|c)$", "/aB /C /c", "/Ab"),
        (r"^/\p{Lu}\p{Ll}+$", "/Abc", "/abc"),
        (r"^/a\h+b$", "/a\u{9}b", "/ab"),
        (r"^/a\vb$", "/a\u{c}b /a\u{b}b", "/a\u{9}b"),
        (r"^/[\Qa-z\E]+$", "/a-z", "/b"),
        (r"^/(a|b)\g{1}$", "/aa /bb", "/ab"),
        (r"^/(a|b)c\g{-1}$", "/aca /bcb", "/acb"),
        (r"^/(?<n>a|b)\k{n}\k<n>\k'n'$", "/aaaa", "/aaab"),
        (r"^/(?|a(b)|c(d))\1$", "/abb /cdd", "/abd"),
        (r"^/\101\x42\x{43}\o{104}$", "/ABCD", "/abcd"),
        (r"^/[\101-\103]+$", "/ABC", "/D"),
        (r"^/(\((?:[^()]|(?1))*\))$", "/(a(b)c)", "/(a(b)c"),
        (r"^/a(*SKIP)(*FAIL)|^/b", "/b", "/a"),
        (r"^/a++a$", "", "/aaa"),
        (r"^/a{2}+a?$", "/aa /aaa", "/a"),
        (r"^/\Ra\N$", "/\u{a}ab", "/ab"),
        (r"^/[[:^upper:]]+$", "/abc", "/ABC"),
        (r"^/(?#comment)a$", "/a", "/b"),
        (r"(?x)^/ a b # comment", "/ab", "/a"),
        (r"(*UTF8)^/.$", "/\u{e9}", "/ab"),
    ] {
        for (texts, expected) in [(yes, true), (no, false)] {
            for text in texts.split(' ').filter(|text| !text.is_empty()) {
                assert_eq!(matches(pattern, text.as_bytes()), expected, "{pattern} {text:?}");
            }
        }
    }
}

#[test]
fn a_dollar_stands_before_a_last_line_feed_too() {
    for pattern in [r"^/a$", r"^/(?!x)a$", r"^/(a$|b)", r"^/a$\n?", r"^/(?:a$)+\s?"] {
        assert!(matches(pattern, b"/a") && matches(pattern, b"/a\n"), "{pattern}");
        assert!(!matches(pattern, b"/a\n\n") && !matches(pattern, b"/a\nb"), "{pattern}");
    }
    assert!(!matches(r"^/a\z", b"/a\n") && matches(r"^/a\Z", b"/a\n"));
}

#[test]
fn groups_hold_what_the_last_round_left() {
    for (pattern, text, first) in [
        (r"^/(a*)+", "/aa", Some("")),
        (r"^/(a|b)*", "/ab", Some("b")),
        (r"^/(?:(a)|b)*", "/ab", Some("a")),
        (r"^/(?:(a)|b)+$", "/b", None),
        (r"^/(a)?b", "/b", None),
        (r"^/(?=(a))", "/a", Some("a")),
    ] {
        let mut captures = Captures::default();
        assert_eq!(Regex::new(pattern, false).unwrap().captures(text.as_bytes(), &mut captures), Ok(true), "{pattern}");
        assert_eq!(captures.get(1), first.map(str::as_bytes), "{pattern}");
    }
}

#[test]
fn names_are_pcres() {
    let names = |pattern| {
        Regex::new(pattern, false).map(|regex| regex.names().map(|(n, g)| (n.to_owned(), g)).collect::<Vec<_>>())
    };
    let owned =
        |names: &[(&str, usize)]| names.iter().map(|(name, group)| ((*name).to_owned(), *group)).collect::<Vec<_>>();
    assert_eq!(names(r"(?<b>x)(?P<a>y)(z)(?'c'!)"), Ok(owned(&[("a", 2), ("b", 1), ("c", 4)])));
    assert_eq!(names(r"(?J)(?<a>x)|(?<a>y)"), Ok(owned(&[("a", 1), ("a", 2)])));
    assert!(names(r"(?<a>x)|(?<a>y)").unwrap_err().contains("two named subpatterns have the same name"));
}

#[test]
fn a_bad_pattern_is_explained_as_nginx_explains_it() {
    for (pattern, error) in [
        ("(", "missing closing parenthesis in \"(\""),
        ("a)b", "unmatched closing parenthesis in \"a)b\" at \")b\""),
        ("[z-a]", "range out of order in character class in \"[z-a]\" at \"a]\""),
    ] {
        assert_eq!(Regex::new(pattern, false).unwrap_err(), format!("pcre2_compile() failed: {error}"));
    }
    for pattern in ["[a", "*", "a\\", "(?<n", "\\p{Foo}", "a**", r"[\w-.]", r"[a-\d]", "(*FOO)", "(?<=a*)b"] {
        assert!(Regex::new(pattern, false).is_err(), "{pattern}");
    }
}

#[test]
fn a_pattern_is_compiled_once_as_long_as_it_is_in_use() {
    let new = |ignore_case| Regex::new(r"\.once$", ignore_case).unwrap();
    let (first, second, other) = (new(false), new(false), new(true));
    assert!(Arc::ptr_eq(&first.0, &second.0) && !Arc::ptr_eq(&first.0, &other.0));
    assert!(other.is_match(b"/a.ONCE").unwrap() && !second.is_match(b"/a.ONCE").unwrap());
    let weak = Arc::downgrade(&first.0);
    drop((first, second));
    assert!(weak.upgrade().is_none(), "nobody keeps a pattern that no conf has any more");
    (0..1000).for_each(|n| drop(Regex::new(&format!("^/{n}$"), false).unwrap()));
    assert!(KNOWN.with_borrow(HashMap::len) < 600, "their places are taken again");
}

fn is_linear(pattern: &str) -> bool {
    matches!(Regex::new(pattern, false).unwrap().0.engine, Engine::Linear(_))
}

#[test]
fn what_both_engines_understand_alike_is_linear() {
    for pattern in [
        r"\.(?:css|js|png|jpe?g)$",
        r"^/(.+\.php)(/.*)?$",
        r"^(www\.)?(?<domain>.+)$",
        r"\w+\.(gif|jpg)$",
        r"^/[\w.-]+/\d{1,3}$",
        r"(?i)\.PHP$",
        r"^/(a+)+$",
        r"^/[^/]+/[[:alpha:]_]*\x2e\bx",
        r"^/v\d+\.?\d+$",
        r"\A/\t[\]\-]\z",
        r"^/(?P<year>\d{4})-(?:0[1-9]|1[0-2])/?$",
        "",
        r"^/(a|ab)(c|bcd)$",
        r"^/.*?\.html$",
    ] {
        assert!(is_linear(pattern), "{pattern}");
    }
    for pattern in [
        r"/\.(?!well-known/)",
        r"(.)\1",
        r"^/(a*)+",
        r"^/(\b)*",
        r"a++",
        r"a{2}+",
        r"a{0}",
        r"a\v",
        "\u{e9}",
        r"^/a$b?",
        r"(a(?i)b)",
        r"(?i:a)",
        r"(?m)^a",
        r"[a&&b]",
        r"[[:^alpha:]]",
        r"\p{L}",
        r"\x{41}",
        r"\101",
        r"(?>a)b",
        r"\Qa\E",
        r"\h",
        r"(?|a)",
        r"[a-z]{30000}",
    ] {
        assert!(!is_linear(pattern), "{pattern}");
    }
}

/// Texts of a client's choice for patterns of the conf, as long as a request line may be: without a bound each of these
/// takes half a second at least.
#[test]
fn hostile_texts_are_answered() {
    let letters = format!("/{}.php!", "a".repeat(8000));
    let slashes = format!("{}.php!", "/".repeat(8000));
    for (pattern, text) in [(r"/(.+\.php)(/.*)?", &slashes), ("(a+)+", &letters), ("(a|aa)+", &letters)] {
        let plain = format!("{pattern}$");
        assert!(is_linear(&plain) && !matches(&plain, text.as_bytes()));
        // The text does not match without look-around either.
        assert!(!matches(&format!("(?!x){plain}"), text.as_bytes()));
        // The last look-ahead alone keeps it from a match.
        let hard = Regex::new(&format!(r"(?!x){pattern}(?![.!])(\.php)?!?$"), false).unwrap();
        assert_eq!(hard.is_match(text.as_bytes()).unwrap_err().code, MATCH_LIMIT, "{pattern}");
    }
    assert!(!matches(r"(?!x)\w+\.jpg$", letters.as_bytes()));
    let deep = Regex::new(r"^(?:(?!x)(?:/|//))+(?!\.)(\.php!)?$", false).unwrap();
    assert!(matches!(deep.is_match(slashes.as_bytes()).unwrap_err().code, MATCH_LIMIT | -63));
}

/// Long is not hostile.
#[test]
fn long_texts_have_steps_enough() {
    let text = format!("/{}", "ab/".repeat(2700));
    for pattern in [r"^(?!x)(?:.|y)*$", r"^/(?:(?!x)[^/]+/)*$", r"(?!/x/)/([^/]+)/$", r"(?i)(?<=/)AB/$"] {
        assert!(matches(pattern, text.as_bytes()), "{pattern}");
    }
}

#[test]
fn a_match_that_is_too_hard_is_an_error() {
    let regex = Regex::new(r"^(?:(a|aa)(?!x))+\1c$", false).unwrap();
    let error = MatchError { code: -47, pattern: Arc::clone(&regex.0.pattern) };
    let text = "a".repeat(60) + "cx";
    assert_eq!(regex.is_match(text.as_bytes()), Err(error.clone()));
    assert_eq!(regex.captures(text.as_bytes(), &mut Captures::default()), Err(error));
    assert_eq!(regex.is_match(b"aac"), Ok(true));
    assert_eq!(Regex::new("(*UTF)^/.", false).unwrap().is_match(b"/\xe9").unwrap_err().code, -4);
}

/// Steps are counted for the whole search: a long text with few places that need many steps is no hostile one.
#[test]
fn a_long_text_has_the_steps_of_all_its_places() {
    let regex = Regex::new(r"(?!x)/(.+)\.php$", false).unwrap();
    let long = |slashes: usize| format!("{}{}.ph", "/".repeat(slashes), "a".repeat(7000));
    assert_eq!(regex.is_match(long(5).as_bytes()), Ok(false));
    assert_eq!(regex.is_match(format!("{}p", long(5)).as_bytes()), Ok(true));
}

proptest! {
    /// The search that counts its steps finds what PCRE2's own finds.
    #[test]
    fn counting_all_steps_changes_nothing(
        pattern in r"(\(\?i\)|\(\?x\)|)([ab.^$|*+?]|\(\?[=!]|\(\?<[=!]|\(|\)|\\[QEbKGh1]|#|\[ab\]|\n){1,8}",
        text in "[abAB\n]{0,10}",
    ) {
        let Ok(plain) = Pattern::new(&pattern, false) else { return Ok(()) };
        let Some(counted) = counted(&pattern, false) else { return Ok(()) };
        let (mut groups, mut same) = (Vec::new(), Vec::new());
        let found = plain.find(text.as_bytes(), STEPS, Some(&mut groups));
        prop_assert_eq!(counted.find(text.as_bytes(), STEPS, Some(&mut same)), found);
        prop_assert_eq!(same, groups);
    }
}

/// Somebody who has found a text that takes all steps asks for it again and again.
#[test]
fn a_pattern_that_took_all_steps_has_to_hurry() {
    let regex = Regex::new("^((?!x)a+)+(?!!)!?$", false).unwrap();
    let Engine::Backtracking(engine) = &regex.0.engine else { panic!("it has a look-ahead") };
    let some_thousand_steps = [b"a".repeat(12), b"!".to_vec()].concat();
    let all_steps = [b"a".repeat(30), b"!".to_vec()].concat();
    assert_eq!(regex.is_match(&some_thousand_steps), Ok(false));
    assert_eq!(regex.is_match(&all_steps).unwrap_err().code, MATCH_LIMIT);
    assert_eq!(regex.is_match(&some_thousand_steps).unwrap_err().code, MATCH_LIMIT);
    assert_eq!(regex.is_match(b"aaa"), Ok(true), "few steps are enough for most");
    let until = engine.hurried_until_ms.load(Relaxed);
    assert!(until > time::monotonic_ms(), "the hurried failure does not count anew");
    engine.hurried_until_ms.store(1, Relaxed);
    assert_eq!(regex.is_match(&some_thousand_steps), Ok(false));
    assert_eq!(engine.hurried_until_ms.load(Relaxed), 0);
}
