#!/usr/bin/env bash
# koa-static sends brotli to a client that likes gzip ten times better, and tells no cache that there are two.
#
# Guess:    `Accept-Encoding: gzip, br;q=0.1` gets the .gz twin of a file; an answer that depends on Accept-Encoding says Vary.
# Seen:     the .br twin: what is accepted at all is asked, brotli first. No answer says Vary, neither the compressed nor the plain.
# Version:  koa-static 5.0.0 (koa-send 5.0.1), koa 3.3.0, Node 20, defaults.
# Matters:  a cache in front gives brotli to all that ask next, curl among them, and the page is noise.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix . koa@3.3.0 koa-static@5.0.0 koa-send@5.0.1
mkdir www
printf 'let a = 1;\n%.0s' $(seq 400) > www/app.js
node -e 'const z = require("zlib"), f = require("fs"), d = f.readFileSync("www/app.js");
f.writeFileSync("www/app.js.gz", z.gzipSync(d)); f.writeFileSync("www/app.js.br", z.brotliCompressSync(d));'
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
node -e 'const Koa = require("koa"), app = new Koa(); app.use(require("koa-static")("www"));
app.listen(process.argv[1], "127.0.0.1");' "$port" > log 2>&1 &
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

assert coding("gzip") == "gzip" and coding("br;q=0, gzip") == "gzip" and coding("deflate") is None
assert coding("gzip, br;q=0.1") == "br"
PY
python3 ask.py "$port"
