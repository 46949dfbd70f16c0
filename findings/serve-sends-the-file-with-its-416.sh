#!/usr/bin/env bash
# npm's `serve`: a 416 carries the whole file as its body; the redirect to a clean URL drops the query; every method gets the file.
#
# Guess:    a 416 has a short body or none; `/page.html?x=1` goes to `/page?x=1`; DELETE and POST of a file are 405.
# Seen:     `bytes=5000-` of 1000 bytes: 416, `Content-Length: 1000`, the file; so for `bytes=-5000`, which is satisfiable. 301 to `/page`.
#           DELETE, POST and OPTIONS: 200 with the file.
# Version:  serve 14.2.7 (serve-handler), Node 20.
# Matters:  a client that resumes and ignores the status appends the file to itself; links with tracking or search terms lose them.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix . serve@14.2.7
mkdir www
head -c 1000 /dev/zero | tr '\0' a > www/f.txt
echo '<p>page' > www/page.html
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
node node_modules/serve/build/main.js -n -l "tcp://127.0.0.1:$port" www > log 2>&1 &
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

for byte_range in ("bytes=5000-", "bytes=-5000"):
    status, fields, body = ask("GET", "/f.txt", f"Range: {byte_range}")
    assert (status, fields["content-range"], len(body)) == (416, "bytes */1000", 1000)
status, fields, _ = ask("GET", "/page.html?x=1")
assert (status, fields["location"]) == (301, "/page")
for method in ("DELETE", "POST", "OPTIONS"):
    assert ask(method, "/f.txt", "Content-Length: 0")[0::2] == (200, b"a" * 1000)
PY
python3 ask.py "$port"
