#!/usr/bin/env bash
# aria2c makes one file of two versions when a file changes while its pieces are fetched, and exits with 0.
#
# Guess:    a downloader that fetches one file by several ranges compares ETag, Last-Modified or the total, or sends If-Range, and fails.
# Seen:     no condition is sent and no validator compared: the first piece is of the old version, the second of the new, exit code 0. So does -c with
#           a file that another version was begun with. A total that the server does not know (`bytes 5-9/*`) ends it with exit code 8 instead.
# Version:  aria2 1.36.0 (Debian 1.36.0-1).
# Matters:  a deploy that replaces files in place gives such clients archives that never existed; a new name for each version helps.
set -euo pipefail
work=$(mktemp -d)
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root aria2=1.36.0-1 libaria2-0=1.36.0-1 libc-ares2
for package in ./*.deb; do dpkg -x "$package" .; done
cat > changing.py <<'PY'
import http.server, sys, threading

LENGTH = 2_000_000

class Changing(http.server.BaseHTTPRequestHandler):
    """Serves version a, until its first response has begun: then version b, with another ETag and date."""
    protocol_version = "HTTP/1.1"
    begun = False
    second = threading.Event()

    def log_message(self, *_):
        pass

    def do_GET(self):
        version = "b" if Changing.begun else "a"
        Changing.begun = True
        wanted = self.headers.get("Range")
        print(wanted, self.headers.get("If-Range"), self.headers.get("If-Match"), flush=True)
        first, last = wanted.removeprefix("bytes=").split("-") if wanted else ("0", "")
        first, last = int(first), int(last or LENGTH - 1)
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", f'"{version}"')
        self.send_header("Last-Modified", f"Fri, 0{1 + (version == 'b')} May 2026 00:00:00 GMT")
        self.send_header("Accept-Ranges", "bytes")
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{sys.argv[2].replace('N', str(LENGTH))}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        try:
            body = version.encode() * (last - first + 1)
            if wanted:
                Changing.second.set()
            else:
                # The second piece is asked for while the first is under way.
                self.wfile.write(body[:500_000])
                Changing.second.wait(10)
                body = body[500_000:]
            self.wfile.write(body)
        except OSError:
            pass  # The client takes its first piece only.

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Changing).serve_forever()
PY
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
serve() {
    [ -z "$server" ] || { kill "$server"; wait "$server" || true; }
    python3 changing.py "$port" "$1" > asked &
    server=$!
    for _ in $(seq 100); do
        (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
        sleep 0.1
    done
}
fetch() {
    LD_LIBRARY_PATH=$(echo "$work"/usr/lib/*-linux-gnu) usr/bin/aria2c --no-conf --quiet "$@" -o file "http://127.0.0.1:$port/file"
}

serve N
fetch -x2 -s2 -k1M
cat asked
python3 -c 'd = open("file", "rb").read(); print(d.count(b"a"), "bytes of a,", d.count(b"b"), "of b"); assert len(d) == 2_000_000 and b"a" in d and b"b" in d'
! grep -v 'None None$' asked

serve '*'
head -c 500000 /dev/zero > file
code=0
fetch -c || code=$?
echo "unknown total: exit code $code"
[ "$code" = 8 ]
