#!/usr/bin/env bash
# nginx takes a host name with an underscore in Host and refuses it in an absolute target; nonsense between brackets passes as Host.
#
# Guess:    one rule for a host, wherever it stands: `a_b` is accepted or refused in both, `[zz::1]` and `a:99999999` are 400 in both.
# Seen:     `Host: a_b` 200, `GET http://a_b/f.txt` 400; `Host: [zz::1]`, `Host: a:99999999` and `Host: a%zz` 200.
# Version:  nginx 1.22.1 (Debian 12); 1.28.3 does the same.
# Matters:  a proxy that sends absolute targets finds internal names refused that browsers reach; $host may hold what is no host.
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
    server { listen 127.0.0.1:PORT; root www; }
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

import socket

def status(target, host):
    conn = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
    conn.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    code = int(conn.recv(4096).split()[1])
    print("GET", target, "Host:", host, "->", code)
    return code

assert status("/f.txt", "a_b") == 200
assert status("http://a_b/f.txt", "a") == 400
assert status("http://a-b/f.txt", "a") == 200
for host in ("[zz::1]", "a:99999999", "a%zz"):
    assert status("/f.txt", host) == 200
PY
python3 ask.py "$port"
