//! The house rules that the compiler does not check: which layer may use which, where `unsafe` may stand, how long a
//! file may be, and that documents and comments name no file that is not there.

use std::fs;
use std::path::{Path, PathBuf};

/// Bottom to top: a layer uses only itself and what stands before it.
const LAYERS: [&str; 12] =
    ["os", "shm", "conf", "log", "event", "http", "stream", "serve", "dispatch", "worker", "master", "cli"];

/// A file without its tests fits into this many lines.
const LONGEST: usize = 500;

#[test]
fn layers_use_only_what_stands_below() {
    assert_eq!(complaints(upward_uses), "");
}

/// The tour has the layers in this order, each with its line.
#[test]
fn the_tour_goes_from_the_ground_up() {
    let source = include_str!("../src/lib.rs");
    let names = |line: &'static str| line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';'));
    assert_eq!(source.lines().filter_map(names).collect::<Vec<_>>(), LAYERS);
    let lines: Vec<&str> = source.lines().collect();
    assert!(lines.windows(2).all(|pair| !pair[1].starts_with("pub mod") || pair[0].starts_with("/// ")), "{source}");
}

#[test]
fn nothing_cites_a_file_that_is_not_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md"), root.join(".ci/run"), root.join("tools/test")];
    for dir in ["src", "tests", "tools", "conf"] {
        files.extend(texts(&root.join(dir)));
    }
    assert!(files.len() > 200, "{} files", files.len());
    let known: Vec<String> = files.iter().map(|file| relative(file, root)).collect();
    // The examples of this file's own tests name none that are.
    let read = files.iter().filter(|file| !file.ends_with("tests/layering.rs"));
    let stale = |file: &PathBuf| {
        let path = relative(file, root);
        let text = fs::read_to_string(file).unwrap_or_default();
        let gone = cited(&path, &text).into_iter().filter(|name| !is_there(root, &known, name));
        gone.map(|name| format!("\n{path}: {name}")).collect::<Vec<_>>()
    };
    assert_eq!(read.flat_map(stale).collect::<String>(), "");
}

#[test]
fn the_check_of_cited_files_can_fail() {
    assert_eq!(
        cited("src/a.rs", "//! See DESIGN.md and `http/uri.rs`.\nlet x = \"b.rs\"; // c.rs"),
        ["DESIGN.md", "http/uri.rs", "c.rs"]
    );
    assert_eq!(cited("README.md", "[a](conf/a.conf), `src/dispatch/NAME.rs`, http://x/y.md"), ["conf/a.conf"]);
    assert_eq!(cited("tools/x", "ls b.rs # tools/none, and tests/no_such"), ["tools/none", "tests/no_such"]);
    let known = ["src/http/uri.rs".to_owned()];
    assert!(is_there(Path::new("/"), &known, "http/uri.rs") && !is_there(Path::new("/"), &known, "ttp/uri.rs"));
}

#[test]
fn unsafe_stands_in_os_only() {
    assert_eq!(complaints(unsafe_lines), "");
}

#[test]
fn no_file_is_too_long() {
    assert_eq!(complaints(too_long), "");
}

#[test]
fn every_folder_is_a_layer() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&dir) {
        let path = relative(&file, &dir);
        assert!(layer_of(&path).is_some() || path == "lib.rs" || path == "main.rs", "{path} belongs to no layer");
    }
}

#[test]
fn the_layer_check_can_fail() {
    let complains = |path: &str, source: &str| !upward_uses(path, source).is_empty();
    assert!(complains("http/uri.rs", "use crate::serve::Driver;"));
    assert!(complains("os/mod.rs", "use crate::shm;"));
    assert!(complains("http/uri.rs", "use crate::{os, serve::Driver};"));
    assert!(complains("http/uri.rs", "use crate::{\n    os::Addr,\n    conf::{Args, Entry},\n    worker,\n};"));
    assert!(complains("event/mod.rs", "fn f() { crate::master::stop(); }"));
    assert!(complains("event/mod.rs", "pub(crate) use crate::dispatch as d;"));
    assert!(complains("conf/value/size.rs", "use super::super::super::http::Request;"));
    assert!(complains("conf/mod.rs", "use super::http;"));
    assert!(!complains("serve/mod.rs", "use crate::http::Request; use crate::serve::x; use crate::os;"));
    assert!(!complains("serve/mod.rs", "use crate::{http::Request, conf::{worker, Args}};"));
    assert!(!complains("serve/files/mod.rs", "use super::worker; use self::master;"));
    assert!(!complains("http/uri.rs", "// as crate::serve does\nconst TEXT: &str = \"crate::serve\";"));
    assert!(!complains("main.rs", "use crate::cli;"));
}

#[test]
fn the_unsafe_check_can_fail() {
    let complains = |path: &str, source: &str| !unsafe_lines(path, source).is_empty();
    assert!(complains("http/uri.rs", "fn f() { unsafe { g() } }"));
    assert!(complains("shm/mod.rs", "unsafe impl Send for X {}"));
    assert!(complains("serve/mod.rs", "let x = libc::getpid();"));
    assert!(!complains("os/mod.rs", "unsafe { libc::getpid() }"));
    assert!(!complains("http/mod.rs", "#![forbid(unsafe_code)] // no unsafe here\nlet s = \"unsafe\"; let c = '\"';"));
    assert!(!complains("serve/mod.rs", "if error == libc::EMFILE { }"));
}

#[test]
fn the_length_check_can_fail() {
    let long = "// line\n".repeat(LONGEST + 1);
    assert!(!too_long("http/uri.rs", &long).is_empty());
    assert!(too_long("http/uri.rs", &long[8..]).is_empty());
    assert!(too_long("http/uri/tests.rs", &long).is_empty());
    assert!(too_long("http/uri.rs", &format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n")).is_empty());
    assert!(!too_long("http/uri.rs", &format!("#[cfg(test)]\nmod tests;\n{long}")).is_empty());
}

/// All complaints of a check over src/, a line each.
fn complaints(check: fn(&str, &str) -> Vec<String>) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&dir);
    assert!(files.len() > 10, "src/ has {} files", files.len());
    let of = |file: &PathBuf| {
        let source = fs::read_to_string(file).expect("a source file");
        let path = relative(file, &dir);
        check(&path, &source).into_iter().map(move |complaint| format!("\nsrc/{path}: {complaint}"))
    };
    files.iter().flat_map(of).collect()
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("read src/") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The files below `dir` that people read; what a build or a browser leaves behind is not among them.
fn texts(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("read a directory") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true if path.ends_with("target") || path.ends_with("node_modules") => {}
            true => files.extend(texts(&path)),
            false => files.push(path),
        }
    }
    files
}

/// The files of this project that a document or a source's comments name: by extension, or by the folder.
fn cited(path: &str, text: &str) -> Vec<String> {
    let is_document = path.ends_with(".md");
    let mark = if path.ends_with(".rs") { "//" } else { "#" };
    let lines = text.lines().filter_map(|line| match is_document {
        true => Some(line),
        false => line
            .match_indices(mark)
            .map(|(at, _)| &line[at..])
            .find(|rest| rest[mark.len()..].starts_with([' ', '!', '/'])),
    });
    let words = lines.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && !"_./:-".contains(c)));
    let words = words
        .map(|word| word.trim_matches(['.', ':', '-']))
        .filter(|word| !word.contains("//") && !word.contains("NAME"));
    let is_ours = |word: &&str| {
        let folder = ["src/", "tests/", "tools/", "conf/"]
            .iter()
            .any(|folder| word.starts_with(folder) && word.len() > folder.len());
        (word.ends_with(".rs") || word.ends_with(".md") || folder) && !word.ends_with(".c") && !word.ends_with(".h")
    };
    words.filter(is_ours).map(str::to_owned).collect()
}

/// Whether a file has this name, or ends in it; or a folder has.
fn is_there(root: &Path, known: &[String], name: &str) -> bool {
    let name = name.trim_start_matches("./").split(':').next().unwrap_or_default();
    let ends = |file: &String| file == name || file.strip_suffix(name).is_some_and(|rest| rest.ends_with('/'));
    root.join(name).exists() || known.iter().any(ends)
}

fn relative(file: &Path, dir: &Path) -> String {
    file.strip_prefix(dir).expect("below src/").to_str().expect("UTF-8").to_owned()
}

fn layer_of(path: &str) -> Option<usize> {
    let first = path.split('/').next()?.trim_end_matches(".rs");
    LAYERS.iter().position(|layer| *layer == first)
}

fn upward_uses(path: &str, source: &str) -> Vec<String> {
    let Some(own) = layer_of(path) else { return Vec::new() };
    let code = code(source);
    let roots = std::iter::once("crate::".to_owned()).chain(std::iter::once(super_root(path)));
    let used = roots.flat_map(|root| names_after(&code, &root));
    let upward = used.filter(|name| LAYERS.iter().position(|layer| layer == name).is_some_and(|other| other > own));
    upward.map(|name| format!("{} uses {name}, which stands above it", LAYERS[own])).collect()
}

/// The chain of `super::` that leads from this file to the crate's root.
fn super_root(path: &str) -> String {
    let depth = path.split('/').filter(|part| *part != "mod.rs").count();
    "super::".repeat(depth)
}

/// The first path segments that follow `root`, also inside braces.
fn names_after(code: &str, root: &str) -> Vec<String> {
    let starts = code.match_indices(root).filter(|(at, _)| {
        let before = &code[..*at];
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
    });
    starts.flat_map(|(at, _)| heads(&code[at + root.len()..])).collect()
}

/// `a::b` gives `a`; `{a, b::{c, d}}` gives `a` and `b`.
fn heads(text: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = text.trim_start().strip_prefix('{') else { return vec![name(text)] };
    let mut depth = 0;
    let mut names = vec![name(group.trim_start())];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(group[at + 1..].trim_start())),
            _ => {}
        }
    }
    names
}

fn unsafe_lines(path: &str, source: &str) -> Vec<String> {
    if path.starts_with("os/") {
        return Vec::new();
    }
    let code = code(source);
    let words = |line: &str| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
    let calls_libc = |line: &str| {
        let after = line.match_indices("libc::").map(|(at, found)| &line[at + found.len()..]);
        after
            .into_iter()
            .any(|rest| rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').starts_with('('))
    };
    let numbered = code.lines().enumerate();
    let found = numbered.filter(|(_, line)| words(line) || calls_libc(line));
    found.map(|(number, line)| format!("line {}: {} belongs into src/os", number + 1, line.trim())).collect()
}

fn too_long(path: &str, source: &str) -> Vec<String> {
    if path.ends_with("tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let lines: Vec<&str> = source.lines().collect();
    let is_tests = |pair: &[&str]| pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod tests {");
    let length = lines.windows(2).position(is_tests).unwrap_or(lines.len());
    if length > LONGEST { vec![format!("{length} lines without its tests, {LONGEST} at most")] } else { Vec::new() }
}

/// The source without comments and without what stands in string and character literals; line ends are kept.
fn code(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let skipped = skipped_length(rest, out.chars().next_back());
        if skipped == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
            rest = &rest[skipped..];
        }
    }
    out
}

/// How many bytes at the start of `text` are a comment or a literal; 0 when it starts with neither.
fn skipped_length(text: &str, before: Option<char>) -> usize {
    let up_to = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return up_to("*/", 2);
    }
    if text.starts_with('"') {
        return closing(text, '"');
    }
    if text.starts_with('r') && !in_word {
        let hashes = text[1..].chars().take_while(|c| *c == '#').count();
        if text[1 + hashes..].starts_with('"') {
            return up_to(&format!("\"{}", "#".repeat(hashes)), 2 + hashes);
        }
    }
    if text.starts_with('\'') {
        let mut inside = text.chars().skip(1);
        let is_literal = match inside.next() {
            Some('\\') => true,
            Some(_) => inside.next() == Some('\''),
            None => false,
        };
        return if is_literal { closing(text, '\'') } else { 0 };
    }
    0
}

/// The length of a literal that starts with `quote`, escapes minded.
fn closing(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}
