#!/usr/bin/env bash
# A gzip body of two members, which RFC 1952 allows: three ways to read it, and two clients lose the second half in silence.
#
# Guess:    every client decodes both members, as `gzip -dc` does; at worst one of them reports an error.
# Seen:     requests, aiohttp and Node's fetch return both; httpx and wget return the first and report success; curl writes the first and
#           exits 23.
# Versions: requests 2.34.2 (urllib3 2.8.0), httpx 0.28.1, aiohttp 3.14.5, curl 7.88.1, GNU Wget 1.21.3, Node 20.
# Matters:  a server or build tool that joins compressed pieces (pigz -i, bgzip, log rotation) must send exactly one member.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
curl --version | head -n 1
wget --version | head -n 1
echo "Node $(node --version)"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install requests==2.34.2 urllib3==2.8.0 httpx==0.28.1 aiohttp==3.14.5
printf 'first ' | gzip > body
printf 'second' | gzip >> body
[ "$(gzip -dc body)" = "first second" ]
cat > server.py <<'PY'
import socket

body = open("body", "rb").read()
head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    conn, _ = listener.accept()
    request = b""
    while b"\r\n\r\n" not in request:
        request += conn.recv(4096)
    conn.sendall(head + body)
    conn.close()
PY
mkfifo port
python3 server.py > port &
server=$!
read -r port < port
url="http://127.0.0.1:$port/"
cat > clients.py <<'PY'
import asyncio, sys
import aiohttp, httpx, requests

async def get(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.read()

seen = {"requests": requests.get(sys.argv[1]).content, "aiohttp": asyncio.run(get(sys.argv[1])), "httpx": httpx.get(sys.argv[1]).content}
print(seen)
assert seen == {"requests": b"first second", "aiohttp": b"first second", "httpx": b"first "}
PY
venv/bin/python clients.py "$url"
fetched=$(node -e "fetch('$url').then(r => r.text()).then(t => console.log(t))")
echo "Node's fetch: \"$fetched\""
[ "$fetched" = "first second" ]
curl -s --compressed -o curl.out "$url" && status=0 || status=$?
echo "curl: \"$(cat curl.out)\", exit $status"
[ "$(cat curl.out)" = "first " ] && [ "$status" -eq 23 ]
wget -q --compression=auto -O wget.out "$url" && status=0 || status=$?
echo "wget: \"$(cat wget.out)\", exit $status"
[ "$(cat wget.out)" = "first " ] && [ "$status" -eq 0 ]
