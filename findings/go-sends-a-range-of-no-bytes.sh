#!/usr/bin/env bash
# Go's http.ServeContent, in caddy, answers a range of no bytes with 206 and `bytes 1000-999/1000`.
#
# Guess:    `Range: bytes=-0` asks for nothing that a Content-Range can say: 416 (RFC 9110, 14.1.2), or the whole file.
# Seen:     206 with `Content-Range: bytes 1000-999/1000` and no body. A unit in capitals (`BYTES=0-4`), or one that nobody knows, is a 416 without
#           Content-Range, where RFC 9110 14.2 wants such a field ignored.
# Version:  caddy 2.6.2 (Debian 2.6.2-5, Go 1.19).
# Matters:  a client that computes a suffix from an index gets an answer that a strict parser of Content-Range refuses.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root caddy=2.6.2-5
for package in ./*.deb; do dpkg -x "$package" .; done
mkdir www
seq -w 0 333 | tr -d '\n' | head -c 1000 > www/f.txt
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work usr/bin/caddy file-server --listen "127.0.0.1:$port" --root www > log 2>&1 &
server=$!
for _ in $(seq 100); do
    (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
done
cat > ask.py <<'PY'
import socket, sys

def ask(method, path, *fields, host="localhost"):
    """The status, the fields and every byte behind the head, until the server closes."""
    conn = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *fields, "", ""]
    conn.sendall("\r\n".join(lines).encode())
    data = b""
    while piece := conn.recv(65536):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    seen = int(first.split()[1]), {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in rest)}, body
    print(method, path, *fields, "->", seen[0], {k: v for k, v in seen[1].items() if k.startswith("content")}, len(body), "bytes")
    return seen

def part(wanted):
    status, fields, body = ask("GET", "/f.txt", f"Range: {wanted}")
    return status, fields.get("content-range"), len(body)

assert part("bytes=-5") == (206, "bytes 995-999/1000", 5)
assert part("bytes=-0") == (206, "bytes 1000-999/1000", 0)
assert part("bytes=5000-")[:2] == (416, "bytes */1000")
for unit in ("BYTES", "items"):
    assert part(f"{unit}=0-4")[:2] == (416, None), unit
PY
python3 ask.py "$port"
