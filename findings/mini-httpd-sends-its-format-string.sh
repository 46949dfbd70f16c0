#!/usr/bin/env bash
# mini_httpd's error pages and redirects say `Content-Type: text/html; charset=%s`, a format string that nothing filled in.
#
# Guess:    a charset, as its answers for files have (`text/plain; charset=UTF-8`), or none.
# Seen:     `charset=%s`, to the letter, on 404, 501 and the 302 of a directory without its slash.
# Version:  mini_httpd 1.30 (Debian 1.30-3).
# Matters:  a client that looks the charset up by name raises on every error page of such a device.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root mini-httpd=1.30-3
dpkg -x ./*.deb .
mkdir -p www/dir
echo text > www/f.txt
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
usr/sbin/mini_httpd -D -p "$port" -h 127.0.0.1 -d www > log 2>&1 &
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

assert ask("GET", "/f.txt")[1]["content-type"] == "text/plain; charset=UTF-8"
for method, path, status in (("GET", "/missing", 404), ("DELETE", "/f.txt", 501), ("GET", "/dir", 302)):
    seen = ask(method, path)
    assert seen[0] == status and seen[1]["content-type"] == "text/html; charset=%s"
PY
python3 ask.py "$port"
