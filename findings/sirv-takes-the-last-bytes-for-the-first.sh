#!/usr/bin/env bash
# sirv answers a request for the last five bytes with the first six.
#
# Guess:    `Range: bytes=-5` gets the last five bytes, or the whole file from a server that knows no ranges.
# Seen:     206 with `Content-Range: bytes 0-5/N` and the first six: what stands before the hyphen counts as 0 when it is nothing. Two ranges,
#           and a range of letters, are a 206 with the whole file; a unit that nobody knows (`items=0-1`) is read as bytes.
# Version:  sirv-cli 3.0.1 (sirv 3.0.2), Node 20.
# Matters:  what reads the end of an archive first (zip, mp4, parquet over HTTP) gets its beginning; only Content-Range tells.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix . sirv-cli@3.0.1 sirv@3.0.2
mkdir www
seq -w 0 333 | tr -d '\n' | head -c 1000 > www/app.js
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
node node_modules/sirv-cli/bin.js www --host 127.0.0.1 --port "$port" --quiet > log 2>&1 &
server=$!
for _ in $(seq 100); do
    (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
done
cat > ask.py <<'PY'
import socket, sys

def ask(*fields):
    """The status, the fields and the body of a GET of the file."""
    conn = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
    lines = ["GET /app.js HTTP/1.1", "Host: localhost", "Connection: close", *fields, "", ""]
    conn.sendall("\r\n".join(lines).encode())
    data = b""
    while piece := conn.recv(65536):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    seen = int(first.split()[1]), {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in rest)}, body
    print(*fields, "->", seen[0], {k: v for k, v in seen[1].items() if k.startswith(("content-", "vary"))}, len(body), "bytes")
    return seen

whole = open("www/app.js", "rb").read()

def part(wanted):
    status, fields, body = ask(f"Range: {wanted}")
    return status, fields.get("content-range"), body

assert part("bytes=5-9") == (206, "bytes 5-9/1000", whole[5:10])
assert part("bytes=-5") == (206, "bytes 0-5/1000", whole[:6])
assert part("bytes=0-0,-1") == (206, "bytes 0-999/1000", whole)
assert part("bytes=a-b") == (206, "bytes 0-999/1000", whole)
assert part("items=0-1") == (206, "bytes 0-1/1000", whole[:2])
PY
python3 ask.py "$port"
