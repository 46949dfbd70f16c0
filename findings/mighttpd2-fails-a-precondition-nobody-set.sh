#!/usr/bin/env bash
# mighttpd2 answers a host that it does not know with 412 Precondition Failed.
#
# Guess:    the first or only site answers, or it is a 404, or a 421.
# Seen:     412, for a request without a condition. What it knows are the names in its route file, and the port does not count.
# Version:  mighttpd2 4.0.2 (Debian 4.0.2-1).
# Matters:  412 tells a client that its copy of a file is stale: one that writes or resumes starts again, and meets the 412 again.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root mighttpd2=4.0.2-1
for package in ./*.deb; do dpkg -x "$package" .; done
mkdir www
seq -w 0 333 | tr -d '\n' | head -c 1000 > www/f.txt
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf '%s: %s\n' Port "$port" Host 127.0.0.1 Debug_Mode Yes User "$(id -un)" Group "$(id -gn)" Index_File index.html Connection_Timeout 30 \
    Server_Name localhost Pid_File none Logging No Status_File_Dir "$work/www" Temp_Dir "$work" > mighty.conf
printf '[localhost]\n/ -> %s/www/\n' "$work" > mighty.route
usr/bin/mighty mighty.conf mighty.route > log 2>&1 &
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

assert ask("GET", "/f.txt")[0] == 200
assert ask("GET", "/f.txt", host=f"localhost:{sys.argv[1]}")[0] == 200
for host in ("127.0.0.1", "www.localhost"):
    assert ask("GET", "/f.txt", host=host)[0] == 412
PY
python3 ask.py "$port"
