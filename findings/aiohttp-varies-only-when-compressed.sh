#!/usr/bin/env bash
# aiohttp's static files say Vary only with the compressed answer, and send it to clients that refuse gzip.
#
# Guess:    `Vary: Accept-Encoding` stands on every answer of a file that has a .gz beside it; `gzip;q=0` gets the plain file.
# Seen:     the plain answer has no Vary, the compressed one has; q=0 is not read: gzip goes out. (`gzip` as a word anywhere in the field.)
# Version:  aiohttp 3.14.5.
# Matters:  a shared cache that saw the plain answer first serves it to all; one client's `gzip;q=0` means bytes that it can't read.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install aiohttp==3.14.5
mkdir www
head -c 1000 /dev/zero | tr '\0' a > www/f.txt
gzip -k www/f.txt
cat > site.py <<'PY'
import sys
from aiohttp import web

app = web.Application()
app.router.add_static("/", "www")
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
PY
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
venv/bin/python site.py "$port" > log 2>&1 &
server=$!
for _ in $(seq 100); do
    (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
done
cat > ask.py <<'PY'
import socket, sys

def ask(method, path, *fields):
    """The status, the fields and every byte behind the head, until the server closes."""
    conn = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *fields, "", ""]
    conn.sendall("\r\n".join(lines).encode())
    data = b""
    while piece := conn.recv(65536):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    seen = int(first.split()[1]), {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in rest)}, body
    print(method, path, *fields, "->", seen[0], {k: v for k, v in seen[1].items() if k.startswith(("content", "location", "vary"))}, len(body), "bytes")
    return seen

plain = ask("GET", "/f.txt", "Accept-Encoding: identity")[1]
coded = ask("GET", "/f.txt", "Accept-Encoding: gzip")[1]
refused = ask("GET", "/f.txt", "Accept-Encoding: gzip;q=0")[1]
assert "vary" not in plain and "content-encoding" not in plain
assert coded["content-encoding"] == "gzip" and coded["vary"] == "Accept-Encoding"
assert refused["content-encoding"] == "gzip"
PY
python3 ask.py "$port"
