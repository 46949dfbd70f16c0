#!/usr/bin/env bash
# Varnish answers a request for two ranges, both within the file, and one with a unit that it does not know, with 416 "not satisfiable".
#
# Guess:    the whole file with 200: a cache may ignore Range, and has to where it does not know the unit (RFC 9110, 14.2).
# Seen:     416 with "Content-Range: bytes */100" and no body for "bytes=0-9, 20-29" and for "lines=0-9"; "bytes=0-9" alone is 206.
# Version:  Varnish 7.1.1 (Debian 12).
# Matters:  PDF readers and zsync ask for many ranges at once. Before a server that answers them well they fail as soon as Varnish stands between.
set -euo pipefail
work=$(mktemp -d)
trap '[ -z "${pids-}" ] || kill $pids 2> /dev/null; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root 'varnish=7.1.1-2*' 'libvarnishapi3=7.1.1-2*' libjemalloc2 libedit2 libbsd0
for package in ./*.deb; do dpkg -x "$package" .; done
libraries=$work/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$libraries:$libraries/varnish
cat > origin.py <<'PY'
import http.server

class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=60")
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
usr/sbin/varnishd -F -n "$work/varnish" -a "$work/socket" -b "127.0.0.1:$(cat origin)" -s malloc,16m -j none > log 2>&1 & pids+=" $!"
until [ -S socket ] && curl -s -o /dev/null --unix-socket socket http://site/; do sleep 0.1; done
usr/sbin/varnishd -V 2>&1 | head -n 1
for range in "bytes=0-9" "bytes=0-9, 20-29" "lines=0-9"; do
    curl -s -o /dev/null -w "$range: %{http_code} %header{content-range}\n" -H "Range: $range" --unix-socket socket http://site/ | tee -a answers
done
diff answers - <<'SEEN'
bytes=0-9: 206 bytes 0-9/100
bytes=0-9, 20-29: 416 bytes */100
lines=0-9: 416 bytes */100
SEEN
