#!/usr/bin/env bash
# `Keep-Alive: timeout=2` makes Node's fetch open a connection for every request; `timeout=1` does so for http.get as well.
#
# Guess:    three requests 50 ms apart use one connection: it is good for 2 seconds.
# Seen:     undici takes two seconds off the hint and does not keep what is left with nothing; http.get of Node 20 needs more than one.
#           From 3 on (fetch) and 2 on (http.get) all three share a connection.
# Versions: undici 7.30.2, and the undici 6 and http.Agent of Node 20.
# Matters:  a short `keepalive_timeout` with its header costs such clients a handshake a request; without the header they would reuse.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > server.py <<'PY'
import collections, socket, sys, threading

ANSWERS = {str(n): (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=%d\r\n\r\nok" % n, False) for n in range(1, 6)}
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
npm install --silent --no-audit --no-fund --prefix . undici@7.30.2
cat > fetch.mjs <<'JS'
import { setTimeout as pause } from "node:timers/promises";
const { fetch } = process.argv[3] === "undici" ? await import("undici") : globalThis;
for (let i = 0; i < 3; i++) {
    await (await fetch(process.argv[2])).text();
    await pause(50);
}
process.exit(0);
JS
cat > get.mjs <<'JS'
import http from "node:http";
import { setTimeout as pause } from "node:timers/promises";
for (let i = 0; i < 3; i++) {
    await new Promise((done) => http.get(process.argv[2], (response) => response.resume().on("end", done)));
    await pause(50);
}
process.exit(0);
JS
echo "Node $(node --version), its undici $(node -p process.versions.undici)"
for hint in 1 2 3 5; do
    seen=""
    for client in "fetch.mjs" "fetch.mjs undici" "get.mjs"; do
        begin "$hint"
        read -ra words <<< "$client"
        node "${words[0]}" "$url" "${words[@]:1}"
        end
        [ "$requests" -eq 3 ]
        seen+=" $connections"
    done
    echo "timeout=$hint: connections of fetch, undici's fetch, http.get for three requests:$seen"
    case $hint in
        1) [ "$seen" = " 3 3 3" ] ;;
        2) [ "$seen" = " 3 3 1" ] ;;
        *) [ "$seen" = " 1 1 1" ] ;;
    esac
done
