#!/usr/bin/env bash
# Three crates read the Range field three ways; two of them refuse `bytes=-5000` of a file of 1000 bytes, and one of these is called
# "satisfiable" and returns ranges that are not.
#
# Guess:    all three follow RFC 9110 14.1.2: a suffix longer than the file is the whole file, what is out of bounds is left out of a
#           list, a last position beyond the end is the end.
# Seen:     http-range does; http-range-header (tower-http's ServeDir uses it) makes errors of a long suffix, of overlapping ranges, and
#           of a list of which one range is out of bounds; headers::Range::satisfiable_ranges leaves the long suffix out and keeps
#           5 to 2, 99999 to the end, and 0 to 99999 as they came.
# Versions: headers 0.4.2, http-range 0.1.6, http-range-header 0.4.2.
# Matters:  a player that asks for the last 64 KiB of a short file gets 416, or nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
headers = "=0.4.2"
http = "=1.5.0"
http-range = "=0.1.6"
http-range-header = "=0.4.2"
TOML
cat > src/main.rs <<'RUST'
use headers::HeaderMapExt;

fn by_headers(field: &str) -> String {
    let mut map = http::HeaderMap::new();
    map.insert("range", field.parse().unwrap());
    let range = map.typed_get::<headers::Range>().unwrap();
    format!("{:?}", range.satisfiable_ranges(1000).collect::<Vec<_>>())
}

fn by_http_range_header(field: &str) -> String {
    format!("{:?}", http_range_header::parse_range_header(field).unwrap().validate(1000))
}

fn by_http_range(field: &str) -> String {
    let ranges = http_range::HttpRange::parse(field, 1000);
    format!("{:?}", ranges.map(|r| r.iter().map(|r| (r.start, r.length)).collect::<Vec<_>>()))
}

fn main() {
    let cases = [
        ("bytes=-5000", "Ok([(0, 1000)])", "Err(FileSuffixOutOfBounds)", "[]"),
        ("bytes=0-99999", "Ok([(0, 1000)])", "Ok([0..=999])", "[(Included(0), Included(99999))]"),
        ("bytes=0-5,99999-", "Ok([(0, 6)])", "Err(RangeReversed)", "[(Included(0), Included(5)), (Included(99999), Unbounded)]"),
        ("bytes=0-5,2-9", "Ok([(0, 6), (2, 8)])", "Err(OverlappingRanges)", "[(Included(0), Included(5)), (Included(2), Included(9))]"),
        ("bytes=5-2", "Err(InvalidRange)", "Err(RangeReversed)", "[(Included(5), Included(2))]"),
    ];
    for (field, http_range, http_range_header, headers) in cases {
        let seen = (by_http_range(field), by_http_range_header(field), by_headers(field));
        println!("{field} of 1000 bytes\n  http-range        {}\n  http-range-header {}\n  headers           {}", seen.0, seen.1, seen.2);
        assert_eq!(seen, (http_range.to_owned(), http_range_header.to_owned(), headers.to_owned()));
    }
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q
