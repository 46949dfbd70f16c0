//! Finds a directive, or all files, in a conf that may have errors.

use super::super::lexer::{End, Lexer, Statement};
use super::files::{identity, matches, read};
use super::{Input, Options, SourceId, join};
use crate::os::Stamps;
use std::path::{Path, PathBuf};

/// Files that are read at most.
const MOST_FILES: usize = 1000;

/// The argument of the main context's directive `name`, which takes one argument. After an error the reading goes on in
/// the next line. A line's end may stand for a missing `;` before or after the directive.
pub fn salvage(input: Input, options: &Options, name: &str) -> Option<String> {
    let mut search = Search { name, ..Search::default() };
    search.conf(input, options);
    search.in_main.or(search.elsewhere)
}

/// The files of a conf, to see when one is replaced, comes or goes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Paths, and patterns of paths.
    patterns: Vec<String>,
}

impl Watch {
    /// The files of a conf as it is now, those of its includes in any block among them.
    pub fn of(input: Input, options: &Options) -> Watch {
        let mut search = Search { into_blocks: true, ..Search::default() };
        if let Input::File(path) = input {
            search.patterns.push(path.to_string_lossy().into_owned());
        }
        search.conf(input, options);
        Watch { patterns: search.patterns }
    }

    /// Their state now.
    pub fn look(&self) -> Stamps {
        Stamps::of(self.patterns.iter().flat_map(|pattern| paths_of(pattern)))
    }
}

#[derive(Default)]
struct Search<'s> {
    name: &'s str,
    /// Whether an `include` in a block counts.
    into_blocks: bool,
    conf_dir: String,
    read: Vec<PathBuf>,
    /// The arguments of `include`.
    patterns: Vec<String>,
    in_main: Option<String>,
    /// The argument in some block: where a `}` is missing, the rest of the text seems to be in a block.
    elsewhere: Option<String>,
}

/// The files that an `include` stands for.
fn paths_of(pattern: &str) -> Vec<PathBuf> {
    match pattern.contains(['*', '?', '[']) {
        true => matches(pattern).unwrap_or_default(),
        false => vec![pattern.into()],
    }
}

impl Search<'_> {
    fn conf(&mut self, input: Input, options: &Options) {
        self.conf_dir.clone_from(&options.prefix);
        if let Input::File(path) = input {
            self.conf_dir = path.parent().map(|dir| dir.to_string_lossy().into_owned()).unwrap_or_default();
        }
        if let Some(text) = &options.globals {
            self.text(text.as_bytes());
        }
        match input {
            Input::File(path) => self.file(path),
            Input::Text { text, .. } => self.text(text.as_bytes()),
        }
    }

    fn file(&mut self, path: &Path) {
        let identity = identity(&path.to_string_lossy());
        if self.read.contains(&identity) || self.read.len() == MOST_FILES {
            return;
        }
        self.read.push(identity);
        if let Ok(text) = read(path) {
            self.text(&text);
        }
    }

    fn text(&mut self, text: &[u8]) {
        let mut lexer = Lexer::new(text, SourceId::NONE, false);
        let mut depth = 0_usize;
        while let Some(statement) = lexer.statement_or_next() {
            self.look(&statement, depth);
            match statement.end {
                End::Open => depth += 1,
                End::Close => depth = depth.saturating_sub(1),
                End::Semicolon | End::Text => {}
            }
        }
    }

    fn look(&mut self, statement: &Statement, depth: usize) {
        let words = &statement.words;
        for (at, word) in words.iter().enumerate() {
            let begins = |i: usize| i == 0 || words.get(i).is_none_or(|w| w.span.line > words[i - 1].span.line);
            let Some(value) = words.get(at + 1).filter(|_| begins(at) && begins(at + 2)) else { continue };
            if word.text == "include" && (depth == 0 || self.into_blocks) {
                let pattern = join(&self.conf_dir, &value.text);
                paths_of(&pattern).iter().for_each(|path| self.file(path));
                self.patterns.push(pattern);
            } else if word.text == self.name && !word.quoted {
                let found = if depth == 0 { &mut self.in_main } else { &mut self.elsewhere };
                found.get_or_insert_with(|| value.text.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str) -> Option<String> {
        salvage(Input::text("conf", text), &Options::default(), "pid")
    }

    #[test]
    fn errors_before_and_behind_do_not_hide_a_directive() {
        let broken = [
            "pid /x; nonsense;",
            "no such thing { pid /y; }\npid /x;",
            "user 'unfinished;\npid /x;\n",
            "worker_processes 2\npid /x;",
            "pid /x\nevents { }",
            "}\npid /x;",
            "events { worker_connections 5;\npid /x;\nhttp { }",
            "http { map $a $b { pid /y; } }\npid /x;",
            "a\"b\"c ;\npid '/x';",
            "\u{feff}{;\npid /x;",
        ];
        for text in broken {
            assert_eq!(find(text).as_deref(), Some("/x"), "{text}");
        }
        for text in ["", "# pid /x;", "pid;", "pid a b;", "user pid x;", "log_format pid '/x'"] {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn includes_and_the_command_line_are_read_as_far_as_they_can_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.conf");
        std::fs::write(&path, "include none.conf; include x.conf;\ninclude d*.conf; rubbish").unwrap();
        std::fs::write(dir.path().join("d1.conf"), "rubbish }").unwrap();
        std::fs::write(dir.path().join("d2.conf"), "pid /x;").unwrap();
        let options = |globals: Option<&str>| Options { globals: globals.map(str::to_owned), ..Options::default() };
        assert_eq!(salvage(Input::File(&path), &options(None), "pid").as_deref(), Some("/x"));
        assert_eq!(salvage(Input::File(&path), &options(Some("pid /y;")), "pid").as_deref(), Some("/y"));
        assert_eq!(salvage(Input::File(&dir.path().join("no")), &options(None), "pid"), None);
    }
}
