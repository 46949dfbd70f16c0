#!/usr/bin/env bash
# fancy-regex matches `^/v\d+\.?\d+$` against /v1, where two digits are asked for.
#
# Guess:    a pattern without look-around or backreference gives what the regex crate gives: fancy-regex hands such ones to it.
# Seen:     fancy-regex 0.20.0: /v1 and /w/a match; the regex crate matches neither. `X+Y?X+` is taken apart so that one X is enough.
# Versions: fancy-regex 0.20.0 (0.19 does the same), regex 1.13.2.
# Matters:  a location or an allow list takes names that it was written not to take.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
fancy-regex = "=0.20.0"
regex = "=1.13.2"
TOML
cat > src/main.rs <<'RUST'
fn main() {
    let cases = [(r"^/v\d+\.?\d+$", "/v1"), (r"^/w/\w+-?\w+$", "/w/a")];
    for (pattern, text) in cases {
        let fancy = fancy_regex::Regex::new(pattern).unwrap().is_match(text).unwrap();
        let plain = regex::Regex::new(pattern).unwrap().is_match(text);
        println!("{pattern} on {text}: fancy-regex {fancy}, regex {plain}");
        assert_eq!((fancy, plain), (true, false));
    }
    let two = fancy_regex::Regex::new(cases[0].0).unwrap();
    assert!(two.is_match("/v1.2").unwrap() && two.is_match("/v12").unwrap() && !two.is_match("/v").unwrap());
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q
