#!/usr/bin/env bash
# siege says "availability 100 %" and "failed transactions 0" of a server that answers each request with 404 or 429.
#
# Guess:    they are failed: the line is what a load test is read for.
# Seen:     availability 100, failed 0, and successful 0 as well; only 5xx fails. The sums of the two are no longer the transactions.
# Version:  siege 4.0.7 (Debian 12).
# Matters:  a test against limit_req, with limit_req_status 429, or against a wrong path looks perfect, and faster than the site is.
set -euo pipefail
work=$(mktemp -d)
trap '[ -z "${pids-}" ] || kill $pids 2> /dev/null; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root 'siege=4.0.7*'
dpkg -x ./*.deb .
export HOME=$work
mkdir .siege
cat > origin.py <<'PY'
import http.server

class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
print(server.server_port, flush=True)
server.serve_forever()
PY
python3 origin.py > origin & pids=$!
until [ -s origin ]; do sleep 0.1; done
echo "siege $(dpkg-deb -f siege_*.deb Version)"
for status in 200 404 429 503; do
    usr/bin/siege -R etc/siege/siegerc -q -j -c 1 -r 5 "http://127.0.0.1:$(cat origin)/$status" > "$status.json" 2> /dev/null || true
done
python3 - <<'PY'
import json

for status, expected in ((200, [5, 100, 5, 0]), (404, [5, 100, 0, 0]), (429, [5, 100, 0, 0]), (503, [0, 0, 0, 5])):
    said = json.loads(open(f"{status}.json").read().partition("{")[2].join(["{", ""]))
    seen = [said[name] for name in ("transactions", "availability", "successful_transactions", "failed_transactions")]
    print(status, "transactions, availability, successful, failed:", seen)
    assert seen == expected
PY
