#!/usr/bin/env bash
# Two Cache-Control lines with different max-age are obeyed in three ways: Varnish takes the first, Apache the last, HAProxy keeps nothing if either is 0.
#
# Guess:    all take the first, or call the page stale, as RFC 9111, 4.2.1 says.
# Seen:     after "max-age=60" and then "max-age=0" Varnish keeps the page and Apache does not; the other way round Apache does and Varnish does not.
# Version:  Varnish 7.1.1, Apache 2.4 (mod_cache), HAProxy 2.6.12 (Debian 12).
# Matters:  nginx sends both lines for `expires 1m; add_header Cache-Control max-age=0;`, in this order: each cache on the way has its own answer.
set -euo pipefail
work=$(mktemp -d)
trap '[ -z "${pids-}" ] || kill $pids 2> /dev/null; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root 'varnish=7.1.1-2*' 'libvarnishapi3=7.1.1-2*' 'apache2-bin=2.4.*' 'haproxy=2.6.12-1*' \
    libapr1 libaprutil1 liblua5.3-0 libjemalloc2 libedit2 libbsd0 libbrotli1 libopentracing-c-wrapper0 libopentracing1 libpcre2-posix3
for package in ./*.deb; do dpkg -x "$package" .; done
libraries=$work/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$libraries:$libraries/varnish
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
cat > origin.py <<'PY'
import http.server

class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers = 0

    def do_GET(self):
        Origin.answers += 1
        page = f"page {Origin.answers}\n".encode()
        self.send_response(200)
        for age in self.path.strip("/").split("-"):
            self.send_header("Cache-Control", f"max-age={age}")
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
origin=127.0.0.1:$(cat origin) varnish=$(free) apache=$(free) haproxy=$(free)

usr/sbin/varnishd -F -n "$work/varnish" -a "127.0.0.1:$varnish" -b "$origin" -s malloc,16m -j none > varnish.log 2>&1 & pids+=" $!"
mkdir kept
{
    for module in mpm_event authz_core proxy proxy_http cache cache_disk; do
        echo "LoadModule ${module}_module $work/usr/lib/apache2/modules/mod_$module.so"
    done
    printf '%s\n' "ServerRoot $work" "PidFile $work/apache.pid" "ErrorLog $work/apache.log" "Listen 127.0.0.1:$apache" "ServerName site" \
        "CacheRoot $work/kept" "CacheEnable disk /" "ProxyPass / http://$origin/"
} > apache.conf
usr/sbin/apache2 -f "$work/apache.conf" -DFOREGROUND & pids+=" $!"
cat > haproxy.conf <<CONF
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
cache kept
  total-max-size 16
listen site
  bind 127.0.0.1:$haproxy
  http-request cache-use kept
  http-response cache-store kept
  server origin $origin
CONF
usr/sbin/haproxy -db -f haproxy.conf > haproxy.log 2>&1 & pids+=" $!"
for name in varnish apache haproxy; do
    until curl -s -f -o /dev/null "http://127.0.0.1:${!name}/0"; do sleep 0.1; done
    for ages in 60 60-0 0-60; do
        first=$(curl -s "http://127.0.0.1:${!name}/$ages") second=$(curl -s "http://127.0.0.1:${!name}/$ages")
        echo "$name, $ages: $([ "$first" = "$second" ] && echo kept || echo new)"
    done
done | tee seen
diff seen - <<'SEEN'
varnish, 60: kept
varnish, 60-0: kept
varnish, 0-60: new
apache, 60: kept
apache, 60-0: new
apache, 0-60: kept
haproxy, 60: kept
haproxy, 60-0: new
haproxy, 0-60: new
SEEN
