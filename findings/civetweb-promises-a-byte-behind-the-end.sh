#!/usr/bin/env bash
# civetweb answers a range that ends behind the file with one byte more than there is, in Content-Length and Content-Range.
#
# Guess:    `Range: bytes=990-2000` of 1,000 bytes gives `bytes 990-999/1000` and ten bytes; `bytes=5000-` is a 416; `bytes=-5` the last five.
# Seen:     `Content-Range: bytes 990-1000/1000` and `Content-Length: 11`, then ten bytes. Behind the end it is a 206 with `Content-Length: -4000`;
#           a suffix range is a 200 with the whole file. An empty file with a range is said to have one byte.
# Version:  civetweb 1.15 (Debian 1.15+dfsg-4).
# Matters:  a client that asks in pieces of a fixed size waits for the last byte of its last piece until the connection times out.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root civetweb=1.15+dfsg-4 libcivetweb1=1.15+dfsg-4
for package in ./*.deb; do dpkg -x "$package" .; done
mkdir www
seq -w 0 333 | tr -d '\n' | head -c 1000 > www/f.txt
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
LD_LIBRARY_PATH=$(echo usr/lib/*-linux-gnu) usr/bin/civetweb -listening_ports "127.0.0.1:$port" -document_root "$work/www" > log 2>&1 &
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
    return status, fields.get("content-range"), fields["content-length"], len(body)

assert part("bytes=0-4") == (206, "bytes 0-4/1000", "5", 5)
assert part("bytes=990-2000") == (206, "bytes 990-1000/1000", "11", 10)
assert part("bytes=5000-") == (206, "bytes 5000-999/1000", "-4000", 0)
assert part("bytes=-5") == (200, None, "1000", 1000)
PY
python3 ask.py "$port"
