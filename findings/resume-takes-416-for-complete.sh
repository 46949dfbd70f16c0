#!/usr/bin/env bash
# `curl -C -` and `wget -c` take 416 for "already complete", although Content-Range says that the file is another one.
#
# Guess:    a local file of 2000 bytes, a remote one of 1000 (replaced by a shorter build): an error, or a new download.
# Seen:     the server answers 416 with `Content-Range: bytes */1000`; both keep the 2000 local bytes and exit 0.
# Versions: curl 7.88.1, GNU Wget 1.21.3 (Debian 12).
# Matters:  a mirror's stale file looks like a finished download; the size in Content-Range, which a server sends for this, is not read.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
curl --version | head -n 1
wget --version | head -n 1
cat > server.py <<'PY'
import http.server

BODY = b"n" * 1000

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        first = int(self.headers.get("Range", "bytes=0-")[len("bytes="):].split("-")[0])
        if first >= len(BODY):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(BODY)}")
            body = b""
        else:
            self.send_response(206 if first else 200)
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(BODY) - 1}/{len(BODY)}")
            body = BODY[first:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PY
mkfifo port
python3 server.py > port &
server=$!
read -r port < port
for client in curl wget; do
    head -c 2000 /dev/zero | tr '\0' o > file
    case $client in
        curl) curl -sS -C - -o file "http://127.0.0.1:$port/file" && status=0 || status=$? ;;
        wget) wget -q -c -O file "http://127.0.0.1:$port/file" && status=0 || status=$? ;;
    esac
    echo "$client: exit $status, $(wc -c < file) bytes, $(tr -d '\n' < file | head -c 1) from before"
    [ "$status" -eq 0 ] && [ "$(wc -c < file)" -eq 2000 ]
done
