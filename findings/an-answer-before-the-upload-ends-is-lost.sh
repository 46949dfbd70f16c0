#!/usr/bin/env bash
# HTTP/2: httpx never shows the answer that a server gives before it has had all of an upload; curl 7.88 loses it when the reset is in the same read.
#
# Guess:    all clients show the 413: it is whole, and RFC 9113 section 8.1 forbids to discard it because RST_STREAM(NO_ERROR) follows.
# Seen:     answer and reset at once: Debian's curl says 000 and exits with 92, libcurl 8.23 and niquests say 413. The reset 100 ms later, or none: curl
#           says 413. httpx: ReadTimeout each time; it waits for room in the window to send the rest, and reads no answer until then.
# Versions: curl 7.88.1 (Debian 12), curl_cffi 0.17.0 (libcurl 8.23), niquests 3.15.2, httpx 0.28.1 with httpcore 1.0.9 and h2 4.4.1.
# Matters:  "413, 401 or 405 at once" shows its user an error of the connection, or nothing for ever (timeout=None). A server does well to
#           take in a bounded part of the body before it resets the stream.
set -euo pipefail
work=$(mktemp -d)
server=
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
command -v curl >/dev/null || { apt-get update -q && apt-get install -yq curl; } >apt.log 2>&1
python3 -m venv v
v/bin/pip install -q h2==4.4.1 httpx==0.28.1 httpcore==1.0.9 niquests==3.15.2 curl_cffi==0.17.0
cat > serve.py <<'PY'
import socket, sys, threading, time
import h2.config, h2.connection, h2.errors, h2.events

how = sys.argv[1]


def serve(client):
    conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    conn.initiate_connection()
    client.sendall(conn.data_to_send())
    while data := client.recv(65536):
        for event in conn.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                conn.send_headers(event.stream_id, [(":status", "413"), ("content-length", "9")])
                conn.send_data(event.stream_id, b"too large", end_stream=True)
                if how == "later":
                    client.sendall(conn.data_to_send())
                    time.sleep(0.1)
                if how != "never":
                    conn.reset_stream(event.stream_id, h2.errors.ErrorCodes.NO_ERROR)
        client.sendall(conn.data_to_send())


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
PY
cat > ask.py <<'PY'
import sys
import curl_cffi, httpx, niquests

url, body = f"http://127.0.0.1:{sys.argv[1]}/", bytes(1 << 20)


def by_httpx():
    with httpx.Client(http1=False, http2=True, timeout=4) as client:
        return client.post(url, content=body)


def by_niquests():
    return niquests.Session(disable_http1=True).post(url, data=body, timeout=4)


def by_libcurl():
    version = curl_cffi.CurlHttpVersion.V2_PRIOR_KNOWLEDGE
    return curl_cffi.requests.post(url, data=body, http_version=version, timeout=4)


for client in by_libcurl, by_niquests, by_httpx:
    try:
        said = client().status_code
    except Exception as error:
        said = type(error).__name__
    print(f"{client.__name__[3:]} {said}", end=", ")
PY
head -c 1048576 /dev/zero >upload
for how in at-once later never; do
    v/bin/python serve.py $how >port 2>>serve.log &
    server=$!
    until [ -s port ]; do sleep 0.05; done
    echo -n "$how: "
    v/bin/python ask.py "$(cat port)"
    status=0
    said=$(curl -s --http2-prior-knowledge --data-binary @upload -o answer -w '%{http_code}' "http://127.0.0.1:$(cat port)/") || status=$?
    echo "curl $said exit $status"
    kill "$server"
    : >port
done | tee seen
diff - seen <<'END'
at-once: libcurl 413, niquests 413, httpx ReadTimeout, curl 000 exit 92
later: libcurl 413, niquests 413, httpx ReadTimeout, curl 413 exit 0
never: libcurl 413, niquests 413, httpx ReadTimeout, curl 413 exit 0
END
