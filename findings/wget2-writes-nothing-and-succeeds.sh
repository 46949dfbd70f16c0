#!/usr/bin/env bash
# wget2 leaves an empty file and exits with 0 when a response is packed with raw deflate, which it asks for.
#
# Guess:    a client that offers `deflate` takes it with and without the zlib header, as servers have always sent both; or it fails.
# Seen:     with the header 1000 bytes, without it 0 bytes and exit code 0. curl and requests give 1000 bytes for both.
# Versions: wget2 1.99.1 (Debian 12), curl 7.88.1, requests 2.34.2 with urllib3 2.8.0.
# Matters:  a mirror made with wget2 has empty files and a clean log, where servers still send raw deflate.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
command -v wget2 >/dev/null || { apt-get update -q && apt-get install -yq wget2; } >apt.log 2>&1
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check requests==2.34.2 urllib3==2.8.0
cat > ask.py <<'PY'
import gzip
import http.server
import subprocess
import threading
import zlib

import requests

TEXT = bytes(1000)
bare = zlib.compressobj(wbits=-15)
bodies = {
    "gzip": ("gzip", gzip.compress(TEXT), 1000),
    "deflate": ("deflate", zlib.compress(TEXT), 1000),
    "raw": ("deflate", bare.compress(TEXT) + bare.flush(), 0),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        coding, body, *_ = bodies[self.path[1:]]
        self.send_response(200)
        self.send_header("Content-Encoding", coding)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for name, (coding, _, by_wget2) in bodies.items():
    url = f"http://127.0.0.1:{server.server_port}/{name}"
    wget2 = subprocess.run(["wget2", "-q", "-O-", url], capture_output=True)
    curl = subprocess.run(["curl", "-s", "--compressed", url], capture_output=True, check=True)
    seen = (wget2.returncode, len(wget2.stdout)), len(curl.stdout), len(requests.get(url).content)
    print(f"{name} ({coding}): wget2 exit code {seen[0][0]}, {seen[0][1]} bytes; curl {seen[1]}; requests {seen[2]}")
    assert seen == ((0, by_wget2), 1000, 1000)
PY
python/bin/python ask.py
