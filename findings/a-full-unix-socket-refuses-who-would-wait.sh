#!/usr/bin/env bash
# A Unix socket whose backlog is full refuses whoever is willing to wait for a limited time, and asyncio takes the refusal for a connection.
#
# Guess:    as over TCP: a client that comes while the backlog is full waits, and is served when there is room, 1.5 s later.
# Seen:     only a blocking connect does. A non-blocking one gets EAGAIN at once, not EINPROGRESS, and nothing tells it when there is room: Python's
#           socket with a time-out, curl and Node fail within the first second. asyncio treats EAGAIN like EINPROGRESS; poll then reports the
#           unconnected socket as writable with no error, so connecting "works", and the first read or write is ENOTCONN.
# Versions: Linux 6.18, Python 3.11, curl 7.88.1, Node 20.
# Matters:  a backlog that does for TCP loses requests behind a Unix socket (a proxy on the same host) in the first burst, with misleading errors.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > ask.py <<'PY'
import asyncio
import errno
import socket
import subprocess
import threading
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def full(family, address):
    """A listening socket whose backlog one client fills; 1.5 s later all are answered."""
    listening = socket.socket(family)
    listening.bind(address)
    listening.listen(0)
    filler = socket.socket(family)
    filler.connect(listening.getsockname())
    threading.Thread(target=answer_later, args=(listening, filler), daemon=True).start()
    return listening.getsockname()


def answer_later(listening, filler):
    time.sleep(1.5)
    filler.close()
    while True:
        client, _ = listening.accept()
        threading.Thread(target=answer, args=(client,), daemon=True).start()


def answer(client):
    try:
        if client.recv(4096):
            client.sendall(ANSWER)
    except OSError:
        pass
    client.close()


def by_socket(seconds, family=socket.AF_UNIX):
    def ask(address):
        client = socket.socket(family)
        client.settimeout(seconds)
        client.connect(address)
        client.sendall(REQUEST)
        return client.recv(4096) == ANSWER
    return ask


async def by_streams(path):
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(REQUEST)
    return await reader.read(4096) == ANSWER


def by_curl(path):
    return subprocess.run(["curl", "-sS", "--unix-socket", path, "http://a/"], capture_output=True).returncode or True


def by_node(path):
    script = 'require("http").get({socketPath: process.argv[1]}, () => console.log("true")).on("error", e => console.log(e.code))'
    return subprocess.run(["node", "-e", script, path], capture_output=True, text=True).stdout.strip()


def result(ask, address):
    try:
        return ask(address)
    except OSError as error:
        return errno.errorcode[error.errno]


asked = {
    "blocking": (by_socket(None), True),
    "time-out of 20 s": (by_socket(20), "EAGAIN"),
    "asyncio": (lambda path: asyncio.run(by_streams(path)), "ENOTCONN"),
    "curl": (by_curl, 7),
    "node": (by_node, "EAGAIN"),
}
for name, (ask, expected) in asked.items():
    seen = result(ask, full(socket.AF_UNIX, f"socket of {name}"))
    print(f"unix, {name}: {seen}")
    assert seen == expected
seen = result(by_socket(20, socket.AF_INET), full(socket.AF_INET, ("127.0.0.1", 0)))
print(f"tcp, time-out of 20 s: {seen}")
assert seen is True
PY
python3 ask.py
