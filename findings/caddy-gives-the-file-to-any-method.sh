#!/usr/bin/env bash
# caddy's file-server answers PUT, DELETE and methods that do not exist with 200 and the file.
#
# Guess:    a server of files answers 405 with Allow to PUT and DELETE, and 405 or 501 to BREW.
# Seen:     200 and the whole file, for POST, PUT, DELETE, OPTIONS and BREW alike, without Allow.
# Version:  caddy 2.6.2 (Debian 2.6.2-5), `caddy file-server`.
# Matters:  an upload to the wrong host succeeds, says the client; a check that looks for writable servers by their 200 finds this one.
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

whole = open("www/f.txt", "rb").read()
for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW"):
    status, fields, body = ask(method, "/f.txt")
    assert status == 200 and body == whole and "allow" not in fields, method
PY
python3 ask.py "$port"
