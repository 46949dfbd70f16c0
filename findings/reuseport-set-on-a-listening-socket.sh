#!/usr/bin/env bash
# SO_REUSEPORT may be set on a socket that listens already: from then on others can bind beside it, the wildcard address too.
#
# Guess:    socket(7) wants it set "prior to calling bind" on each, the first one too: set later it changes nothing, and 0.0.0.0:P is
#           EADDRINUSE for as long as 127.0.0.1:P listens.
# Seen:     EADDRINUSE before; after setsockopt on the listening socket 0.0.0.0:P and a dual-stack [::]:P bind and listen. Clients of
#           127.0.0.1 go to the specific socket until it is closed, then to the other.
# Version:  Linux 6.18.
# Matters:  a server can move from one address to all of a port, and back, without closing first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > probe.py <<'PY'
import errno, socket

def listen(family, address, port):
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        listener.bind((address, port))
    except OSError as error:
        return errno.errorcode[error.errno]
    listener.listen()
    listener.settimeout(2)
    return listener

for family, everywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    first = socket.create_server(("127.0.0.1", 0))
    port = first.getsockname()[1]
    before = listen(family, everywhere, port)
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    second = listen(family, everywhere, port)
    print(f"{everywhere}: {before}, then {'listens' if isinstance(second, socket.socket) else second}")
    assert before == "EADDRINUSE" and isinstance(second, socket.socket)
    clients = [socket.create_connection(("127.0.0.1", port))]
    first.settimeout(2)
    first.accept()
    first.close()
    clients.append(socket.create_connection(("127.0.0.1", port)))
    second.accept()
    print("the specific socket took the first client, the other the second")
PY
uname -sr
python3 probe.py
