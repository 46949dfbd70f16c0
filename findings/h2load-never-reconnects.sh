#!/usr/bin/env bash
# h2load does not open a new HTTP/2 connection when the server says GOAWAY: the rest of its requests fail, and it exits 0.
#
# Guess:    after `keepalive_requests` (nginx's default: 1000) it connects again, as it does with --h1 and as ab and wrk do.
# Seen:     keepalive_requests 50, 200 requests on one connection: 50 succeed, 150 are "errored", exit 0. With --h1: 200 succeed.
# Versions: h2load of nghttp2 1.52.0, nginx 1.22.1 (Debian 12).
# Matters:  a benchmark of HTTP/2 measures the failure unless keepalive_requests is raised, and a script that looks at the exit code sees none.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root 'nghttp2-client=1.52.0-1*' nginx libnghttp2-14 libev4 libjemalloc2
for package in ./*.deb; do dpkg -x "$package" .; done
export LD_LIBRARY_PATH="$work/usr/lib/x86_64-linux-gnu"
read -r h2 h1 < <(python3 -c '
import socket
a, b = socket.socket(), socket.socket()
a.bind(("127.0.0.1", 0)), b.bind(("127.0.0.1", 0))
print(a.getsockname()[1], b.getsockname()[1])')
mkdir tmp
cat > conf <<CONF
daemon off;
master_process off;
pid $work/pid;
events { }
http {
    access_log off;
    keepalive_requests 50;
    client_body_temp_path $work/tmp; proxy_temp_path $work/tmp; fastcgi_temp_path $work/tmp; uwsgi_temp_path $work/tmp; scgi_temp_path $work/tmp;
    server { listen 127.0.0.1:$h2 http2; return 200 ok; }
    server { listen 127.0.0.1:$h1; return 200 ok; }
}
CONF
usr/sbin/nginx -v
usr/bin/h2load --version
usr/sbin/nginx -e "$work/log" -c "$work/conf" &
server=$!
for _ in $(seq 100); do
    (: < "/dev/tcp/127.0.0.1/$h1") 2>/dev/null && break
    sleep 0.1
done
usr/bin/h2load -n 200 -c 1 "http://127.0.0.1:$h2/" > two && status=0 || status=$?
grep '^requests:' two
echo "exit $status"
grep -q '50 succeeded, 150 failed' two && [ "$status" -eq 0 ]
usr/bin/h2load --h1 -n 200 -c 1 "http://127.0.0.1:$h1/" > one
grep '^requests:' one
grep -q '200 succeeded, 0 failed' one
