#!/usr/bin/env bash
# nginx: with `add_header ETag '"v1"'` a GET with `If-Match: "v1"`, the tag that it sends, is 412; with If-Range the same tag is right.
#
# Guess:    all conditions compare with the ETag that goes out, or all with the file's own.
# Seen:     If-Match and If-None-Match compare with the file's own tag, which no client has seen (412 and 200); If-Range compares with the
#           added one (206). The answer has the added tag alone.
# Version:  nginx 1.22.1 (Debian 12); the order of its filters is the same in 1.28.
# Matters:  a site that sets its own tags gets no 304 any more, and a client that checks before it goes on is refused for ever.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root nginx
dpkg -x ./*.deb .
mkdir www tmp
echo hello > www/f.txt
cat > conf.in <<'CONF'
daemon off;
master_process off;
pid WORK/pid;
events { }
http {
    access_log off;
    client_body_temp_path WORK/tmp; proxy_temp_path WORK/tmp; fastcgi_temp_path WORK/tmp; uwsgi_temp_path WORK/tmp; scgi_temp_path WORK/tmp;
    server { listen 127.0.0.1:PORT; root www; location / { add_header ETag '"v1"'; } }
}
CONF
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -i "s|WORK|$work|g; s|PORT|$port|g" conf.in
usr/sbin/nginx -e "$work/error.log" -p "$work" -c "$work/conf.in" > log 2>&1 &
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

status, fields, _ = ask("GET", "/f.txt")
assert status == 200 and fields["etag"] == '"v1"'
assert ask("GET", "/f.txt", 'If-Match: "v1"')[0] == 412
assert ask("GET", "/f.txt", 'If-None-Match: "v1"')[0] == 200
assert ask("GET", "/f.txt", 'If-Range: "v1"', "Range: bytes=0-1")[0] == 206
assert ask("GET", "/f.txt", 'If-Range: "v2"', "Range: bytes=0-1")[0] == 200
PY
python3 ask.py "$port"
