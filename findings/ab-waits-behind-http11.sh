#!/usr/bin/env bash
# `ab -k` waits for ever behind an HTTP/1.1 response that keeps the connection open without saying `Connection: keep-alive`.
#
# Guess:    HTTP/1.1 is persistent by default: ab goes on with the next request, as every client does.
# Seen:     ab takes the body to end with the connection and gives up after its timeout, although Content-Length is there; with the field
#           it is done at once.
# Version:  ApacheBench 2.3 (Debian's apache2-utils 2.4).
# Matters:  ab speaks HTTP/1.0; a server must answer its `Connection: Keep-Alive` in kind, or it looks dead in the first test it gets.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > server.py <<'PY'
import collections, socket, sys, threading

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
ANSWERS = {"plain": (LENGTH + b"\r\nok", False), "keep-alive": (LENGTH + b"Connection: keep-alive\r\n\r\nok", False)}
ANSWER, CLOSES = ANSWERS[sys.argv[1]]
counts = collections.Counter()

def serve(conn):
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            piece = conn.recv(65536)
            if not piece:
                return conn.close()
            data += piece
        data = data.partition(b"\r\n\r\n")[2]
        counts["requests"] += 1
        conn.sendall(ANSWER)
        if CLOSES:
            return conn.close()

def accept(listener):
    while True:
        conn, _ = listener.accept()
        counts["connections"] += 1
        threading.Thread(target=serve, args=(conn,), daemon=True).start()

listener = socket.create_server(("127.0.0.1", 0), backlog=128)
print(listener.getsockname()[1], flush=True)
threading.Thread(target=accept, args=(listener,), daemon=True).start()
sys.stdin.readline()  # until the client is done
print(counts["connections"], counts["requests"])
PY
# Starts a server that answers as $1 says; sets url.
begin() {
    coproc SERVER { exec python3 -u server.py "$1"; }
    pid=$SERVER_PID
    read -r port <&"${SERVER[0]}"
    url="http://127.0.0.1:$port/"
}
# Ends it; sets connections and requests.
end() {
    echo >&"${SERVER[1]}"
    read -r connections requests <&"${SERVER[0]}"
    wait "$pid" || true
}
ab -V | head -n 1
for answer in keep-alive plain; do
    begin "$answer"
    ab -q -k -n 20 -c 1 -s 2 "$url" > out 2>&1 && status=0 || status=$?
    end
    echo "$answer: exit $status, $requests requests; $(grep -oE 'timeout specified has expired|Keep-Alive requests: +[0-9]+' out)"
    case $answer in
        keep-alive) [ "$status" -eq 0 ] && [ "$requests" -eq 20 ] ;;
        *) [ "$status" -ne 0 ] && [ "$requests" -eq 1 ] && grep -q 'timeout specified has expired' out ;;
    esac
done
