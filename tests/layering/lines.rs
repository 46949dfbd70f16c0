//! Rules for the lines of a file: width, length, `unsafe`, the first words of comments, and the files they cite.

use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Columns of a line, strings included.
pub const WIDEST: usize = 120;

/// Lines of a file, its tests left out.
pub const LONGEST: usize = 500;

/// A comment that begins with one of these is a riddle: readers learn only later what it is about.
const RIDDLES: [&str; 9] = ["What", "Who", "Whoever", "One", "As", "It", "That", "Those", "Of"];

pub fn too_wide(path: &str, source: &str) -> Vec<String> {
    let lines = source.lines().enumerate().map(|(at, line)| (at + 1, line.chars().count()));
    lines.filter(|(_, width)| *width > WIDEST).map(|(line, width)| format!("{path}:{line}: {width} columns")).collect()
}

pub fn too_long(path: &str, source: &str) -> Vec<String> {
    if path.ends_with("tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let lines: Vec<&str> = source.lines().collect();
    let is_tests = |pair: &[&str]| pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod tests {");
    let length = lines.windows(2).position(is_tests).unwrap_or(lines.len());
    if length > LONGEST { vec![format!("{path}: {length} lines without its tests")] } else { Vec::new() }
}

/// The comments whose first line begins with a word of `RIDDLES`.
pub fn riddles(path: &str, source: &str) -> Vec<String> {
    let mut before = "";
    let mut found = Vec::new();
    for (at, line) in source.lines().enumerate() {
        let kinds = ["///", "//!", "//"];
        let line = line.trim_start();
        let kind = kinds.into_iter().find(|kind| line.starts_with(kind)).unwrap_or_default();
        let text = line[kind.len()..].trim_start();
        let first = text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        if !kind.is_empty() && kind != before && RIDDLES.contains(&first) {
            found.push(format!("{path}:{}: {text}", at + 1));
        }
        before = kind;
    }
    found
}

/// The `unsafe` and the calls of libc that stand outside src/os.
pub fn unsafe_code(path: &str, source: &str) -> Vec<String> {
    if path.starts_with("src/os/") {
        return Vec::new();
    }
    let tokens: TokenStream = source.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut lines = Vec::new();
    find_unsafe(tokens, &mut lines);
    let text = |line: usize| source.lines().nth(line - 1).unwrap_or_default().trim();
    lines.into_iter().map(|line| format!("{path}:{line}: {} belongs into src/os", text(line))).collect()
}

fn find_unsafe(tokens: TokenStream, lines: &mut Vec<usize>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => find_unsafe(group.stream(), lines),
            TokenTree::Ident(ident) => {
                // `libc`, two colons, a name, and its arguments.
                let calls = *ident == "libc" && tokens.get(at + 4).is_some_and(are_arguments);
                if *ident == "unsafe" || calls {
                    lines.push(ident.span().start().line);
                }
            }
            _ => {}
        }
    }
}

fn are_arguments(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis)
}

/// The files of this project that a document or a source's comments name: by extension, or by the folder.
pub fn cited(path: &str, text: &str) -> Vec<String> {
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
        .map(|word| word.trim_end_matches(['.', ':', '-']).trim_start_matches([':', '-']))
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
pub fn is_there(root: &Path, known: &[String], name: &str) -> bool {
    let name = name.trim_start_matches("./").split(':').next().unwrap_or_default();
    let ends = |file: &String| file == name || file.strip_suffix(name).is_some_and(|rest| rest.ends_with('/'));
    root.join(name).exists() || known.iter().any(ends)
}
