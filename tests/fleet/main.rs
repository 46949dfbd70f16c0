//! Several machines, by engines that are there already: the confs of `conf/haproxy` and `conf/kubernetes` as they are,
//! but for addresses and paths.

#[path = "../support/mod.rs"]
mod support;

mod clients;

mod machines;

mod faults;

mod kubernetes;

mod rolling;

mod weights;

/// A conf of the repository.
fn conf(name: &str) -> String {
    let path = format!("{}/conf/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A text with a piece replaced that it must have.
#[track_caller]
fn with(text: String, piece: &str, instead: &str) -> String {
    assert!(text.contains(piece), "no {piece:?} in\n{text}");
    text.replace(piece, instead)
}
