use super::*;
use proptest::prelude::*;

fn names(list: &[&'static str]) -> ServerNames<&'static str> {
    let mut names = ServerNames::default();
    for name in list {
        names.add(name, *name).unwrap();
    }
    names
}

fn server(names: &ServerNames<&'static str>, host: &str) -> &'static str {
    names.find(host.as_bytes(), &mut Captures::default()).unwrap().map_or("-", |found| found.value)
}

#[test]
fn server_names_in_nginx_order() {
    let names = names(&[
        "~^(?<user>[a-z]+)\\.people\\.example$",
        "~.*",
        "a.example",
        "*.example",
        "*.b.example",
        ".c.example",
        "mail.*",
        "mail.a.*",
        "UPPER.example",
        "",
    ]);
    for (host, expected) in [
        ("a.example", "a.example"),
        ("x.example", "*.example"),
        ("x.y.example", "*.example"),
        ("x.b.example", "*.b.example"),
        ("x.y.b.example", "*.b.example"),
        ("b.example", "*.example"),
        ("c.example", ".c.example"),
        ("x.c.example", ".c.example"),
        ("mail.x", "mail.*"),
        ("mail.a.x.y", "mail.a.*"),
        ("mail.example", "*.example"),
        ("upper.example", "UPPER.example"),
        ("", ""),
        ("mail", "~.*"),
        ("example", "~.*"),
        (".example", "*.example"),
        ("joe.people.example", "*.example"),
    ] {
        assert_eq!(server(&names, host), expected, "{host}");
    }
}

#[test]
fn patterns_come_last_and_in_order() {
    let names = names(&["~^(?<user>[a-z]+)\\.People$", "~p"]);
    let mut captures = Captures::default();
    let found = names.find(b"joe.people", &mut captures).unwrap().unwrap();
    let group = found.regex.unwrap().names().next().unwrap();
    assert_eq!((group.0, captures.get(group.1)), ("user", Some(&b"joe"[..])));
    assert_eq!(server(&names, "1.people"), "~p");
    assert_eq!(server(&names, ""), "-");
    assert_eq!(server(&ServerNames::default(), "a"), "-");
}

#[test]
fn bad_and_double_names() {
    let mut names = names(&["a", "*.a", ".b"]);
    for name in ["*", "*a", "a*", "*.", ".", "a.*.b", "*.a.*", "a..b", ".*", "a/b"] {
        assert_eq!(names.add(name, ""), Err(AddError::Invalid), "{name}");
    }
    for (name, first) in [("A", "a"), ("a.", "a"), ("*.a", "*.a"), ("b", ".b"), ("*.b", ".b"), (".b", ".b")] {
        assert_eq!(names.add(name, ""), Err(AddError::Duplicate(first)), "{name}");
    }
    assert!(matches!(names.add("~(", ""), Err(AddError::Regex(_))));
}

/// A level of locations as in a conf file; the value of each is its text.
fn level(list: Vec<(&'static str, Locations<&'static str>)>) -> Locations<&'static str> {
    let mut locations = Locations::default();
    for (text, inner) in list {
        let (modifier, path) = text.split_once(' ').unwrap_or(("", text));
        let bytes = path.as_bytes().to_vec();
        let rule = match modifier {
            "=" => Rule::Exact(bytes),
            "~" | "~*" => Rule::Regex(Regex::new(path, modifier == "~*").unwrap()),
            "" if path.starts_with('@') => Rule::Named(path[1..].to_owned()),
            modifier => Rule::Prefix { path: bytes, no_regex: modifier == "^~" },
        };
        locations.add(rule, text, inner).unwrap();
    }
    locations
}

fn leaves(list: &[&'static str]) -> Locations<&'static str> {
    level(list.iter().map(|text| (*text, Locations::default())).collect())
}

fn location(locations: &Locations<&'static str>, path: &str) -> &'static str {
    locations.find(path.as_bytes(), &mut Captures::default()).unwrap().map_or("-", |found| found.value)
}

#[test]
fn exact_then_prefix_then_pattern() {
    // The example of nginx's documentation of location, and more.
    let locations = leaves(&[
        "= /",
        "/",
        "/documents/",
        "^~ /images/",
        "~* \\.(gif|jpg|jpeg)$",
        "~ \\.gif$",
        "/images/raw/",
        "= /documents/",
        "@x",
    ]);
    for (path, expected) in [
        ("/", "= /"),
        ("/index.html", "/"),
        ("/documents/document.html", "/documents/"),
        ("/documents/", "= /documents/"),
        ("/documents", "/"),
        ("/images/1.gif", "^~ /images/"),
        ("/documents/1.JPG", "~* \\.(gif|jpg|jpeg)$"),
        ("/images/raw/1.jpg", "~* \\.(gif|jpg|jpeg)$"),
        ("/images/raw/1.txt", "/images/raw/"),
        ("/images", "/"),
    ] {
        assert_eq!(location(&locations, path), expected, "{path}");
    }
    assert_eq!(locations.named("x"), Some(&"@x"));
    assert_eq!(locations.named("y"), None);
    assert_eq!(location(&leaves(&["/a"]), "/b"), "-");
}

#[test]
fn nested_locations() {
    let locations = level(vec![
        ("/", Locations::default()),
        ("/a/", leaves(&["= /a/x", "/a/b/", "~ \\.in$"])),
        ("^~ /n/", leaves(&["/n/m/", "~ \\.in$"])),
        ("~ ^/a/.*\\.out$", leaves(&["/a/b/", "~ (b)\\.out$"])),
        ("~ \\.(in)$", Locations::default()),
    ]);
    for (path, expected) in [
        ("/a/x", "= /a/x"),
        ("/a/y", "/a/"),
        ("/a/b/c", "/a/b/"),
        ("/a/b/c.in", "~ \\.in$"),
        ("/a/y.out", "~ ^/a/.*\\.out$"),
        ("/a/b/y.out", "/a/b/"),
        ("/a/yb.out", "~ (b)\\.out$"),
        ("/n/m/1", "/n/m/"),
        ("/n/m/1.in", "~ \\.in$"),
        ("/n/1", "^~ /n/"),
        ("/c.in", "~ \\.(in)$"),
    ] {
        assert_eq!(location(&locations, path), expected, "{path}");
    }
    let mut captures = Captures::default();
    let found = locations.find(b"/a/yb.out", &mut captures).unwrap().unwrap();
    assert_eq!((format!("{:?}", found.regex.unwrap()), captures.get(1)), ("~(b)\\.out$".to_owned(), Some(&b"b"[..])));
    let found = locations.find(b"/a/b/y.out", &mut captures).unwrap().unwrap();
    assert_eq!(format!("{:?}", found.regex.unwrap()), "~^/a/.*\\.out$");
}

#[test]
fn double_locations() {
    let mut locations = leaves(&["/a", "= /a", "@a"]);
    let none = Locations::default;
    let prefix = Rule::Prefix { path: b"/a".to_vec(), no_regex: true };
    assert_eq!(locations.add(prefix, "", none()), Err("/a"));
    assert_eq!(locations.add(Rule::Exact(b"/a".to_vec()), "", none()), Err("= /a"));
    assert_eq!(locations.add(Rule::Named("a".to_owned()), "", none()), Err("@a"));
}

#[test]
fn a_pattern_that_is_too_hard_fails_the_search() {
    let locations = leaves(&["~ ^(?:(a|aa)(?!x))+\\1c$"]);
    let path = "a".repeat(60) + "cx";
    let error = locations.find(path.as_bytes(), &mut Captures::default()).unwrap_err();
    assert_eq!((error.code, &*error.pattern), (-47, "^(?:(a|aa)(?!x))+\\1c$"));
}

proptest! {
    #[test]
    fn the_longest_prefix_wins(paths in proptest::collection::btree_set("/[ab/]{0,4}", 0..12), uri in "/[ab/]{0,6}") {
        let mut locations = Locations::default();
        for path in &paths {
            let rule = Rule::Prefix { path: path.clone().into_bytes(), no_regex: false };
            locations.add(rule, path.clone(), Locations::default()).unwrap();
        }
        let expected = paths.iter().filter(|path| uri.starts_with(*path)).max_by_key(|path| path.len());
        let found = locations.find(uri.as_bytes(), &mut Captures::default()).unwrap();
        prop_assert_eq!(found.map(|found| found.value), expected);
    }

    #[test]
    fn the_longest_wildcard_wins(
        names in proptest::collection::btree_set("[ab](\\.[ab]){0,2}", 0..8),
        host in "[ab](\\.[ab]){0,4}",
    ) {
        let mut heads = ServerNames::default();
        let mut tails = ServerNames::default();
        for name in &names {
            heads.add(&format!("*.{name}"), name.clone()).unwrap();
            tails.add(&format!("{name}.*"), name.clone()).unwrap();
        }
        let longest = |fits: &dyn Fn(&str) -> bool| {
            names.iter().filter(|name| fits(name)).max_by_key(|name| name.len())
        };
        let head = longest(&|name| host.ends_with(&format!(".{name}")));
        let tail = longest(&|name| host.starts_with(&format!("{name}.")));
        let mut captures = Captures::default();
        prop_assert_eq!(heads.find(host.as_bytes(), &mut captures).unwrap().map(|found| found.value), head);
        prop_assert_eq!(tails.find(host.as_bytes(), &mut captures).unwrap().map(|found| found.value), tail);
    }
}
