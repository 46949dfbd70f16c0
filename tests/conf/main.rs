//! The conf's lexer and checks against the real nginx: the same text, the same sentence. nginx shows how it
//! understood a word in `invalid value "WORD"`, which makes it an oracle for quotes, escapes and braces.

use drover::conf::{self, Contexts, Entry, Input, OneOf, Options, Registry, Section, Setting};
use proptest::prelude::*;
use std::path::Path;
use std::process::Command;

mod mistakes;
mod modules;
mod nginx_sentences;
mod pictures;
mod prefix;
mod problems;
#[path = "../support/mod.rs"]
mod support;

#[derive(Clone, Copy, Default)]
enum Since {
    #[default]
    Exact,
}

impl OneOf for Since {
    const WORDS: &'static [(&'static str, Self)] = &[("exact", Since::Exact)];
}

static EVENTS: Section = Section::new("events").contexts(Contexts::MAIN).inner(Contexts::EVENTS).once().required();
static HTTP: Section = Section::new("http").contexts(Contexts::MAIN).inner(Contexts::HTTP).once();
static IF_MODIFIED_SINCE: Setting<Since> =
    Setting::one_of("if_modified_since").contexts(Contexts::HTTP).default("exact");
static SENDFILE: Setting<bool> = Setting::flag("sendfile").contexts(Contexts::HTTP);
static CLIENT_MAX_BODY_SIZE: Setting<u64> = Setting::size("client_max_body_size").contexts(Contexts::HTTP);
static SEND_TIMEOUT: Setting<u64> = Setting::time_ms("send_timeout").contexts(Contexts::HTTP);
static KEEPALIVE_REQUESTS: Setting<u64> = Setting::count("keepalive_requests").contexts(Contexts::HTTP);
static TYPES: Setting<Vec<usize>> =
    Setting::one("types", |args| Ok(args.block().iter().map(|item| item.words.len()).collect()))
        .contexts(Contexts::HTTP)
        .takes_block();
static DIRECTIVES: &[&dyn Entry] =
    &[&EVENTS, &HTTP, &IF_MODIFIED_SINCE, &SENDFILE, &CLIENT_MAX_BODY_SIZE, &SEND_TIMEOUT, &KEEPALIVE_REQUESTS, &TYPES];

/// nginx's complaint about a conf file; `None` when the file is fine.
fn nginx(conf: &Path) -> Option<String> {
    let dir = conf.parent().unwrap().display();
    let globals = format!("pid {dir}/pid; error_log stderr;");
    let output = Command::new(support::tools::nginx())
        .args(["-t", "-e", "stderr", "-g", &globals, "-p"])
        .arg(conf.parent().unwrap())
        .arg("-c")
        .arg(conf)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let at = text.find("[emerg]")?;
    let sentence = text[at..].split_once(": ").unwrap().1;
    // A word may hold line breaks; what follows the sentence is always this.
    Some(sentence.split("\nnginx: configuration file").next().unwrap().to_owned())
}

fn drover(conf: &Path) -> Option<String> {
    let options = Options { prefix: conf.parent().unwrap().display().to_string(), ..Options::default() };
    conf::load(&Registry::new(&[DIRECTIVES]), Input::File(conf), &options)
        .err()
        .map(|problems| problems.into_first().sentence())
}

/// Both opinions on a text.
fn opinions(text: &[u8]) -> (Option<String>, Option<String>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("one.inc"), "sendfile on;\n").unwrap();
    let file = dir.path().join("c.conf");
    std::fs::write(&file, text).unwrap();
    (drover(&file), nginx(&file))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn words_are_cut_as_nginx_cuts_them(word in r#"[a${}"'\\ ;#tnr\n\r\t)]{0,12}"#) {
        let (ours, theirs) = opinions(format!("events {{}} http {{ if_modified_since {word}; }}\n").as_bytes());
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn times_and_sizes_are_nginxs(
        name in "send_timeout|client_max_body_size|keepalive_requests",
        value in "[0-9]{0,3}[yMwdhmskKGg ]{0,2}[0-9]{0,2}(m|s|ms|h|d)?|[0-9]{17,22}[kms]?"
    ) {
        let (ours, theirs) = opinions(format!("events {{}} http {{ {name} \"{value}\"; }}\n").as_bytes());
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn blocks_are_nested_as_in_nginx(pieces in prop::collection::vec(
        prop::sample::select(vec![
            "events {", "http {", "}", ";", "{", "sendfile on;", "sendfile", "on", "types {", "a b;", "#x\n", "\n",
            "include one.inc;", "include none*;", "include", "events {}", "include no;",
        ]), 0..8)) {
        let (ours, theirs) = opinions(pieces.join(" ").as_bytes());
        prop_assert_eq!(ours, theirs);
    }
}

/// More than the usual when asked for.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100)
}

/// The files that `-T` shows behind the conf itself.
fn included(mut program: Command, dir: &Path, pattern: &str) -> Vec<String> {
    let file = dir.join("c.conf");
    std::fs::write(&file, format!("events {{}} http {{ include conf.d/{pattern}; }}\n")).unwrap();
    let globals = format!("pid {}/pid; error_log stderr;", dir.display());
    let output = program.args(["-T", "-g", &globals, "-c"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{pattern}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let files = text.lines().filter_map(|line| line.strip_prefix("# configuration file ")?.strip_suffix(':'));
    files.skip(1).map(|path| path.rsplit('/').next().unwrap().to_owned()).collect()
}

#[test]
fn a_pattern_includes_the_files_that_nginx_includes() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("conf.d")).unwrap();
    for name in ["_off.conf", "b.conf", "a.conf", "^odd.conf", "10.conf", ".hidden.conf", "["] {
        std::fs::write(dir.path().join("conf.d").join(name), "# nothing\n").unwrap();
    }
    for (pattern, files) in [
        ("*.conf", &["10.conf", "^odd.conf", "_off.conf", "a.conf", "b.conf"][..]),
        ("[^_]*.conf", &["10.conf", "^odd.conf", "a.conf", "b.conf"]),
        ("[[:digit:]]*", &["10.conf"]),
        ("\\b*", &["b.conf"]),
        ("[", &["["]),
        ("x[", &[]),
        ("none*", &[]),
    ] {
        let mut nginx = Command::new(support::tools::nginx());
        nginx.args(["-e", "stderr", "-p"]).arg(dir.path());
        assert_eq!(included(nginx, dir.path(), pattern), files, "nginx, {pattern}");
        let drover = Command::new(env!("CARGO_BIN_EXE_drover"));
        assert_eq!(included(drover, dir.path(), pattern), files, "{pattern}");
    }
}

#[test]
fn long_words_end_where_nginx_ends_them() {
    // Just below its buffer's 4096 bytes nginx also counts what stands around the word; nobody needs that.
    for length in [4000, 4097, 5000] {
        for quote in ["", "'", "\""] {
            let word = "x".repeat(length);
            let text = format!("events {{}}\nhttp {{ if_modified_since\n {quote}{word}\n{quote}; }}\n");
            let (ours, theirs) = opinions(text.as_bytes());
            // nginx cuts long sentences of its log.
            let head = |text: Option<String>| text.map(|text| text.chars().take(200).collect::<String>());
            assert_eq!(head(ours), head(theirs), "{length} {quote}");
        }
    }
}

/// The reference is the binary's own; `UPDATE_REFERENCE=1 cargo test --test conf` writes it anew.
#[test]
fn the_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/DIRECTIVES.md");
    let page = conf::reference::markdown(&drover::cli::registry());
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(kept.lines()).find(|(now, kept)| now != kept);
    assert!(page == kept, "conf/DIRECTIVES.md is old, write it with UPDATE_REFERENCE=1: {differs:?}");
}

/// Held by a test that may write the README.
static README: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// The models in the README are those of the binary; `UPDATE_REFERENCE=1 cargo test --test conf` writes them anew.
#[test]
fn the_models_in_the_readme_are_up_to_date() {
    let _turn = README.lock();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let table = conf::reference::choices(drover::dispatch::settings::DISPATCH.info()).expect("a list of models");
    let readme = std::fs::read_to_string(&path).unwrap();
    let start = readme.find("| `dispatch` |").expect("the table of models");
    let kept: String = readme[start..].split_inclusive('\n').take_while(|line| line.starts_with('|')).collect();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        return std::fs::write(&path, readme.replacen(&kept, &table, 1)).unwrap();
    }
    assert!(kept == table, "the README has\n{kept}instead of\n{table}write it with UPDATE_REFERENCE=1");
    for kind in drover::dispatch::MODELS {
        assert!(table.contains(&format!("\n| `{}", kind.name)), "{}", kind.name);
    }
}

#[test]
fn every_directive_is_there_once_and_described() {
    assert_eq!(drover::cli::registry().problems(), Vec::<String>::new());
}
