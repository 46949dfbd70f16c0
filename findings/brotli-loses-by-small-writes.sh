#!/usr/bin/env bash
# The brotli crate at quality 0 and 1: writes of 4 KiB double the output, and it is then larger than gzip -1.
#
# Guess:    a streaming encoder gathers its input: the size of the writes costs a few percent.
# Seen:     300 KB of English text at quality 1: 59 KB in one write, 140 KB in writes of 4 KiB; gzip -1 makes 91 KB. From quality 2 on
#           the size of the writes changes nothing.
# Versions: brotli 8.0.4, gzip 1.12.
# Matters:  a server that compresses on the way with the fastest quality, a read buffer at a time, would do better with gzip.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
brotli = "=8.0.4"
TOML
cat > src/main.rs <<'RUST'
use std::io::Write;
use std::process::Command;

fn compressed(text: &[u8], quality: u32, piece: usize) -> usize {
    let mut out = Vec::new();
    {
        let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, quality, 22);
        text.chunks(piece).for_each(|chunk| encoder.write_all(chunk).unwrap());
    }
    out.len()
}

fn text() -> Vec<u8> {
    let mut names: Vec<_> = std::fs::read_dir("/usr/share/common-licenses").unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    names.iter().flat_map(|name| std::fs::read(name).unwrap_or_default()).collect()
}

fn main() {
    let text = text();
    std::fs::write("text", &text).unwrap();
    let gzip = Command::new("gzip").args(["-1", "-c", "text"]).output().unwrap().stdout.len();
    for quality in [0, 1, 2] {
        let (whole, pieces) = (compressed(&text, quality, text.len()), compressed(&text, quality, 4096));
        println!("quality {quality}: {whole} bytes in one write, {pieces} in writes of 4 KiB; gzip -1 {gzip}");
        match quality {
            2 => assert_eq!(whole, pieces),
            _ => assert!(pieces > whole * 3 / 2 && pieces > gzip && whole < gzip),
        }
    }
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q
