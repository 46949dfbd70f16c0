#!/usr/bin/env bash
# Squid's own error page for a failed precondition says that it has been in a cache since 1970, and warns that it is old.
#
# Guess:    no Age: Squid has written the page this moment.
# Seen:     412 with an Age of as many seconds as the clock has since 1970, and a Warning 113 (a field that RFC 9111 took out).
# Version:  Squid 5.7 (Debian 12).
# Matters:  a monitor that draws Age for a fleet of caches shows one of 56 years as soon as one client sends If-Match.
set -euo pipefail
work=$(mktemp -d)
trap '[ -z "${pids-}" ] || kill $pids 2> /dev/null; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root 'squid=5.7-2*' 'squid-common=5.7-2*' squid-langpack libecap3 libtdb1 libltdl7
for package in ./*.deb; do dpkg -x "$package" .; done
export LD_LIBRARY_PATH=$work/usr/lib/x86_64-linux-gnu
cat > origin.py <<'PY'
import http.server

class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=3600")
        self.send_header("ETag", '"a"')
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(bytes(range(100)))

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
print(server.server_port, flush=True)
server.serve_forever()
PY
python3 origin.py > origin 2> origin.log & pids=$!
until [ -s origin ]; do sleep 0.1; done
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > squid.conf <<CONF
http_port 127.0.0.1:$port accel defaultsite=site
cache_peer 127.0.0.1 parent $(cat origin) 0 no-query originserver
http_access allow all
pid_filename none
cache_log $work/logs/cache
access_log none
coredump_dir $work/logs
mime_table $work/usr/share/squid/mime.conf
error_directory $work/usr/share/squid-langpack/en
icon_directory $work/usr/share/squid/icons
unlinkd_program $work/usr/lib/squid/unlinkd
pinger_enable off
shared_memory_locking off
memory_cache_shared off
shutdown_lifetime 0
CONF
mkdir -m 777 logs
chmod 755 "$work"
usr/sbin/squid -n "finding$port" -N -f squid.conf > log 2>&1 & pids+=" $!"
ask() { curl -s -o /dev/null "$@" "http://127.0.0.1:$port/file"; }
until ask -f; do sleep 0.2; done
usr/sbin/squid -v | head -n 1
curl -s -o /dev/null -D answer -H 'If-Match: "b"' "http://127.0.0.1:$port/file"
grep -i '^HTTP\|^age\|^warning' answer
age=$(sed -n 's/^Age: \([0-9]*\)\r$/\1/p' answer) now=$(date +%s)
grep -q '^HTTP/1.1 412' answer
[ "$((now - age))" -ge 0 ] && [ "$((now - age))" -lt 60 ]
grep -q '^Warning: 113 ' answer
