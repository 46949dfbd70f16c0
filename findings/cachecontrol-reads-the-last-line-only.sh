#!/usr/bin/env bash
# CacheControl, the cache of pip and others, does not keep a response whose max-age stands in the first of two Cache-Control lines.
#
# Guess:    lines of one field are one list (RFC 9110, 5.3): `max-age=60` and `public` on two lines are fresh for a minute, as on one.
# Seen:     only the last line counts: the second request goes to the origin, where the other order keeps it. `MAX-AGE=60` counts for nothing either.
# Versions: CacheControl 0.14.4, requests 2.34.2, Python 3.11.
# Matters:  nginx writes just that for `expires 1m; add_header Cache-Control public;`, the commonest lines of static sites.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check CacheControl==0.14.4 requests==2.34.2
cat > ask.py <<'PY'
import http.server, threading

import cachecontrol, requests

asked = []

class Origin(http.server.BaseHTTPRequestHandler):
    """Answers with the fields that the path says, and counts."""
    fields = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        asked.append(self.headers.get("If-None-Match"))
        self.send_response_only(304 if asked[-1] else 200)
        if "Date" not in dict(Origin.fields):
            self.send_header("Date", self.date_time_string())
        for name, value in Origin.fields:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
threading.Thread(target=origin.serve_forever, daemon=True).start()

def requests_for(*fields):
    """What the origin is asked when a file with these fields is wanted twice: None for a plain request, else its condition."""
    Origin.fields = fields
    asked.clear()
    session = new_session()
    for _ in range(2):
        session.get(f"http://127.0.0.1:{origin.server_port}/app.js")
    print(*fields, "->", asked)
    return list(asked)

def new_session():
    return cachecontrol.CacheControl(requests.Session())

field = "Cache-Control"
assert len(requests_for((field, "max-age=60, public"))) == 1
assert len(requests_for((field, "public"), (field, "max-age=60"))) == 1
assert len(requests_for((field, "max-age=60"), (field, "public"))) == 2
assert len(requests_for((field, "MAX-AGE=60"))) == 2
PY
python/bin/python ask.py
