#!/usr/bin/env bash
# In fancy-regex an inline flag set inside a capture group holds after the group has ended.
#
# Guess:    `^/((?i)images)/Secret$` ignores case in "images" alone, as in the regex crate and in Perl.
# Seen:     fancy-regex 0.20.0 matches /images/SECRET; the regex crate does not. `(?i:images)` is right in both.
# Versions: fancy-regex 0.20.0, regex 1.13.2.
# Matters:  half of a path becomes case-insensitive without a word.
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
    let cases = [("^/((?i)images)/Secret$", true), ("^/(?i:images)/Secret$", false)];
    for (pattern, expected) in cases {
        let fancy = fancy_regex::Regex::new(pattern).unwrap();
        let plain = regex::Regex::new(pattern).unwrap();
        let seen = fancy.is_match("/images/SECRET").unwrap();
        println!("{pattern} on /images/SECRET: fancy-regex {seen}, regex {}", plain.is_match("/images/SECRET"));
        assert!(seen == expected && !plain.is_match("/images/SECRET"));
        assert!(fancy.is_match("/IMAGES/Secret").unwrap() && plain.is_match("/IMAGES/Secret"));
    }
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q
