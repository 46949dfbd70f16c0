#!/usr/bin/env bash
# httpdate reads a two-digit year of 70 or more as 19xx for ever, and refuses a leap second.
#
# Guess:    "a year that appears to be more than 50 years in the future is in the past" (RFC 9110 5.6.7), so that in 2026 the years 70 to
#           76 are 2070 to 2076; and 23:59:60, which the grammar allows "for leap seconds", is a date.
# Seen:     `Wednesday, 01-Jan-75 ...` is 1975, and the right weekday of 2075 (Tuesday) makes the line an error; :60 is an error.
# Version:  httpdate 1.0.3.
# Matters:  whoever uses it for If-Modified-Since must know that an error means "no condition": it answers 200, not 304.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
httpdate = "=1.0.3"
TOML
cat > src/main.rs <<'RUST'
use std::time::UNIX_EPOCH;

fn main() {
    let seconds = |text: &str| {
        let seen = httpdate::parse_http_date(text).ok().map(|t| t.duration_since(UNIX_EPOCH).unwrap().as_secs());
        println!("{text}: {seen:?}");
        seen
    };
    assert_eq!(seconds("Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777));
    assert_eq!(seconds("Wednesday, 01-Jan-75 00:00:00 GMT"), Some(157_766_400));
    assert_eq!(seconds("Tuesday, 01-Jan-75 00:00:00 GMT"), None);
    assert_eq!(seconds("Wednesday, 01-Jan-69 00:00:00 GMT"), None);
    assert_eq!(seconds("Tuesday, 01-Jan-69 00:00:00 GMT"), Some(3_124_224_000));
    assert_eq!(seconds("Sat, 31 Dec 2016 23:59:60 GMT"), None);
    assert_eq!(seconds("Sun, 01 Jan 2017 00:00:00 GMT"), Some(1_483_228_800));
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q
