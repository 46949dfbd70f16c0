//! Runs a target with files.

use crate::target::Target;
use std::path::{Path, PathBuf};

/// Runs a target with a file, or with the files of a directory. Returns their number.
pub(crate) fn replay(target: &Target, path: &Path) -> usize {
    let files: Vec<PathBuf> = match std::fs::read_dir(path) {
        Ok(entries) => entries.map(|entry| entry.expect("an entry").path()).collect(),
        Err(_) => vec![path.to_owned()],
    };
    let mut run = (target.new)();
    for file in &files {
        let input = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let input_named = NamedByPanic(file);
        run(&input);
        std::mem::forget(input_named);
    }
    files.len()
}

/// The input of a run: a panic says which it was.
struct NamedByPanic<'f>(&'f Path);

impl Drop for NamedByPanic<'_> {
    fn drop(&mut self) {
        eprintln!("the input was {}", self.0.display());
    }
}

/// Runs a target with all of its corpus.
#[cfg(test)]
pub(crate) fn run_corpus(targets: &[Target], name: &str) {
    let target = targets.iter().find(|target| target.name == name).expect("a target");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    assert!(replay(target, &corpus) > 0, "{} is empty", corpus.display());
}
