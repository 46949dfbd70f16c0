#!/usr/bin/env bash
# WhiteNoise gives the gzip variant of a file the same strong ETag as the file itself.
#
# Guess:    different bytes have different tags, or weak ones, as RFC 9110 8.8.3.3 asks for (its example is this very case).
# Seen:     `"6b...-3e8"` for 1000 plain bytes and for 35 compressed ones, with Vary. A weak form of the tag, as nginx makes of it on the
#           way through gzip, is never a match: 200 where 304 would do.
# Version:  WhiteNoise 6.12.0.
# Matters:  a cache that joins parts by a strong tag may join bytes of two encodings; behind a compressing proxy nothing is ever "not modified".
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install whitenoise==6.12.0 waitress==3.0.2
mkdir www
head -c 1000 /dev/zero | tr '\0' a > www/f.txt
gzip -k www/f.txt
cat > site.py <<'PY'
import sys, waitress
from whitenoise import WhiteNoise

def nothing(environ, start_response):
    start_response("404 Not Found", [("Content-Length", "0")])
    return [b""]

waitress.serve(WhiteNoise(nothing, root="www"), host="127.0.0.1", port=int(sys.argv[1]))
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

_, plain, body = ask("GET", "/f.txt", "Accept-Encoding: identity")
_, coded, smaller = ask("GET", "/f.txt", "Accept-Encoding: gzip")
print(plain["etag"], len(body), "and", coded["etag"], len(smaller), coded["content-encoding"])
assert coded["content-encoding"] == "gzip" and len(smaller) < len(body)
assert plain["etag"] == coded["etag"] and plain["etag"].startswith('"')
assert ask("GET", "/f.txt", f"If-None-Match: {plain['etag']}")[0] == 304
assert ask("GET", "/f.txt", f"If-None-Match: W/{plain['etag']}")[0] == 200
PY
python3 ask.py "$port"
