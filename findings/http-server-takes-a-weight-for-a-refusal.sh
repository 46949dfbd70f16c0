#!/usr/bin/env bash
# http-server sends nothing compressed to a client that weighs its codings.
#
# Guess:    `Accept-Encoding: gzip;q=0.9` gets the .gz twin of a file, as `gzip` does; browsers send no weights, but many libraries do.
# Seen:     the file itself for `gzip;q=0.9`, `gzip;q=1` and `br;q=1.0, gzip;q=0.8`: a coding counts only without a parameter. `*` gets brotli.
#           No answer says Vary.
# Version:  http-server 14.1.1, Node 20; --gzip --brotli.
# Matters:  a check of a compressed deploy with a weighing client says that compression is off; and a shared cache gives the first
#           client's coding to all.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix . http-server@14.1.1
mkdir www
printf 'let a = 1;\n%.0s' $(seq 400) > www/app.js
node -e 'const z = require("zlib"), f = require("fs"), d = f.readFileSync("www/app.js");
f.writeFileSync("www/app.js.gz", z.gzipSync(d)); f.writeFileSync("www/app.js.br", z.brotliCompressSync(d));'
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
node node_modules/http-server/bin/http-server www -a 127.0.0.1 -p "$port" --gzip --brotli > log 2>&1 &
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
    fields = ask(f"Accept-Encoding: {accepted}")[1]
    assert "vary" not in fields
    return fields.get("content-encoding")

assert coding("gzip") == "gzip" and coding("gzip, br") == "br"
for weighed in ("gzip;q=0.9", "gzip;q=1", "br;q=1.0, gzip;q=0.8"):
    assert coding(weighed) is None, weighed
assert coding("br;q=0.9, gzip") == "gzip"
assert coding("*") == "br"
PY
python3 ask.py "$port"
