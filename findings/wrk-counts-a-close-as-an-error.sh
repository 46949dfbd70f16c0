#!/usr/bin/env bash
# wrk calls the end of a connection that was not announced a read error, and needs two connections for a body that ends with it.
#
# Guess:    a whole response (Content-Length, HTTP/1.1) followed by a FIN is a success; so is an HTTP/1.0 body that the close ends.
# Seen:     the first is counted as a request and as a read error, each time; of the second the server sees two connections for each
#           request that wrk counts. Only with `Connection: close` does a close count as nothing.
# Version:  wrk 4.1.0.
# Matters:  "Socket errors: read N" says nothing about lost responses; the rate of a server without Content-Length is halved.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > server.py <<'PY'
import collections, socket, sys, threading

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
ANSWERS = {"announced": (LENGTH + b"Connection: close\r\n\r\nok", True), "silent": (LENGTH + b"\r\nok", True),
           "until close": (b"HTTP/1.0 200 OK\r\n\r\nok", True)}
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
{ wrk -v || true; } 2>&1 | head -n 1
for answer in announced silent "until close"; do
    begin "$answer"
    wrk -t1 -c2 -d1 "$url" > out
    end
    counted=$(awk '/requests in/ { print $1 }' out)
    errors=$(awk '/Socket errors/ { sub(",", "", $6); print $6 }' out)
    errors=${errors:-0}
    echo "$answer: wrk counts $counted requests, $errors read errors; the server saw $connections connections"
    # The two connections may be in the middle of something at the end.
    case $answer in
        announced) [ "$errors" -eq 0 ] ;;
        silent) [ $((counted - errors)) -le 2 ] && [ $((connections - counted)) -le 6 ] ;;
        *) [ $((counted - errors)) -le 2 ] && [ "$connections" -ge $((2 * counted - 4)) ] ;;
    esac
done
