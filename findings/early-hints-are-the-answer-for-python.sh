#!/usr/bin/env bash
# Python's http.client, and urllib and requests above it, take 102 or 103 for the final answer; httpx, aiohttp, curl and wget go on to the 200.
#
# Guess:    an interim response is skipped, as 100 is (RFC 9110 15.2: a client MUST be able to parse them before the final one).
# Seen:     http.client and requests return status 103 with an empty body, urllib raises HTTPError 103; only 100 is skipped.
# Versions: CPython 3.11, requests 2.34.2 (urllib3 2.8.0), httpx 0.28.1, aiohttp 3.14.5.
# Matters:  Early Hints must not be sent to everybody; a server would break such clients without an error on either side.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install requests==2.34.2 urllib3==2.8.0 httpx==0.28.1 aiohttp==3.14.5
cat > server.py <<'PY'
import socket

FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
INTERIM = {b"/100": b"HTTP/1.1 100 Continue\r\n\r\n", b"/102": b"HTTP/1.1 102 Processing\r\n\r\n",
           b"/103": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\n\r\n"}
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    conn, _ = listener.accept()
    head = b""
    while b"\r\n\r\n" not in head:
        head += conn.recv(4096)
    conn.sendall(INTERIM[head.split()[1]] + FINAL)
    conn.close()
PY
mkfifo port
python3 server.py > port &
server=$!
read -r port < port
cat > clients.py <<'PY'
import asyncio, http.client, platform, sys, urllib.error, urllib.request
import aiohttp, httpx, requests

PORT = int(sys.argv[1])

def by_http_client(path):
    conn = http.client.HTTPConnection("127.0.0.1", PORT)
    conn.request("GET", path)
    response = conn.getresponse()
    return response.status, response.read()

def by_urllib(path):
    try:
        response = urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}")
    except urllib.error.HTTPError as error:
        return error.code, "raised"
    return response.status, response.read()

def by_requests(path):
    response = requests.get(f"http://127.0.0.1:{PORT}{path}")
    return response.status_code, response.content

def by_httpx(path):
    response = httpx.get(f"http://127.0.0.1:{PORT}{path}")
    return response.status_code, response.content

async def get(path):
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{PORT}{path}") as response:
        return response.status, await response.read()

def by_aiohttp(path):
    return asyncio.run(get(path))

print("CPython", platform.python_version())
final = (200, b"hello")
for path, code in (("/100", 100), ("/102", 102), ("/103", 103)):
    for client in (by_http_client, by_urllib, by_requests, by_httpx, by_aiohttp):
        seen = client(path)
        print(path, client.__name__, seen)
        stops = code != 100 and client in (by_http_client, by_urllib, by_requests)
        assert seen == ((code, "raised" if client is by_urllib else b"") if stops else final)
PY
venv/bin/python clients.py "$port"
[ "$(curl -s "http://127.0.0.1:$port/103")" = hello ]
echo "curl: $(curl -s "http://127.0.0.1:$port/103")"
