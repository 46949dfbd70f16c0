#!/usr/bin/env bash
# Apache Traffic Server looks at the first of two Vary lines alone, and sends the page that was made for one Origin to another.
#
# Guess:    two lines are a list, as for every field that is one (RFC 9110, 5.3): a page for each Origin.
# Seen:     "Vary: Accept-Encoding" and then "Vary: Origin": the second Origin gets the first one's page. In one line, or the other way
#           round, it gets its own.
# Version:  Traffic Server 9.2 (Debian 12).
# Matters:  nginx sends these two lines for `gzip_vary on; add_header Vary Origin;`: a browser then refuses what CORS allows another site.
set -euo pipefail
work=$(mktemp -d)
trap '[ -z "${pids-}" ] || kill $pids 2> /dev/null; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root 'trafficserver=9.2.*' libpcre3 libhwloc15 libyaml-cpp0.7 libtcl8.6 libunwind8
for package in ./*.deb; do dpkg -x "$package" .; done
export LD_LIBRARY_PATH=$work/usr/lib/x86_64-linux-gnu:$work/usr/lib/trafficserver:$work/lib/x86_64-linux-gnu
cat > origin.py <<'PY'
import http.server

VARY = {"/gzip-first": ["Accept-Encoding", "Origin"], "/origin-first": ["Origin", "Accept-Encoding"], "/one-line": ["Accept-Encoding, Origin"]}

class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        page = f"for {self.headers['Origin']}\n".encode()
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=60")
        for line in VARY.get(self.path, []):
            self.send_header("Vary", line)
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
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p site/log site/run site/cache
cp -r etc/trafficserver site/config
cat > site/runroot.yaml <<CONF
prefix: $work/site
exec_prefix: $work/site
bindir: $work/usr/bin
sbindir: $work/usr/sbin
sysconfdir: $work/site/config
datadir: $work/site/cache
includedir: $work/site
libdir: $work/usr/lib/trafficserver
libexecdir: $work/usr/lib/trafficserver/modules
localstatedir: $work/site/run
runtimedir: $work/site/run
logdir: $work/site/log
mandir: $work/site
infodir: $work/site
cachedir: $work/site/cache
CONF
cat > site/config/records.config <<CONF
CONFIG proxy.config.http.server_ports STRING $port:ip-in=127.0.0.1
CONFIG proxy.config.body_factory.template_sets_dir STRING $work/site/config/body_factory
CONFIG proxy.config.admin.user_id STRING nobody
CONFIG proxy.config.cache.ram_cache.size INT 16M
CONF
echo "map / http://127.0.0.1:$(cat origin)/" > site/config/remap.config
echo "$work/site/cache 32M" > site/config/storage.config
chmod -R a+rwX "$work"
usr/bin/traffic_server --run-root="$work/site/runroot.yaml" > log 2>&1 & pids+=" $!"
ask() { curl -s -H "Origin: $2" "http://127.0.0.1:$port$1"; }
until ask /ready none | grep -q none; do sleep 0.2; done
usr/bin/traffic_server --run-root="$work/site/runroot.yaml" --version 2>&1 | grep -o 'Traffic Server [0-9.]*' | head -n 1
for path in /one-line /origin-first /gzip-first; do
    echo "$path: $(ask $path a.test), $(ask $path b.test)"
done | tee seen
diff seen - <<'SEEN'
/one-line: for a.test, for b.test
/origin-first: for a.test, for b.test
/gzip-first: for a.test, for a.test
SEEN
