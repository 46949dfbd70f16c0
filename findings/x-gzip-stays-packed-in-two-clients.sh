#!/usr/bin/env bash
# httpx and aiohttp hand out the compressed bytes as the content when the coding is called x-gzip.
#
# Guess:    all clients that decode gzip decode x-gzip, too: RFC 9110 8.4.1.3 says that it means the same, and Apache's stock conf
#           (`AddEncoding x-gzip .gz .tgz`) sends it.
# Seen:     curl, wget2, requests and Node's fetch decode both names. httpx and aiohttp decode gzip, and return 29 packed bytes for x-gzip with no
#           error; a text comes out as mojibake.
# Versions: httpx 0.28.1, aiohttp 3.14.5, requests 2.34.2 with urllib3 2.8.0, Node 20 (fetch), curl 7.88.1, wget2 1.99.1 (Debian 12).
# Matters:  a site that moves from Apache keeps its header rules: under this name two clients of the field read garbage.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
command -v wget2 >/dev/null || { apt-get update -q && apt-get install -yq wget2; } >apt.log 2>&1
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check httpx==0.28.1 aiohttp==3.14.5 requests==2.34.2 urllib3==2.8.0
cat > ask.py <<'PY'
import asyncio
import gzip
import http.server
import subprocess
import threading

import aiohttp
import httpx
import requests

PACKED = gzip.compress(bytes(1000))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Encoding", self.path[1:])
        self.send_header("Content-Length", str(len(PACKED)))
        self.end_headers()
        self.wfile.write(PACKED)


async def by_aiohttp(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.read()


def by_command(*command):
    return subprocess.run(command, capture_output=True, check=True).stdout


FETCH = "fetch(process.argv[1]).then(r => r.arrayBuffer()).then(b => process.stdout.write(Buffer.from(b)))"
clients = {
    "curl": lambda url: by_command("curl", "-s", "--compressed", url),
    "wget2": lambda url: by_command("wget2", "-q", "-O-", url),
    "fetch": lambda url: by_command("node", "-e", FETCH, url),
    "requests": lambda url: requests.get(url).content,
    "httpx": lambda url: httpx.get(url).content,
    "aiohttp": lambda url: asyncio.run(by_aiohttp(url)),
}
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for name, get in clients.items():
    seen = [len(get(f"http://127.0.0.1:{server.server_port}/{coding}")) for coding in ("gzip", "x-gzip")]
    print(f"{name}: gzip {seen[0]} bytes, x-gzip {seen[1]}")
    assert seen == [1000, len(PACKED) if name in ("httpx", "aiohttp") else 1000]
PY
python/bin/python ask.py
