use super::*;

static MODE: Setting<u64> = Setting::count("mode").contexts(Contexts::MAIN).default("3").about("A number.");
static DEEP: Section = Section::new("deep")
    .contexts(Contexts::HTTP.union(Contexts::SERVER))
    .inner(Contexts::SERVER)
    .args(0, 1)
    .syntax("[NAME]")
    .about("A block in blocks.");
static HTTP: Section =
    Section::new("http").contexts(Contexts::MAIN).inner(Contexts::HTTP).once().about("The outer block.");
static SENDFILE: Setting<bool> = Setting::flag("sendfile").contexts(Contexts::HTTP_ALL).default("off").about("A flag.");
static LIMIT: Setting<u64> = Setting::size("limit").contexts(Contexts::HTTP_ALL).default("8k").about("A size.");
static WAIT: Setting<u64> = Setting::time_ms("wait").contexts(Contexts::HTTP_ALL).default("75s").about("A time.");
static ROOT: Setting<String> = Setting::path("root").contexts(Contexts::HTTP_ALL).default("html").about("A path.");
static NAME: Setting<Vec<String>> = Setting::<Vec<String>>::many(&["name"], |args, names| {
    names.extend(args.all().iter().map(|arg| arg.text.clone()));
    Ok(())
})
.contexts(Contexts::SERVER)
.args(1, usize::MAX)
.syntax("NAME ...")
.local()
.about("Names.");
static RULES: Setting<Vec<(String, String)>> =
    Setting::<Vec<(String, String)>>::many(&["allow", "deny"], |args, rules| {
        rules.push((args.name().to_owned(), args.str(0)?.to_owned()));
        *args.notes::<usize>() += 1;
        Ok(())
    })
    .contexts(Contexts::HTTP_ALL)
    .args(1, 1)
    .syntax("WHO")
    .about("Rules, in their order.");
static TYPES: Setting<Vec<(String, usize)>> = Setting::one("types", |args| {
    Ok(args.block().iter().filter_map(|item| Some((item.words.first()?.text.clone(), item.words.len() - 1))).collect())
})
.contexts(Contexts::HTTP_ALL)
.takes_block()
.syntax("")
.default("{ text/html html htm; }")
.about("A table.");

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum When {
    #[default]
    Never,
    Always,
}

impl OneOf for When {
    const WORDS: &'static [(&'static str, Self)] = &[("never", When::Never), ("always", When::Always)];
}

static WHEN: Setting<When> = Setting::one_of("when").contexts(Contexts::HTTP_ALL).default("never").about("A word.");
static STREAM_MODE: Setting<bool> = Setting::flag("mode").contexts(Contexts::HTTP).about("Another `mode`.");
static PCRE_JIT: Inert = Inert::new("pcre_jit", Contexts::MAIN, (1, 1), "there is no PCRE");
static PROXY: Refused =
    Refused::family(&["grpc_pass", "proxy_*"], "drover serves files only: put a proxy in front of it.");

static DIRECTIVES: &[&dyn Entry] = &[
    &MODE,
    &HTTP,
    &DEEP,
    &SENDFILE,
    &LIMIT,
    &WAIT,
    &ROOT,
    &NAME,
    &RULES,
    &TYPES,
    &WHEN,
    &STREAM_MODE,
    &PCRE_JIT,
    &PROXY,
];

fn registry() -> Registry {
    Registry::new(&[DIRECTIVES])
}

fn conf(text: &str) -> Conf {
    parse(&registry(), text).unwrap()
}

/// The error's sentence alone.
fn sentence(text: &str) -> String {
    parse(&registry(), text).unwrap_err().sentence()
}

#[test]
fn blocks_inherit_what_they_do_not_say() {
    let conf = conf("mode 7; http { deep { deep { limit 1m; } wait 500ms; } sendfile on; limit 2k; }");
    let http = conf.root.children_of(&HTTP).next().unwrap();
    let outer = http.children_of(&DEEP).next().unwrap();
    let inner = outer.children_of(&DEEP).next().unwrap();
    assert_eq!(*conf.root.scope.get(&MODE), 7);
    assert!(!conf.root.scope.get(&SENDFILE) && *http.scope.get(&SENDFILE), "said below the inner block, yet inherited");
    assert!(*inner.scope.get(&SENDFILE) && !inner.scope.set_here(&SENDFILE) && http.scope.set_here(&SENDFILE));
    assert_eq!((*outer.scope.get(&LIMIT), *inner.scope.get(&LIMIT)), (2048, 1 << 20));
    assert_eq!((*http.scope.get(&WAIT), *inner.scope.get(&WAIT)), (75_000, 500));
    assert_eq!(inner.scope.get(&ROOT), "/html");
    let span = inner.scope.span_of(&WAIT).unwrap();
    assert_eq!(conf.place(span).unwrap(), "conf:1");
    assert_eq!(inner.scope.span_of(&ROOT), None);
}

#[test]
fn several_occurrences_fold_and_an_inner_one_replaces_them() {
    let conf = conf("http { deny a; allow b; deep { allow c; name x; name y z; deep {} } deep {} }");
    let http = conf.root.children_of(&HTTP).next().unwrap();
    let rules =
        |node: &Node| node.scope.get(&RULES).iter().map(|(name, who)| format!("{name} {who}")).collect::<Vec<_>>();
    let [first, second] = &http.children[..] else { panic!() };
    assert_eq!(rules(http), ["deny a", "allow b"]);
    assert_eq!(rules(first), ["allow c"]);
    assert_eq!(rules(second), rules(http));
    assert_eq!(*first.scope.get(&NAME), ["x", "y", "z"]);
    assert!(first.children[0].scope.get(&NAME).is_empty(), "local settings are not inherited");
    assert_eq!(conf.notes::<usize>(), Some(&3));
    assert_eq!(conf.notes::<String>(), None);
}

#[test]
fn raw_blocks_are_read_as_items() {
    let conf = conf("http { types { a b c; \"d\" e} f; } # a brace may end a word\n}");
    let http = conf.root.children_of(&HTTP).next().unwrap();
    assert_eq!(http.scope.get(&TYPES), &[("a".to_owned(), 2), ("d".to_owned(), 2)]);
    assert_eq!(conf.root.scope.get(&TYPES), &[("text/html".to_owned(), 2)]);
    assert_eq!(sentence("http { types { a {} } }"), "unexpected \"{\" in conf:1");
    assert_eq!(sentence("http { types { a b"), "unexpected end of file, expecting \";\" or \"}\" in conf:1");
    assert_eq!(sentence("http { types { a b;"), "unexpected end of file, expecting \"}\" in conf:1");
}

/// The sentences are those of nginx 1.22, which names the line in which a directive ends.
#[test]
fn sentences_are_those_of_nginx() {
    for (text, expected) in [
        ("mode 1\n", "unexpected end of file, expecting \";\" or \"}\" in conf:2"),
        ("mode \"1", "unexpected end of file, expecting \";\" or \"}\" in conf:1"),
        ("mode \"1\"x;", "unexpected \"x\" in conf:1"),
        ("mode 1 2\n ;", "invalid number of arguments in \"mode\" directive in conf:2"),
        ("mode;", "invalid number of arguments in \"mode\" directive in conf:1"),
        ("\n}\n", "unexpected \"}\" in conf:2"),
        (";", "unexpected \";\" in conf:1"),
        ("{", "unexpected \"{\" in conf:1"),
        ("http {\n", "unexpected end of file, expecting \"}\" in conf:2"),
        ("http ;", "directive \"http\" has no opening \"{\" in conf:1"),
        ("mode 1 {", "directive \"mode\" is not terminated by \";\" in conf:1"),
        ("http { limit 1 }", "unexpected \"}\" in conf:1"),
        ("lisen\n\n80;", "unknown directive \"lisen\" in conf:3"),
        ("sendfile on;", "\"sendfile\" directive is not allowed here in conf:1"),
        (
            "http { sendfile maybe; }",
            "invalid value \"maybe\" in \"sendfile\" directive, it must be \"on\" or \"off\" in conf:1",
        ),
        ("http { sendfile on; sendfile on; }", "\"sendfile\" directive is duplicate in conf:1"),
        ("http { limit 1x; }", "\"limit\" directive invalid value in conf:1"),
        ("http { wait 1x; }", "\"wait\" directive invalid value in conf:1"),
        ("mode -1;", "\"mode\" directive invalid number in conf:1"),
        ("http { when foo; }", "invalid value \"foo\" in conf:1"),
        ("http {} http {}", "\"http\" directive is duplicate in conf:1"),
        ("include;", "invalid number of arguments in \"include\" directive in conf:1"),
        ("include /no/such;", "open() \"/no/such\" failed (2: No such file or directory) in conf:1"),
    ] {
        assert_eq!(sentence(text), expected, "{text}");
    }
}

#[test]
fn the_line_is_shown_with_a_caret_and_a_help() {
    let error = |text: &str| parse(&registry(), text).unwrap_err().to_string();
    let shown = "drover: [emerg] unknown directive \"sendfil\" in conf:3\n --> conf:2:2\n  |\n2 | \tsendfil\n  \
        | \t^^^^^^^ did you mean \"sendfile\"?";
    assert_eq!(error("http {\n\tsendfil\n on; }"), shown);
    let shown = "drover: [emerg] \"proxy_pass\" directive is not supported in conf:1\n --> conf:1:10\n  |\n\
        1 | http {   proxy_pass x; }\n  |          ^^^^^^^^^^ drover serves files only: put a proxy in front of it.";
    assert_eq!(error("http {   proxy_pass x; }"), shown);
    // Columns count characters, not bytes; terminals never see control characters.
    let shown = "drover: [emerg] invalid value \"x\u{1b}\" in conf:1\n --> conf:1:23\n  |\n\
        1 | http { allow éé; when x\u{fffd}; }\n  |                       ^^ one of \"never\", \"always\"";
    assert_eq!(error("http { allow éé; when x\u{1b}; }"), shown);
    let long = format!("http {{ when {}; }}", "x".repeat(3000));
    assert!(error(&long).lines().skip(1).all(|line| line.chars().count() < 200));
}

#[test]
fn helps_name_the_usual_mistakes() {
    for (text, help) in [
        ("http { sendfile on\n limit 1m; }", "is a \";\" missing after this?"),
        ("http { limit 1m }", "is a \";\" missing before it?"),
        ("mode;", "write it as: mode NUMBER"),
        ("http { deep {", "the \"{\" of \"deep\" in line 1 is never closed"),
        ("mode '1;\n", "the ' of line 1 is never closed"),
        ("sendfile on;", "its place is http, server, location"),
        ("http { deep { mode 1; } }", "its place is main, http"),
        ("mode 1;\nmode 2;", "it stands in conf:1 already"),
        ("http { when alwys; }", "did you mean \"always\"?"),
        ("pcre_jti on;", "did you mean \"pcre_jit\"?"),
        ("http { grpc_pass x; }", "drover serves files only: put a proxy in front of it."),
        ("http { limit x; }", "a size in bytes, such as 512, 8k, 1m or 2g"),
    ] {
        let error = parse(&registry(), text).unwrap_err();
        assert_eq!(error.help_text(), Some(help), "{text}: {error}");
    }
    let error = parse(&registry(), "zzzzzzzzz;").unwrap_err();
    assert_eq!(error.help_text(), None);
}

#[test]
fn one_name_may_mean_two_things_in_two_contexts() {
    let conf = conf("mode 5; http { mode on; }");
    let http = conf.root.children_of(&HTTP).next().unwrap();
    assert_eq!((*http.scope.get(&MODE), *http.scope.get(&STREAM_MODE)), (5, true));
    assert_eq!(registry().problems(), Vec::<String>::new());
    static TWIN: Setting<u64> = Setting::count("limit").contexts(Contexts::SERVER);
    let problems = Registry::new(&[DIRECTIVES, &[&TWIN]]).problems();
    assert_eq!(problems, ["\"limit\" is there twice", "\"limit\" has no text about it"]);
}

#[test]
fn a_scope_knows_nothing_of_settings_outside_its_registry() {
    static OTHER: Setting<u64> = Setting::count("other").contexts(Contexts::MAIN).default("9");
    let conf = conf("mode 5;");
    assert_eq!(*conf.root.scope.get(&OTHER), 0);
    assert_eq!(*parse(&Registry::new(&[&[&OTHER]]), "").unwrap().root.scope.get(&OTHER), 9);
    assert_eq!(*conf.root.scope.get(&OTHER), 0);
}

#[test]
fn bytes_that_are_no_text_are_an_error_outside_of_comments() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c");
    let load = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        load(&registry(), Input::File(&file), &Options::default())
            .map_err(|problems| problems.into_first().message().to_owned())
    };
    assert!(load(b"mode 1; # \xff\xfe\0\n").is_ok());
    assert_eq!(*load(b"mode\r\n4;\r\n# x\r\nhttp {\r\n}\r\n").unwrap().root.scope.get(&MODE), 4);
    assert_eq!(load(b"mode \xff;").unwrap_err(), "a parameter that is not UTF-8");
    assert_eq!(load(b"mode \0;").unwrap_err(), "a parameter that holds a NUL byte");
    assert_eq!(load(b"mode \"1\"\xff;").unwrap_err(), "unexpected \"\u{fffd}\"");
}

#[test]
fn directives_of_the_command_line_come_first() {
    let load = |globals: &str, text: &str| {
        let options = Options { prefix: "/p".to_owned(), globals: Some(globals.to_owned()), ..Options::default() };
        load(&registry(), Input::text("conf", text), &options).map_err(|problems| problems.into_first().sentence())
    };
    let conf = load("mode 9;", "http {}").unwrap();
    assert_eq!((*conf.root.scope.get(&MODE), conf.root.scope.get(&ROOT).as_str()), (9, "/p/html"));
    assert_eq!(conf.sources.files().collect::<Vec<_>>(), [("conf", &b"http {}"[..])]);
    for (globals, sentence) in [
        ("mode 1", "unexpected end of parameter, expecting \";\" in command line"),
        ("http {}", "block directives are not supported in -g option in command line"),
        ("foo;", "unknown directive \"foo\" in command line"),
        ("mode 1;", "\"mode\" directive is duplicate in conf:1"),
    ] {
        assert_eq!(load(globals, "mode 2;").unwrap_err(), sentence);
    }
}

/// The values of `mode` and `name` in `http { deep { } }` of the main file of a directory, or the sentence.
fn included(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let conf = load(&registry(), Input::File(&dir.path().join("main")), &Options::default());
    let here = format!("{}/", dir.path().display());
    let conf = conf.map_err(|problems| problems.into_first().sentence().replace(&here, ""))?;
    let names = conf.root.children_of(&HTTP).flat_map(|http| http.children_of(&DEEP));
    Ok(names.flat_map(|deep| deep.scope.get(&NAME).clone()).collect())
}

#[test]
fn includes_are_read_in_their_place() {
    let names = included(&[
        ("main", "http { include sub/b*.conf; deep { name a; include sub/n; name c; } include none*; }"),
        ("sub/n", "name b1;\ninclude sub/m;"),
        ("sub/m", "name b2;"),
        ("sub/b2.conf", "deep { name second; }"),
        ("sub/b10.conf", "deep { name first; }"),
        ("sub/.b.conf", "broken"),
    ]);
    assert_eq!(names.unwrap(), ["first", "second", "a", "b1", "b2", "c"]);
    assert_eq!(included(&[("main", "http { types { include t; } }"), ("t", "a b;\nc d;")]), Ok(Vec::new()));
    for (files, sentence) in [
        (
            &[("main", "include a;"), ("a", "include b;"), ("b", "\ninclude a;")][..],
            "include cycle: \"a\" is being read already in b:2",
        ),
        (&[("main", "include main;")], "include cycle: \"main\" is being read already in main:1"),
        (&[("main", "include a;"), ("a", "\nmode x;")], "\"mode\" directive invalid number in a:2"),
        (&[("main", "http { include a; }"), ("a", "}")], "unexpected \"}\" in a:1"),
        (&[("main", "http { include a; }"), ("a", "deep {")], "unexpected end of file, expecting \"}\" in a:1"),
        (&[("main", "mode 1; include *;"), ("a", "mode 2;")], "\"mode\" directive is duplicate in a:1"),
        (&[("main", "include sub;"), ("sub/a", "")], "pread() \"sub\" failed (21: Is a directory) in main:1"),
        (&[("main", "\ninclude\n a b;")], "invalid number of arguments in \"include\" directive in main:3"),
        (&[("main", "include a {")], "directive \"include\" is not terminated by \";\" in main:1"),
    ] {
        let found = included(files).unwrap_err();
        assert_eq!(found, sentence, "{files:?}");
    }
}

#[test]
fn a_built_in_file_stands_in_for_a_missing_one_of_its_name_with_one_notice() {
    let options = Options { built_in: &[("names", "name built-in;")], ..Options::default() };
    let dir = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        let main = dir.path().join("main");
        std::fs::write(&main, text).unwrap();
        load(&registry(), Input::File(&main), &options)
    };
    let names = |conf: &Conf| {
        let https = conf.root.children_of(&HTTP);
        https
            .flat_map(|http| http.children_of(&DEEP))
            .flat_map(|deep| deep.scope.get(&NAME).clone())
            .collect::<Vec<_>>()
    };
    let missing = "http { deep { include names; } deep { include /no/such/names; include ../names; } }";
    let conf = read(missing).unwrap();
    assert_eq!(names(&conf), ["built-in", "built-in", "built-in"]);
    let notices: Vec<_> = conf.warnings.iter().map(|w| (w.notice, w.error.sentence())).collect();
    let path = dir.path().display();
    let notice = format!("there is no \"{path}/names\", the built-in names takes its place in {path}/main:1");
    assert_eq!(notices, [(true, notice)]);
    assert_eq!(conf.sources.files().map(|(name, _)| name).last(), Some("names (built in)"), "as `-T` prints it");
    // Another name, another part of a name, a pattern, and what is there but can't be read are as ever.
    for text in ["include other;", "include my-names;", "include names/other;"] {
        assert!(read(text).unwrap_err().into_first().sentence().contains("(2: No such file or directory)"), "{text}");
    }
    assert!(read("include nam[e]s;").unwrap().warnings.is_empty());
    std::fs::write(dir.path().join("names"), "name own;").unwrap();
    let conf = read("http { deep { include names; } }").unwrap();
    assert_eq!((names(&conf), conf.warnings.len()), (vec!["own".to_owned()], 0));
    std::fs::remove_file(dir.path().join("names")).unwrap();
    std::fs::create_dir(dir.path().join("names")).unwrap();
    assert!(read("include names;").unwrap_err().into_first().sentence().contains("(21: Is a directory)"));
}

#[test]
fn a_missing_conf_file_is_nginxs_sentence() {
    let error = load(&registry(), Input::File("/no/such".as_ref()), &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "drover: [emerg] open() \"/no/such\" failed (2: No such file or directory)");
}

#[test]
fn sections_can_be_required() {
    static NEEDED: Section = Section::new("needed").contexts(Contexts::MAIN).required();
    let registry = Registry::new(&[&[&NEEDED]]);
    assert_eq!(parse(&registry, "").unwrap_err().sentence(), "no \"needed\" section in configuration");
    assert!(parse(&registry, "needed {}").is_ok());
}

#[test]
fn nesting_has_an_end() {
    let text = format!("http {{ {} {} }}", "deep {".repeat(5000), "}".repeat(5000));
    assert_eq!(sentence(&text), "more than 64 levels of blocks and includes in conf:1");
}

#[test]
fn errors_found_later_can_be_explained() {
    let conf = conf("mode 1;\nhttp { limit\n 2; }");
    let http = conf.root.children_of(&HTTP).next().unwrap();
    let error = conf.explain(Error::at(http.scope.span_of(&LIMIT).unwrap(), "too small"));
    assert_eq!(error.sentence(), "too small in conf:2");
    let shown = "drover: [emerg] too small in conf:2\n --> conf:2:8\n  |\n2 | http { limit\n  |        ^^^^^";
    assert_eq!(error.to_string(), shown);
}

#[test]
fn the_reference_is_made_of_the_entries() {
    let registry = registry();
    let one = reference::one(&registry, "limit").unwrap();
    assert_eq!(one, "limit SIZE;\n\nA size.\n\nDefault: 8k.\nContext: http, server, location.\n");
    let page = reference::markdown(&registry);
    for line in
        ["    when never | always;", "    allow WHO;", "    deny WHO;", "    deep [NAME] { ... }", "    types { ... }"]
    {
        assert!(page.lines().any(|found| found == line), "{line} in {page}");
    }
    assert!(
        page.contains("- `pcre_jit`: there is no PCRE\n") && page.contains("- `grpc_pass`, `proxy_*`: drover serves")
    );
    assert_eq!(reference::one(&registry, "proxy_pass").unwrap().split(':').next(), Some("proxy_pass"));
    assert_eq!(reference::one(&registry, "lmit").unwrap_err(), "unknown directive \"lmit\", did you mean \"limit\"?");
    assert!(reference::names(&registry).contains("deny                           Rules, in their order.\n"));
}

mod any {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("c");
            std::fs::write(&file, bytes).unwrap();
            if let Err(error) = load(&registry(), Input::File(&file), &Options::default()) {
                prop_assert!(error.to_string().starts_with("drover: [emerg] "));
            }
        }

        #[test]
        fn text_made_of_conf_never_panics(pieces in prop::collection::vec(prop::sample::select(vec![
            "http", "deep", "mode", "types", "allow", "include", "limit", "proxy_pass", "when", " ", " ", "{", "}", ";",
            ";", "\"", "'", "\\", "$", "${", "#", "\n", "\t", "é", "1m", "*", "[", "/", "never", "",
            "\r", "\0", "\u{7f}",
        ]), 0..60)) {
            if let Err(error) = parse(&registry(), &pieces.concat()) {
                prop_assert!(error.to_string().starts_with("drover: [emerg] "));
            }
        }

        #[test]
        fn quoted_words_come_back(word in "[^\0]{0,40}", single in any::<bool>()) {
            let quote = if single { '\'' } else { '"' };
            let mut escaped = String::new();
            for c in word.chars() {
                if c == quote || c == '\\' {
                    escaped.push('\\');
                }
                escaped.push(c);
            }
            let conf = conf(&format!("http {{ allow {quote}{escaped}{quote}; }}"));
            let http = conf.root.children_of(&HTTP).next().unwrap();
            prop_assert_eq!(&http.scope.get(&RULES)[0].1, &word);
        }
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_word() {
    assert_eq!(*conf("\u{feff}mode 7;").root.scope.get(&MODE), 7);
    assert!(sentence("mode 7; \u{feff}mode 7;").contains("unknown directive"));
}

static STEP: Setting<Vec<String>> = Setting::<Vec<String>>::many(&["step"], note_step)
    .contexts(Contexts::HTTP)
    .args(1, 1)
    .syntax("NAME")
    .local()
    .about("A step.");
static LEAP: Setting<Vec<String>> = Setting::<Vec<String>>::many(&["leap"], note_step)
    .part_of(&STEP)
    .contexts(Contexts::HTTP)
    .args(2, 2)
    .syntax("FROM TO")
    .local()
    .about("A longer step.");
static LOOP_HEAD: Setting<Vec<String>> = Setting::<Vec<String>>::many(&["loop"], note_step).part_of(&STEP);
static LOOP: Section = Section::new("loop")
    .contexts(Contexts::HTTP)
    .inner(Contexts::HTTP)
    .args(1, 1)
    .syntax("NAME")
    .head(&LOOP_HEAD)
    .about("Steps of its own.");

fn note_step(args: &mut Args, steps: &mut Vec<String>) -> Result<(), Error> {
    match args.str(0)? {
        "bad" => Err(args.bad(0, "a bad step")),
        text => {
            steps.push(format!("{} {text}", args.name()));
            Ok(())
        }
    }
}

#[test]
fn parts_and_heads_of_sections_add_to_one_value_in_their_order() {
    static STEPS: &[&dyn Entry] = &[&HTTP, &STEP, &LEAP, &LOOP];
    let registry = Registry::new(&[STEPS]);
    let conf = parse(&registry, "http { leap a b; step c; loop d { step e; } leap f g; }").unwrap();
    let http = conf.root.children_of(&HTTP).next().unwrap();
    assert_eq!(*http.scope.get(&STEP), ["leap a", "step c", "loop d", "leap f"]);
    let inner = http.children_of(&LOOP).next().unwrap();
    assert_eq!(*inner.scope.get(&STEP), ["step e"]);
    let sentence = |text: &str| parse(&registry, text).unwrap_err().sentence();
    assert_eq!(sentence("http { leap a; }"), "invalid number of arguments in \"leap\" directive in conf:1");
    assert_eq!(sentence("http { loop bad { no such thing; } }"), "a bad step in conf:1");
}
