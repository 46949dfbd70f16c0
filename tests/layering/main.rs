//! The house rules that the compiler does not check: which layer may use which, import circles, where `unsafe` may
//! stand, how long a file and a line may be, how a comment begins, and that documents and comments name no file that is
//! not there.

mod lines;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use lines::{LONGEST, cited, is_there, riddles, too_long, too_wide, unsafe_code};
use tree::{Edges, Tree};

/// The crates whose imports are looked at, and how many of their files may be in import circles: a number that may only
/// sink.
const CRATES: [(&str, usize); 3] = [("src/lib.rs", 0), ("tools/lab/src/main.rs", 0), ("tools/fuzz/src/main.rs", 0)];

/// The files whose `mod` lines stand in order, each below a comment: code of one uses itself and those before it.
/// Empty lines between them keep rustfmt from sorting.
const FLOORS: [&str; 3] = ["src/lib.rs", "src/http/mod.rs", "tools/lab/src/main.rs"];

/// Riddles among the comments, and lines over 120 columns: numbers that may only sink.
const RIDDLES: usize = 0;
const TOO_WIDE: usize = 0;

#[test]
fn a_floor_uses_only_those_before_it() {
    for house in FLOORS {
        let tree = crate_of(house);
        assert!(tree.floors(house).len() > 3, "{house} has hardly any floor");
        assert_eq!(tree.upward_uses(house), BTreeSet::new());
    }
}

#[test]
fn each_floor_has_its_line() {
    for house in FLOORS {
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(house)).expect("a source file");
        assert_eq!(mute_floors(&source), Vec::<&str>::new(), "no comment above these lines of {house}");
    }
}

#[test]
fn every_file_of_the_server_is_in_a_layer() {
    let tree = crate_of("src/lib.rs");
    let layers = tree.floors("src/lib.rs");
    for file in sources(&["src"]) {
        let first = file.split('/').nth(1).unwrap_or_default().trim_end_matches(".rs");
        let is_known = layers.contains(&first) || first == "lib" || first == "main";
        assert!(is_known, "{file} belongs to no layer");
    }
}

#[test]
fn files_do_not_import_in_circles() {
    for (root, most) in CRATES {
        let tree = read_crate(root);
        let circles = tree.circles();
        let files: usize = circles.iter().map(Vec::len).sum();
        let edges = tree.edges();
        let drawn: String = circles.iter().map(|circle| drawing(&edges, circle)).collect();
        println!("{root}: {files} files in circles{drawn}");
        assert!(files <= most, "{files} files of {root} in circles, {most} at most{drawn}");
    }
}

#[test]
fn comments_begin_with_their_subject() {
    assert_sinks("riddles", riddles, RIDDLES);
}

#[test]
fn lines_fit_the_screen() {
    assert_sinks("wide lines", too_wide, TOO_WIDE);
}

#[test]
fn unsafe_stands_in_os_only() {
    assert_eq!(complaints(&["src"], unsafe_code), Vec::<String>::new());
}

#[test]
fn no_file_is_too_long() {
    assert_eq!(complaints(&["src"], too_long), Vec::<String>::new());
}

#[test]
fn nothing_cites_a_file_that_is_not_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec!["README.md".to_owned(), ".ci/run".to_owned(), "tools/test".to_owned()];
    files.extend(files_in(&["src", "tests", "tools", "conf"]));
    assert!(files.len() > 200, "{} files", files.len());
    // The examples of this file's own tests name none that are.
    let read = files.iter().filter(|file| *file != "tests/layering/main.rs");
    let stale = |path: &String| {
        let text = fs::read_to_string(root.join(path)).unwrap_or_default();
        let gone = cited(path, &text).into_iter().filter(|name| !is_there(root, &files, name));
        gone.map(|name| format!("{path}: {name}")).collect::<Vec<_>>()
    };
    assert_eq!(read.flat_map(stale).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn the_check_of_floors_can_fail() {
    let complains = |path: &str, source: &str| {
        let files = [
            ("lib.rs", "/// .\npub mod os;\n\npub mod conf;\n\n/// .\npub mod http;\n\npub mod serve;"),
            ("os/mod.rs", ""),
            ("conf/mod.rs", "pub mod value;\npub use value::Args;"),
            ("conf/value/mod.rs", "pub mod size;\npub struct Args;"),
            ("conf/value/size.rs", ""),
            ("http/mod.rs", "pub mod uri;"),
            ("http/uri.rs", ""),
            ("serve/mod.rs", "mod files;\npub struct Driver;"),
            ("serve/files.rs", ""),
        ];
        let mut files = BTreeMap::from(files);
        files.insert(path, source).expect("a file of these");
        !tree_of(&files).upward_uses("lib.rs").is_empty()
    };
    assert!(complains("http/uri.rs", "use crate::serve::Driver;"));
    assert!(complains("os/mod.rs", "use crate::conf;"));
    assert!(complains("http/uri.rs", "use crate::{os, serve::Driver};"));
    assert!(complains("http/uri.rs", "use crate::{\n    os::Addr,\n    conf::{Args, Entry},\n    serve,\n};"));
    assert!(complains("conf/mod.rs", "pub mod value;\nfn f() { crate::serve::stop(); }"));
    assert!(complains("conf/mod.rs", "pub mod value;\nfn f() { assert!(crate::serve::stop()); }"));
    assert!(complains("conf/mod.rs", "pub mod value;\npub(crate) use crate::http as h;"));
    assert!(complains("conf/value/size.rs", "use super::super::super::http::Request;"));
    assert!(complains("conf/mod.rs", "pub mod value;\nuse super::http;"));
    assert!(complains("conf/mod.rs", "pub mod value;\nuse super::http as h; fn f() -> h::Request {}"));
    assert!(!complains("serve/mod.rs", "mod files; use crate::http::Request; use crate::serve::files; use crate::os;"));
    assert!(!complains("serve/mod.rs", "mod files; use crate::{http::Request, conf::{serve, Args}};"));
    assert!(!complains("conf/value/size.rs", "use super::serve; use self::http; use std::http;"));
    assert!(!complains("http/uri.rs", "// as crate::serve does\nconst TEXT: &str = \"crate::serve\";"));
    assert!(!complains("http/uri.rs", "#[cfg(test)] mod tests { use crate::serve::Driver; }"));

    let files = BTreeMap::from([("lib.rs", "/// .\npub mod b;\n\npub mod a;"), ("a.rs", ""), ("b.rs", "")]);
    assert_eq!(tree_of(&files).floors("lib.rs"), ["b", "a"]);
    assert_eq!(mute_floors("// .\npub mod b;\n\npub mod a;\n\n#[cfg(test)]\nmod tests;"), ["pub mod a;"]);
}

#[test]
fn the_check_of_circles_can_fail() {
    let circles = |files: &[(&'static str, &'static str)]| {
        let tree = tree_of(&files.iter().copied().collect());
        let names = |circle: Vec<&str>| circle.into_iter().map(str::to_owned).collect::<Vec<_>>();
        tree.circles().into_iter().map(names).collect::<Vec<_>>()
    };
    let top = ("lib.rs", "mod a; mod b; mod c;");
    let c = ("c.rs", "pub struct C;");
    let none = Vec::<Vec<String>>::new();
    assert_eq!(circles(&[top, c, ("a.rs", "use crate::b::B; pub struct A;"), ("b.rs", "pub struct B;")]), none);
    let both = [top, c, ("a.rs", "use crate::b::B; pub struct A;"), ("b.rs", "pub struct B; fn f() { crate::a::A; }")];
    assert_eq!(circles(&both), [["a.rs", "b.rs"]]);
    let long = [
        top,
        ("c.rs", "pub struct C(super::a::A);"),
        ("a.rs", "use super::b::B; pub struct A;"),
        ("b.rs", "pub struct B(super::c::C);"),
    ];
    assert_eq!(circles(&long), [["a.rs", "b.rs", "c.rs"]]);
    // The root of a folder may gather the names of its files, and they may use each other by way of it.
    let gathered = [
        ("lib.rs", "mod a; mod b; pub use a::A; pub(crate) use b::B as D;"),
        ("a.rs", "pub struct A;"),
        ("b.rs", "use super::A; pub struct B;"),
    ];
    assert_eq!(circles(&gathered), none);
    let through = [gathered[0], ("a.rs", "use crate::D; pub struct A;"), gathered[2]];
    assert_eq!(circles(&through), [["a.rs", "b.rs"]]);
    let opened = [
        ("lib.rs", "mod a; mod b; use b::B;"),
        ("a.rs", "use crate::*; fn f(b: B) {}"),
        ("b.rs", "pub struct B(crate::a::f);"),
    ];
    assert_eq!(circles(&opened), [["a.rs", "b.rs"]]);
    let root = [("lib.rs", "mod a; use a::A; pub struct L;"), ("a.rs", "use super::L; pub struct A;")];
    assert_eq!(circles(&root), [["a.rs", "lib.rs"]]);
    let made = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "make!(pub struct A;); use crate::b::B;"),
        ("b.rs", "pub struct B(crate::a::A);"),
    ];
    assert_eq!(circles(&made), [["a.rs", "b.rs"]]);
    let tests = [
        top,
        c,
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }"),
    ];
    assert_eq!(circles(&tests), none);
}

#[test]
fn the_check_of_riddles_can_fail() {
    let found = |source: &str| riddles("a.rs", source).len();
    assert_eq!(
        found(
            "/// What is known.\nfn f() {}\n    // One of two,\n    // As is.\n//! Of them.\nlet x = 1;\n// It is.\n"
        ),
        4
    );
    assert_eq!(found("/// Whatever is known.\n/// What is known.\nlet x = \"// One\"; // Oneness\n//\n// As is\n"), 0);
}

#[test]
fn the_check_of_widths_can_fail() {
    assert_eq!(too_wide("a.rs", &format!("\n{}\n", "ä".repeat(121))), ["a.rs:2: 121 columns"]);
    assert!(too_wide("a.rs", &format!("{}\r\n", "ä".repeat(120))).is_empty());
}

#[test]
fn the_check_of_unsafe_can_fail() {
    let complains = |path: &str, source: &str| !unsafe_code(path, source).is_empty();
    assert!(complains("src/http/uri.rs", "fn f() { unsafe { g() } }"));
    assert!(complains("src/http/uri.rs", "fn f() { matches!(x, unsafe { g() }) }"));
    assert!(complains("src/shm/mod.rs", "unsafe impl Send for X {}"));
    assert!(complains("src/serve/mod.rs", "let x = libc::getpid();"));
    assert!(!complains("src/os/mod.rs", "unsafe { libc::getpid() }"));
    let words = "#![forbid(unsafe_code)] // no unsafe here\nlet s = \"unsafe\"; let c = '\"';";
    assert!(!complains("src/http/mod.rs", words));
    assert!(!complains("src/serve/mod.rs", "if error == libc::EMFILE { }"));
}

#[test]
fn the_check_of_lengths_can_fail() {
    let long = "// line\n".repeat(LONGEST + 1);
    assert!(!too_long("src/http/uri.rs", &long).is_empty());
    assert!(too_long("src/http/uri.rs", &long[8..]).is_empty());
    assert!(too_long("src/http/uri/tests.rs", &long).is_empty());
    assert!(too_long("src/http/uri.rs", &format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n")).is_empty());
    assert!(!too_long("src/http/uri.rs", &format!("#[cfg(test)]\nmod tests;\n{long}")).is_empty());
}

#[test]
fn the_check_of_cited_files_can_fail() {
    assert_eq!(
        cited("src/a.rs", "//! See DESIGN.md and `http/uri.rs`.\nlet x = \"b.rs\"; // c.rs"),
        ["DESIGN.md", "http/uri.rs", "c.rs"]
    );
    assert_eq!(
        cited("README.md", "[a](conf/a.conf), `src/dispatch/NAME.rs`, http://x/y.md, .github/A.md."),
        ["conf/a.conf", ".github/A.md"]
    );
    assert_eq!(cited("tools/x", "ls b.rs # tools/none, and tests/no_such"), ["tools/none", "tests/no_such"]);
    let known = ["src/http/uri.rs".to_owned()];
    assert!(is_there(Path::new("/"), &known, "http/uri.rs") && !is_there(Path::new("/"), &known, "ttp/uri.rs"));
}

/// The crate with this root, from this repository.
fn read_crate(root: &str) -> Tree {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tree = Tree::read(Path::new(root), &|file| fs::read_to_string(repository.join(file)).ok());
    assert!(tree.files().len() > 2, "{root} has {} files", tree.files().len());
    tree
}

/// The crate with this file in it.
fn crate_of(file: &str) -> Tree {
    let (root, _) =
        CRATES.iter().find(|(root, _)| file.starts_with(root.trim_end_matches(|c| c != '/'))).expect("a crate");
    read_crate(root)
}

/// The `mod` lines without a comment above them, those of tests aside.
fn mute_floors(source: &str) -> Vec<&str> {
    let is_mod = |line: &str| line.ends_with(';') && (line.starts_with("mod ") || line.starts_with("pub mod "));
    let lines: Vec<&str> = source.lines().collect();
    let mute =
        lines.windows(2).filter(|pair| is_mod(pair[1]) && !pair[0].starts_with("//") && pair[0] != "#[cfg(test)]");
    mute.map(|pair| pair[1]).collect()
}

/// A crate whose files stand here.
fn tree_of(files: &BTreeMap<&str, &str>) -> Tree {
    Tree::read(Path::new("lib.rs"), &|file| files.get(file.to_str()?).map(|source| (*source).to_owned()))
}

/// The imports within a circle, a line each.
fn drawing(edges: &Edges, circle: &[&str]) -> String {
    let mut drawn = format!("\na circle of {}:", circle.len());
    for from in circle {
        for (to, names) in edges[from].iter().filter(|(to, _)| circle.contains(to)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            drawn += &format!("\n  {} -> {} ({})", from, to, names.join(", "));
        }
    }
    drawn
}

/// Fails when a check over all the project's Rust has more complaints than `most`.
fn assert_sinks(about: &str, check: fn(&str, &str) -> Vec<String>, most: usize) {
    let found = complaints(&["src", "tests", "tools"], check);
    println!("{} {about}", found.len());
    assert!(found.len() <= most, "{} {about}, {most} at most:\n{}", found.len(), found.join("\n"));
}

/// All complaints of a check over the sources in these folders.
fn complaints(folders: &[&str], check: fn(&str, &str) -> Vec<String>) -> Vec<String> {
    let files = sources(folders);
    assert!(files.len() > 100, "{} files in {folders:?}", files.len());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of = |file: &String| check(file, &fs::read_to_string(root.join(file)).expect("a source file"));
    files.iter().flat_map(of).collect()
}

fn sources(folders: &[&str]) -> Vec<String> {
    files_in(folders).into_iter().filter(|file| file.ends_with(".rs")).collect()
}

/// The files in these folders, by their paths from the top; left out is what a build or a browser leaves behind.
fn files_in(folders: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut ahead: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = ahead.pop() {
        for entry in fs::read_dir(&folder).expect("read a directory") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true if path.ends_with("target") || path.ends_with("node_modules") => {}
                true => ahead.push(path),
                false => {
                    files.push(path.strip_prefix(root).expect("below the top").to_str().expect("UTF-8").to_owned())
                }
            }
        }
    }
    files.sort();
    files
}
