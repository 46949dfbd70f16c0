#!/usr/bin/env bash
# webfs answers a suffix range that is longer than the file with a part that begins before it.
#
# Guess:    `bytes=-5000` of 1000 bytes is the whole file (RFC 9110 14.1.2); a last position beyond the end is the end.
# Seen:     206 with `Content-Range: bytes -4000-999/1000`, `Content-Length: 5000` and no byte of body; a last position beyond the end is 400.
# Version:  webfs 1.21 (Debian 1.21+ds1-12).
# Matters:  players ask for the last 64 KiB of a file of unknown size: this server never ends that answer well.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root webfs=1.21+ds1-12+b1
dpkg -x ./*.deb .
mkdir www
head -c 1000 /dev/zero | tr '\0' a > www/f.txt
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
usr/bin/webfsd -F -p "$port" -i 127.0.0.1 -r www > log 2>&1 &
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

status, fields, body = ask("GET", "/f.txt", "Range: bytes=-5000")
assert (status, fields["content-range"], fields["content-length"], body) == (206, "bytes -4000-999/1000", "5000", b"")
assert ask("GET", "/f.txt", "Range: bytes=-10")[2] == b"a" * 10
assert ask("GET", "/f.txt", "Range: bytes=990-5000")[0] == 400
PY
python3 ask.py "$port"
