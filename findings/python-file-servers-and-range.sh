#!/usr/bin/env bash
# Four Python file servers and the Range field: two answer two ranges with 416, two a long suffix, three an unknown unit with an error.
#
# Guess:    RFC 9110 14.2: an unknown unit is ignored (200); two ranges are multipart or ignored (200); `bytes=-5000` of 1000 bytes is the
#           whole file (206 or 200); If-Range with another tag is 200. None of these is an error.
# Seen:     of aiohttp, Flask, Starlette and Tornado no two agree (the table below), and Tornado and aiohttp take no notice of an If-Range tag.
#           Flask sends the whole file as the body of a 412.
# Versions: aiohttp 3.14.5, Flask 3.1.3 (Werkzeug 3.1.9), Starlette 1.0.0 on uvicorn 0.54.0, Tornado 6.6.1.
# Matters:  a PDF viewer that asks for two ranges, or a player for the last 64 KiB, fails on small files only.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install aiohttp==3.14.5 flask==3.1.3 werkzeug==3.1.9 waitress==3.0.2 starlette==1.0.0 uvicorn==0.54.0 tornado==6.6.1
mkdir www
head -c 1000 /dev/zero | tr '\0' a > www/f.txt
cat > server.py <<'PY'
import asyncio, sys

framework, port = sys.argv[1], int(sys.argv[2])
if framework == "aiohttp":
    from aiohttp import web
    app = web.Application()
    app.router.add_static("/", "www")
    web.run_app(app, host="127.0.0.1", port=port, print=None)
elif framework == "flask":
    import os, flask, waitress
    waitress.serve(flask.Flask("site", static_folder=os.path.abspath("www"), static_url_path=""), host="127.0.0.1", port=port)
elif framework == "starlette":
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles
    uvicorn.run(Starlette(routes=[Mount("/", StaticFiles(directory="www"))]), host="127.0.0.1", port=port, log_level="error")
else:
    import tornado.web
    async def main():
        tornado.web.Application([(r"/(.*)", tornado.web.StaticFileHandler, {"path": "www"})]).listen(port, "127.0.0.1")
        await asyncio.Event().wait()
    asyncio.run(main())
PY
cat > ask.py <<'PY'
import http.client, sys

def status(fields):
    conn = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
    conn.request("GET", "/f.txt", headers=fields)
    response = conn.getresponse()
    return response.status, len(response.read())

cases = [{"Range": "bytes=0-1,5-6"}, {"Range": "bytes=-5000"}, {"Range": "lines=0-1"}, {"Range": "bytes=0-1", "If-Range": '"other"'}, {"If-Match": '"other"'}]
seen = [status(fields) for fields in cases]
print(*(code for code, _ in seen), "whole-412" if seen[4] == (412, 1000) else "-")
PY
echo "framework: two ranges, long suffix, unknown unit, If-Range other, If-Match other"
expect() {
    local port seen
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    venv/bin/python server.py "$1" "$port" > log 2>&1 &
    server=$!
    for _ in $(seq 200); do
        (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
        sleep 0.1
    done
    seen=$(python3 ask.py "$port")
    echo "$1: $seen"
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=""
    [ "$seen" = "$2" ]
}
expect aiohttp "416 206 416 206 412 -"
expect flask "416 416 416 200 412 whole-412"
expect starlette "206 416 400 200 200 -"
expect tornado "200 200 200 206 200 -"
