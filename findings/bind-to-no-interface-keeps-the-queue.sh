#!/usr/bin/env bash
# SO_BINDTOIFINDEX with the number of an interface that does not exist keeps new clients off a listening socket, and leaves its queue alone.
#
# Guess:    a listener can't be told to take nothing more and keep what waits: shutdown() and close() reset the queue; a wrong interface
#           number is ENODEV.
# Seen:     setsockopt says 0 for 2147483647; new connections go to the next socket that fits (0.0.0.0:P beside 127.0.0.1:P), those
#           already queued are accepted and work.
# Version:  Linux 6.18.
# Matters:  a server can empty a socket without refusing anybody, before it closes it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > probe.py <<'PY'
import socket

SO_BINDTOIFINDEX = 62
first = socket.create_server(("127.0.0.1", 0))
port = first.getsockname()[1]
first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
second = socket.socket()
second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
second.bind(("0.0.0.0", port))
second.listen()
queued = socket.create_connection(("127.0.0.1", port))
first.setsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX, 2147483647)
later = socket.create_connection(("127.0.0.1", port))
first.settimeout(2), second.settimeout(2)
a, peer_a = first.accept()
b, peer_b = second.accept()
assert peer_a == queued.getsockname() and peer_b == later.getsockname()
a.sendall(b"hello")
assert queued.recv(10) == b"hello"
print("the queued one stays and works, the later one goes to the other socket")
PY
uname -sr
python3 probe.py
