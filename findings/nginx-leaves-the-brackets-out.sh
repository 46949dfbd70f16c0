#!/usr/bin/env bash
# nginx redirects an HTTP/1.0 client without Host on an IPv6 socket to a URL that is none: the address has no brackets.
#
# Guess:    `Location: http://[::1]:8080/there`, as with a Host field, or a relative one.
# Seen:     `Location: http://::1:PORT/there`.
# Version:  nginx 1.22.1 (Debian 12); 1.28.3 does the same.
# Matters:  health checks of load balancers speak HTTP/1.0 without Host; one that follows redirects can't parse this.
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
    server { listen [::1]:PORT; listen 127.0.0.1:PORT; return 301 /there; }
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

conn = socket.create_connection(("::1", int(sys.argv[1])), 5)
conn.sendall(b"GET / HTTP/1.0\r\n\r\n")
location = next(line for line in conn.recv(4096).decode().split("\r\n") if line.startswith("Location: "))
print(location)
assert location == f"Location: http://::1:{sys.argv[1]}/there"
PY
python3 ask.py "$port"
