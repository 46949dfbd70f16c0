#!/usr/bin/env bash
# After shutdown(SHUT_WR) a reset still goes out at close(), but the client's recv() says "end", not ECONNRESET.
#
# Guess:    close() with unread bytes resets the client, so that its next recv() is ECONNRESET, whatever was sent before.
# Seen:     without shutdown ECONNRESET; with it recv() returns 0, although the reset has arrived: send() fails with EPIPE at once.
# Version:  Linux 6.18, over loopback. (The kernel looks at "the peer is done" before it looks at the error.)
# Matters:  a server that shuts down first spares simple clients an error: ab exits with 104 on the one and goes on after the other.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > probe.py <<'PY'
import errno, signal, socket, time

def close_unread(shut):
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    conn, _ = listener.accept()
    if shut:
        conn.shutdown(socket.SHUT_WR)
    client.sendall(b"x")
    while not conn.recv(1, socket.MSG_PEEK):
        pass
    conn.close()
    # TCP_INFO's first byte is the state; 7 is closed, by the reset.
    until = time.monotonic() + 2
    while client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != b"\7" and time.monotonic() < until:
        pass
    seen = []
    for call in (lambda: client.recv(1), lambda: client.send(b"y")):
        try:
            seen.append(call())
        except OSError as error:
            seen.append(errno.errorcode[error.errno])
    return seen

reset, shut = close_unread(False), close_unread(True)
print("close: recv, send:", reset, "- shutdown, close: recv, send:", shut)
assert reset[0] == "ECONNRESET" and shut == [b"", "EPIPE"]
PY
uname -sr
python3 probe.py
