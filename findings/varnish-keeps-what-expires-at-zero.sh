#!/usr/bin/env bash
# Varnish keeps a page with "Expires: 0" for two minutes, and sends it to all without a question to the server.
#
# Guess:    not kept: a date that is none, and above all "0", is a time in the past (RFC 9111, 5.3).
# Seen:     the second request gets the first one's page, as if there were no Expires; with a real date of 1970 it gets a new one.
# Version:  Varnish 7.1.1 (Debian 12).
# Matters:  `add_header Expires 0` for index.html stands in many confs; a deployment is seen two minutes late, with scripts that are gone.
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
    answers = 0

    def do_GET(self):
        Origin.answers += 1
        page = f"page {Origin.answers}\n".encode()
        self.send_response(200)
        self.send_header("Expires", {"/zero": "0", "/past": "Thu, 01 Jan 1970 00:00:01 GMT"}.get(self.path, "-1"))
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
print(server.server_port, flush=True)
server.serve_forever()
PY
python3 origin.py > origin 2> origin.log & pids=$!
until [ -s origin ]; do sleep 0.1; done
usr/sbin/varnishd -F -n "$work/varnish" -a "$work/socket" -b "127.0.0.1:$(cat origin)" -s malloc,16m -j none > log 2>&1 & pids+=" $!"
ask() { curl -s --unix-socket socket "http://site$1"; }
until [ -S socket ] && ask / > /dev/null; do sleep 0.1; done
usr/sbin/varnishd -V 2>&1 | head -n 1
for path in /past /zero; do
    first=$(ask $path) second=$(ask $path)
    echo "$path: $first, then $second"
    [ "$first" = "$second" ] && echo kept || echo new
done | tee seen
grep -v : seen | diff - <(printf 'new\nkept\n')
