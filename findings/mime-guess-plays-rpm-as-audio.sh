#!/usr/bin/env bash
# mime_guess: an .rpm is an audio plug-in, a .ts is "video/vnd.dlna.mpeg-tts", and .mjs is another type than .js.
#
# Guess:    application/x-rpm (or octet-stream), video/mp2t (or text), and text/javascript for both, as RFC 9239 says.
# Seen:     audio/x-pn-realaudio-plugin; video/vnd.dlna.mpeg-tts; text/javascript for .js, application/javascript for .mjs. Neither .br
#           nor .zst has a type.
# Version:  mime_guess 2.0.5.
# Matters:  a mirror behind it makes browsers offer a player; an HLS stream's segments lose their type.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
mime_guess = "=2.0.5"
TOML
cat > src/main.rs <<'RUST'
fn main() {
    let cases = [
        ("rpm", Some("audio/x-pn-realaudio-plugin")),
        ("ts", Some("video/vnd.dlna.mpeg-tts")),
        ("js", Some("text/javascript")),
        ("mjs", Some("application/javascript")),
        ("m3u8", Some("audio/x-mpegurl")),
        ("br", None),
        ("zst", None),
    ];
    for (extension, expected) in cases {
        let seen = mime_guess::from_ext(extension).first_raw();
        println!(".{extension}: {seen:?}");
        assert_eq!(seen, expected);
    }
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q
