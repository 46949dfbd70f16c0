#!/usr/bin/env bash
# In the glob crate `[^_]*` means "begins with ^ or _", and `[[:digit:]]*` matches no name at all.
#
# Guess:    both as in glob(3), the shells and nginx's include: all but those with a leading _; those with a leading digit.
# Seen:     `[^_]*.conf` finds just ^x.conf and _c.conf, the ones it was written to leave out; only `[!_]` negates. No error either way.
# Version:  glob 0.3.4.
# Matters:  `include conf.d/[^_]*.conf` reads the very files that were switched off by renaming.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
glob = "=0.3.4"
TOML
cat > src/main.rs <<'RUST'
use std::process::Command;

fn by_crate(pattern: &str) -> Vec<String> {
    glob::glob(pattern).unwrap().map(|path| path.unwrap().display().to_string()).collect()
}

/// bash expands the pattern by the rules of glob(3), in the C locale's order.
fn by_shell(pattern: &str) -> Vec<String> {
    let out = Command::new("bash").args(["-c", &format!("printf '%s\\n' {pattern}")]).env("LC_ALL", "C").output().unwrap();
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn main() {
    for name in ["1d.conf", "^x.conf", "_c.conf", "a.conf"] {
        std::fs::write(name, "").unwrap();
    }
    let cases: [(&str, &[&str], &[&str]); 3] = [
        ("[^_]*.conf", &["^x.conf", "_c.conf"], &["1d.conf", "^x.conf", "a.conf"]),
        ("[!_]*.conf", &["1d.conf", "^x.conf", "a.conf"], &["1d.conf", "^x.conf", "a.conf"]),
        ("[[:digit:]]*.conf", &[], &["1d.conf"]),
    ];
    for (pattern, of_crate, of_shell) in cases {
        println!("{pattern}: crate {:?}, shell {:?}", by_crate(pattern), by_shell(pattern));
        assert_eq!((by_crate(pattern), by_shell(pattern)), (of_crate.iter().map(|s| s.to_string()).collect(), of_shell.iter().map(|s| s.to_string()).collect()));
    }
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q
