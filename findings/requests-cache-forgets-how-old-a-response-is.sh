#!/usr/bin/env bash
# requests-cache with cache_control=True takes every response for new: neither Age nor Date makes it older.
#
# Guess:    a response with max-age=60 that a shared cache has held for 61 s (`Age: 61`) is stale, and asked for again with its ETag.
# Seen:     it is kept for another minute, also when Date is an hour old. `max-age=60, must-revalidate` is asked for again at once, as if must-revalidate
#           meant no-cache. Without any field about caching a response is kept for good.
# Versions: requests-cache 1.3.3, requests 2.34.2, Python 3.11.
# Matters:  behind a CDN a client is up to twice as late as the origin allows; and must-revalidate, which changes nothing for a fresh file, costs a request.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check requests-cache==1.3.3 requests==2.34.2
cat > ask.py <<'PY'
import email.utils, http.server, threading, time

import requests_cache

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
    return requests_cache.CachedSession(backend="memory", cache_control=True)

def ago(seconds):
    return email.utils.formatdate(time.time() - seconds, usegmt=True)

minute, tag = ("Cache-Control", "max-age=60"), ("ETag", '"a"')
assert requests_for(minute, tag) == [None]
assert requests_for(("Cache-Control", "max-age=0"), tag) == [None, '"a"']
assert requests_for(minute, tag, ("Age", "61"), ("Date", ago(61))) == [None]
assert requests_for(minute, tag, ("Date", ago(3600))) == [None]
assert requests_for(("Cache-Control", "max-age=60, must-revalidate"), tag) == [None, '"a"']
assert requests_for(tag) == [None]
PY
python/bin/python ask.py
