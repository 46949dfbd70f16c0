#!/usr/bin/env bash
# lighttpd answers two small ranges with one, the bytes between them included.
#
# Guess:    `Range: bytes=0-1,5-6` gives multipart/byteranges with two parts, or the whole file.
# Seen:     206 with `Content-Range: bytes 0-6/1000` and the seven bytes, no multipart (RFC 9110 15.3.7.2 lets a server coalesce across a
#           gap). Ranges 500 bytes apart are two parts. HEAD with a Range is a 200, POST of a file is a 200 with the file.
# Version:  lighttpd 1.4.69 (Debian 1.4.69-1).
# Matters:  a client that asked for two ranges and takes the parts in order mistakes the gap for data; it must read Content-Range.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root lighttpd=1.4.69-1
dpkg -x ./*.deb .
mkdir www
seq -w 0 333 | tr -d '\n' | head -c 1000 > www/f.txt
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'server.document-root = "%s/www"\nserver.bind = "127.0.0.1"\nserver.port = %s\nserver.modules = ("mod_staticfile")\n' "$work" "$port" > conf
usr/sbin/lighttpd -D -f conf -m usr/lib/lighttpd > log 2>&1 &
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

status, fields, body = ask("GET", "/f.txt", "Range: bytes=0-1,5-6")
assert (status, fields["content-range"], len(body)) == (206, "bytes 0-6/1000", 7)
status, fields, body = ask("GET", "/f.txt", "Range: bytes=0-1,500-501")
assert status == 206 and fields["content-type"].startswith("multipart/byteranges")
assert ask("HEAD", "/f.txt", "Range: bytes=0-1")[0] == 200
assert len(ask("POST", "/f.txt", "Content-Length: 0")[2]) == 1000
PY
python3 ask.py "$port"
