#!/usr/bin/env bash
# Two npm file servers ignore If-Range: a resumed download joins two versions of a file. They also take If-None-Match for one tag.
#
# Guess:    `If-Range: "other"` beside a Range gives 200 and the whole new file; `If-None-Match: "a", TAG` and `*` give 304.
# Seen:     serve and http-server answer 206 whatever If-Range says, and 200 to a list or a star: the field is compared as one string.
# Versions: serve 14.2.7, http-server 14.1.1, Node 20.
# Matters:  a browser that resumes after a deploy gets a file that never existed, with no error on either side.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix . serve@14.2.7 http-server@14.1.1
mkdir www
head -c 1000 /dev/zero | tr '\0' a > www/f.txt
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

tag = ask("GET", "/f.txt")[1]["etag"]
assert ask("GET", "/f.txt", f"If-None-Match: {tag}")[0] == 304
for field in (f'If-None-Match: "a", {tag}', "If-None-Match: *"):
    assert ask("GET", "/f.txt", field)[0] == 200
assert ask("GET", "/f.txt", 'If-Range: "other"', "Range: bytes=500-")[0] == 206
PY
python3 ask.py "$port"
kill "$server"
wait "$server" || true
node node_modules/http-server/bin/http-server www -a 127.0.0.1 -p "$port" > log 2>&1 &
server=$!
for _ in $(seq 100); do
    (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
done
python3 ask.py "$port"
