#!/usr/bin/env bash
# prometheus-parse reads a page of metrics without an error, and leaves lines and labels out.
#
# Guess:    a series with a colon in its name, as recording rules make them, is read; so is a label value with `=` in it.
# Seen:     `job:requests:rate 5` and `up{} 1` are gone; `a{query="b=c"} 7` has lost its label, and is now another series.
# Versions: prometheus-parse 0.2.5.
# Matters:  what a federation endpoint gives has such names; labels with paths or queries meet in one series.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
echo 'prometheus-parse = "=0.2.5"' >> Cargo.toml
cat > src/main.rs <<'RUST'
fn main() {
    let page = "plain{path=\"/a\"} 3\njob:requests:rate 5\nup{} 1\na{query=\"b=c\"} 7\n";
    let lines = page.lines().map(|line| Ok(line.to_owned()));
    let scrape = prometheus_parse::Scrape::parse(lines).expect("no error");
    let seen: Vec<String> = scrape.samples.iter().map(|s| format!("{} {}", s.metric, s.labels.len())).collect();
    println!("4 lines; name and number of labels of what was read: {seen:?}");
    assert_eq!(seen, ["plain 1", "a 0"]);
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q
