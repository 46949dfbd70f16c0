#!/usr/bin/env bash
# Bytes that sendfile() has taken still change: a file that is overwritten in place arrives new, one that is truncated arrives as NULs.
#
# Guess:    when sendfile has returned 100000, the client gets the 100000 bytes of that moment, as after send().
# Seen:     all 100,000 arrive as they were written afterwards; of 300,000 bytes, of which the file keeps 1000, over 250,000 arrive
#           as NULs on ext4 (the page cache holds large folios) and the rest of one page on tmpfs. The length is right, no call failed.
# Version:  Linux 6.18, over loopback.
# Matters:  Content-Length and status say success; only replacing files by rename keeps a response whole.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > probe.py <<'PY'
import os, socket

def received(size, change):
    """What a client gets of a file of x that changes between sendfile() and the client's first read."""
    with open("file", "wb") as file:
        file.write(b"x" * size)
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    conn, _ = listener.accept()
    with open("file", "rb") as file:
        assert os.sendfile(conn.fileno(), file.fileno(), 0, size) == size
    change()
    conn.shutdown(socket.SHUT_WR)
    data = b""
    while piece := client.recv(65536):
        data += piece
    assert len(data) == size
    return data

def overwrite():
    with open("file", "r+b") as file:
        file.write(b"y" * 100_000)

data = received(100_000, overwrite)
print("overwritten:", data.count(b"y"), "new bytes of", len(data))
assert data == b"y" * 100_000
data = received(300_000, lambda: os.truncate("file", 1000))
print("truncated to 1000:", data.count(0), "NULs, the first at", data.find(0))
assert data.find(0) == 1000 and data.count(0) >= 3096 and set(data) == {0, ord("x")}
PY
uname -sr
python3 probe.py
