#!/usr/bin/env bash
# sirv sends brotli to a client that refuses it, and to one that names a coding which only begins like it.
#
# Guess:    `Accept-Encoding: br;q=0, gzip` gets the .gz twin of a file, `gzip;q=0` the file itself; weights decide.
# Seen:     the .br twin for `br;q=0`, for `br;q=0, gzip`, for `gzip, br;q=0.1` and for `bra`, the .gz twin for `gzip;q=0`: the field is searched for
#           the letters, by a regular expression. `*` and `GZIP` get the file itself.
# Version:  sirv-cli 3.0.1 (sirv 3.0.2), Node 20; --brotli --gzip.
# Matters:  sirv serves previews of several build tools; a client that can't decode br says q=0, and gets bytes that it can't read.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix . sirv-cli@3.0.1 sirv@3.0.2
mkdir www
printf 'let a = 1;\n%.0s' $(seq 400) > www/app.js
node -e 'const z = require("zlib"), f = require("fs"), d = f.readFileSync("www/app.js");
f.writeFileSync("www/app.js.gz", z.gzipSync(d)); f.writeFileSync("www/app.js.br", z.brotliCompressSync(d));'
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
node node_modules/sirv-cli/bin.js www --brotli --gzip --host 127.0.0.1 --port "$port" --quiet > log 2>&1 &
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

def coding(accepted):
    return ask(f"Accept-Encoding: {accepted}")[1].get("content-encoding")

assert coding("br") == "br" and coding("gzip") == "gzip" and coding("deflate") is None
for refused in ("br;q=0", "br;q=0, gzip", "gzip, br;q=0.1", "bra"):
    assert coding(refused) == "br", refused
assert coding("gzip;q=0") == "gzip"
assert coding("*") is None and coding("GZIP") is None
PY
python3 ask.py "$port"
