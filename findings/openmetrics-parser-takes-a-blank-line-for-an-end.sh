#!/usr/bin/env bash
# openmetrics-parser, reading Prometheus's text format, refuses a blank line behind `# TYPE`, and a tab before the value.
#
# Guess:    both pass: the text format ignores blank lines, and lets any number of blanks and tabs stand between tokens.
# Seen:     the blank line closes the family ("after that family was finalised"); the tab is a syntax error; so is a bare `#`.
# Versions: openmetrics-parser 0.5.1 (parse_prometheus).
# Matters:  pages that are laid out for people are lost as a whole, one blank line is enough.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
echo 'openmetrics-parser = "=0.5.1"' >> Cargo.toml
cat > src/main.rs <<'RUST'
fn main() {
    let cases = [
        ("# TYPE a gauge\na 5\n", true),
        ("# TYPE a gauge\n\na 5\n", false),
        ("# TYPE a gauge\na{x=\"1\"}\t5\n", false),
        ("#\n# TYPE a gauge\na 5\n", false),
        ("# a remark\n# TYPE a gauge\na 5\n", true),
    ];
    for (page, is_read) in cases {
        let result = openmetrics_parser::prometheus::parse_prometheus(page);
        let told = result.as_ref().err().map(|error| error.to_string().replace('\n', " "));
        println!("{page:?}: {}", told.unwrap_or_else(|| "read".to_owned()));
        assert_eq!(result.is_ok(), is_read, "{page:?}");
    }
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q
