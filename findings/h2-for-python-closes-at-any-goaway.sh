#!/usr/bin/env bash
# Python's h2 takes a connection for closed at any GOAWAY, also the polite one: httpx fails the download on its way, hypercorn the one it sends.
#
# Guess:    GOAWAY with NO_ERROR (RFC 9113 6.8: no new streams, those that there are go on to their end) changes nothing for the response on its way,
#           from whichever side it comes.
# Seen:     Node's client reads all 60,000 bytes under a server's GOAWAY; httpx raises LocalProtocolError, or h2's own error ("RECV_DATA in state CLOSED"),
#           although the same bytes arrive, also with a last stream of 2^31-1. A Node client that calls session.close() while it downloads sends
#           such a GOAWAY itself: Node's server finishes the 1 MiB, hypercorn ends it within the first window with PROTOCOL_ERROR.
# Versions: h2 4.3.0, hyperframe 6.1.0, httpx 0.28.1, httpcore 1.0.9, hypercorn 0.18.0; Node's http2 (20).
# Matters:  a graceful reload, the end of keepalive_requests or of a connection's age fails each download of such a client, and no form of
#           GOAWAY avoids it but one behind the last byte; a client that is done asking is cut off by such a server.
set -euo pipefail
work=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check 'httpx[http2]==0.28.1' httpcore==1.0.9 h2==4.3.0 hyperframe==6.1.0 hypercorn==0.18.0
cat > fetch.mjs <<'JS'
import { connect } from "node:http2";
const session = connect(process.argv[2]);
session.on("error", (error) => console.log("error", error.code));
const request = session.request({ ":path": "/" });
let bytes = 0;
request.on("data", (piece) => (bytes += piece.length));
request.on("error", (error) => console.log("error", error.code));
request.on("close", () => (console.log(bytes), session.close()));
JS
cat > ask.py <<'PY'
import socket
import subprocess
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import httpx
from hyperframe.frame import GoAwayFrame

SIZE = 60_000


def server(last_stream):
    """Sends one response of SIZE bytes; with a last stream, a GOAWAY behind its first frame."""
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=answer, args=(listening, last_stream), daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/"


def answer(listening, last_stream):
    client, _ = listening.accept()
    http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    http2.initiate_connection()
    sent = stream = 0
    while sent < SIZE:
        client.sendall(http2.data_to_send())
        for event in http2.receive_data(client.recv(65536)):
            if isinstance(event, h2.events.RequestReceived):
                stream = event.stream_id
                http2.send_headers(stream, [(":status", "200"), ("content-length", str(SIZE))])
        # All of it fits into the window that a client opens with.
        while stream and sent < SIZE:
            piece = min(16384, SIZE - sent)
            http2.send_data(stream, bytes(piece), end_stream=sent + piece == SIZE)
            client.sendall(http2.data_to_send())
            if sent == 0 and last_stream:
                goaway = GoAwayFrame(0)
                goaway.last_stream_id = last_stream
                client.sendall(goaway.serialize())
            sent += piece
    client.shutdown(socket.SHUT_WR)
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        pass


def by_httpx(url):
    with httpx.Client(http1=False, http2=True, timeout=20) as client:
        try:
            return str(len(client.get(url).content))
        except (httpx.LocalProtocolError, h2.exceptions.ProtocolError) as error:
            return f"error {error}"


def by_node(url):
    return subprocess.run(["node", "fetch.mjs", url], capture_output=True, text=True, timeout=20).stdout.strip()


for last_stream in (None, 2**31 - 1, 1):
    seen = by_httpx(server(last_stream)), by_node(server(last_stream))
    print("GOAWAY", last_stream, "httpx:", seen[0], "node:", seen[1])
    assert seen[1] == str(SIZE)
    assert (seen[0] == str(SIZE)) if last_stream is None else ("RECV_DATA" in seen[0])
PY
python/bin/python ask.py
cat > application.py <<'PY'
async def application(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for n in range(64):
            await send({"type": "http.response.body", "body": bytes(16384), "more_body": n < 63})
PY
cat > serve.mjs <<'JS'
import { createServer } from "node:http2";
createServer((request, response) => response.end(Buffer.alloc(1 << 20))).listen(Number(process.argv[2]), "127.0.0.1");
JS
cat > leave.mjs <<'JS'
import { connect } from "node:http2";
const [, , url, leaves] = process.argv;
const session = connect(url);
session.on("error", () => {});
const request = session.request({ ":path": "/" });
let bytes = 0;
request.on("response", () => leaves === "leaves" && session.close());
request.on("data", (piece) => (bytes += piece.length));
request.on("error", () => {});
request.on("close", () => (console.log(bytes === 1 << 20 ? "all" : "cut off"), session.close()));
JS
port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
hypercorn=$(port) node=$(port)
python/bin/hypercorn -b "127.0.0.1:$hypercorn" application:application >hypercorn.log 2>&1 &
servers+=($!)
node serve.mjs "$node" >node.log 2>&1 &
servers+=($!)
for server in node hypercorn; do
    until (exec 3<>"/dev/tcp/127.0.0.1/${!server}") 2>/dev/null; do sleep 0.1; done
    for client in stays leaves; do
        echo "$server, a client that $client: $(timeout 20 node leave.mjs "http://127.0.0.1:${!server}" $client)"
    done
done | tee seen
diff - seen <<'END'
node, a client that stays: all
node, a client that leaves: all
hypercorn, a client that stays: all
hypercorn, a client that leaves: cut off
END
