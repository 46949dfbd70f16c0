#!/usr/bin/env bash
# Chromium shows an empty page for a zstd file that curl unpacks: what `zstd --ultra -22` makes of more than 8 MiB.
#
# Guess:    the level decides how long the packing takes; whoever unpacks zstd unpacks all levels, as with gzip and brotli.
# Seen:     the same 12 MiB page: level 19 is shown by Chromium, level 22 is not: nothing, no text of an error in the document. curl writes both.
#           Above level 19 the window of a large file is larger than 8 MiB, which RFC 9659 makes the limit on the web. Two frames in a row are fine.
# Versions: Chromium 156, zstd 1.5.4, curl 7.88.1 (Debian 12).
# Matters:  "pack once, as hard as you can" is the very idea of precompressed files; a test with curl passes and the visitors see nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
server=
for tool in chromium zstd; do
    command -v $tool >/dev/null || { apt-get update -q && apt-get install -yq $tool; } >>apt.log 2>&1
done
python3 - <<'PY'
import random
letters = bytes(random.Random(1).choices(b"abcdefghijkl", k=12 << 20))
open("page.html", "wb").write(b"<p id=first>" + letters + b"<p id=last>")
PY
zstd -q -19 page.html -o nineteen
zstd -q --ultra -22 page.html -o twentytwo
(head -c 6000000 page.html | zstd -q; tail -c +6000001 page.html | zstd -q) > frames
cat > serve.py <<'PY'
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        body = open(self.path[1:], "rb").read() if self.path != "/favicon.ico" else b""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Encoding", "zstd")
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PY
python3 serve.py >port &
server=$!
until [ -s port ]; do sleep 0.05; done
flags=(--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync)
for file in nineteen twentytwo frames; do
    url="http://127.0.0.1:$(cat port)/$file"
    by_curl=$(curl -s --compressed "$url" | grep -c 'id=last' || true)
    by_chromium=$(timeout 60 chromium "${flags[@]}" --user-data-dir="$work/$file.profile" --dump-dom "$url" 2>>chromium.log | grep -c 'id="last"' || true)
    echo "$file: curl shows the end $by_curl, Chromium $by_chromium"
done | tee seen
diff - seen <<'END'
nineteen: curl shows the end 1, Chromium 1
twentytwo: curl shows the end 1, Chromium 0
frames: curl shows the end 1, Chromium 1
END
