#!/usr/bin/env bash
# accept() on Linux hands out a connection that its client has reset before, with the data in it.
#
# Guess:    ECONNABORTED, as accept(2) and POSIX have it, or the connection is dropped from the queue.
# Seen:     accept succeeds and tells the peer's address; getpeername is ENOTCONN; the first recv returns what the client had sent, the second
#           is ECONNRESET.
# Version:  Linux 6.18.
# Matters:  a server parses and answers requests of clients that were gone before it took them; code behind ECONNABORTED never runs, and a handler
#           that asks getpeername instead of keeping accept's address fails on a good descriptor.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
uname -r
cat > probe.py <<'PY'
import errno, socket, struct

def outcome(call):
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno]

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(5)
client = socket.create_connection(listener.getsockname())
near = client.getsockname()
client.send(b"hello")
# With a linger time of 0 close() sends RST.
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
client.close()
server, peer = listener.accept()
seen = [outcome(server.getpeername), outcome(lambda: server.recv(9)), outcome(lambda: server.recv(9))]
print("accepted from the client's address:", peer == near, seen)
assert peer == near and seen == ["ENOTCONN", b"hello", "ECONNRESET"]
PY
python3 probe.py
