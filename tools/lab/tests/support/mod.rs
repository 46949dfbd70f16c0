//! Runs the lab, and reads the files that it writes.

#![allow(dead_code, reason = "each suite uses a part")]

use std::path::Path;
use std::process::{Command, Output};

/// The lab in `dir`, not yet run.
pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.current_dir(dir);
    command
}

/// Runs the lab in `dir`.
pub(crate) fn lab(dir: &Path, args: &[&str]) -> Output {
    command(dir).args(args).output().unwrap()
}

/// Output as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A JSON file.
pub(crate) fn json(file: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// `user root;` when this process is root's: the directories of the tests are closed to other users.
pub(crate) fn user() -> &'static str {
    if nix::unistd::geteuid().is_root() { "user root;" } else { "" }
}
