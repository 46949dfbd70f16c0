#!/usr/bin/env bash
# A listening socket that is shut down and told to listen again may listen on another port, whatever getsockname says in between.
#
# Guess:    shutdown() of a listening socket is ENOTCONN, or is undone by listen(), which goes on at the address that getsockname gives.
# Seen:     shutdown(SHUT_RD) ends the listening for all processes that share the socket: accept is EINVAL, what waited is reset. listen() revives
#           it: at its port if bind() named one, at a new one if bind() said 0. Until then getsockname gives the old port, which is free for others.
# Version:  Linux 6.18.
# Matters:  a test or a worker that pauses accepting by shutdown takes the clients of its siblings with it, and serves where nobody looks.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
uname -r
cat > probe.py <<'PY'
import errno, os, socket

def outcome(call):
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno]

def connect(address):
    return outcome(lambda: socket.create_connection(address, 5) and "connected")

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

def revive(port):
    """Whether a socket that was bound to this port is at the same address after shutdown and listen, with all that is asserted on the way."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(5)
    shared = socket.socket(fileno=os.dup(listener.fileno()))
    address = listener.getsockname()
    waiting = socket.create_connection(address)
    listener.shutdown(socket.SHUT_RD)
    assert outcome(shared.accept) == "EINVAL" and outcome(lambda: waiting.recv(1)) == "ECONNRESET"
    assert shared.getsockname() == address and connect(address) == "ECONNREFUSED"
    shared.listen(5)
    seen = shared.getsockname(), connect(shared.getsockname()), connect(address)
    print("bound to", port, "listened at", address, "then", seen)
    assert seen[1] == "connected" and (seen[0] == address) == (seen[2] == "connected")
    return seen[0] == address

assert revive(free_port())
assert not revive(0)
PY
python3 probe.py
