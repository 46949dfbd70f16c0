#!/usr/bin/env bash
# What a repeated group keeps when its last round is empty: the regex crate drops that round, Perl and Python (and PCRE) keep it.
#
# Guess:    leftmost-first engines agree on captures where they agree on the match: `(a*)+` on "aab" gives the same $1 everywhere.
# Seen:     regex: "aa"; Perl and Python: "". Where the body of the group can't be empty, all three agree.
# Versions: regex 1.13.2, Perl 5.36, CPython 3.11.
# Matters:  a rewrite to $1 goes elsewhere after a port from PCRE, on a pattern that still matches the same texts.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
regex = "=1.13.2"
TOML
cat > src/main.rs <<'RUST'
use std::process::Command;

fn output(program: &str, args: [&str; 4]) -> String {
    let out = Command::new(program).args(args).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap()
}

fn main() {
    let cases = [("(a*)+", "aab", "aa", ""), ("(a?)*", "aa", "a", ""), ("(a|b*)*c?", "ab", "b", ""), ("(?:(a)|b)*", "ab", "a", "a"), ("(a+)+", "aab", "aa", "aa")];
    for (pattern, text, of_regex, of_others) in cases {
        let seen = regex::Regex::new(pattern).unwrap().captures(text).unwrap()[1].to_owned();
        let perl = output("perl", ["-e", "$ARGV[1] =~ /$ARGV[0]/; print $1", pattern, text]);
        let python = output("python3", ["-c", "import re,sys; print(re.match(sys.argv[1], sys.argv[2])[1], end='')", pattern, text]);
        println!("{pattern} on {text}: regex {seen:?}, Perl {perl:?}, Python {python:?}");
        assert_eq!((seen.as_str(), python.as_str()), (of_regex, of_others));
        assert_eq!(perl, of_others);
    }
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q
