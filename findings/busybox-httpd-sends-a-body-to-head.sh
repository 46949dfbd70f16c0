#!/usr/bin/env bash
# busybox httpd answers HEAD with the whole file, and a part of a text file as text/html.
#
# Guess:    HEAD has the fields of GET and no body; a 206 has the type of the 200.
# Seen:     1000 bytes follow the head of a HEAD; the 206 and the 304 of a .txt are `text/html`; a gzip variant goes to `gzip;q=0` as well.
# Version:  BusyBox 1.35.0 (Debian 1:1.35.0-4+deb12u1).
# Matters:  it closes each connection, so a client that reads on until the end takes the body for the answer to HEAD.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root 'busybox-static=1:1.35.0-4*'
dpkg -x ./*.deb .
mkdir www
head -c 1000 /dev/zero | tr '\0' a > www/f.txt
gzip -k www/f.txt
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
bin/busybox httpd -f -p "127.0.0.1:$port" -h www > log 2>&1 &
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

status, fields, body = ask("GET", "/f.txt")
assert (status, fields["content-type"], len(body)) == (200, "text/plain", 1000)
assert len(ask("HEAD", "/f.txt")[2]) == 1000
status, fields, body = ask("GET", "/f.txt", "Range: bytes=0-1")
assert (status, fields["content-type"], body) == (206, "text/html", b"aa")
assert ask("GET", "/f.txt", "Accept-Encoding: gzip;q=0")[1]["content-encoding"] == "gzip"
assert "content-encoding" not in ask("GET", "/f.txt", "Accept-Encoding: identity")[1]
PY
python3 ask.py "$port"
