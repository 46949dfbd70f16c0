#!/usr/bin/env bash
# A datagram socket's connect() tells whether anybody has a Unix stream socket's file bound, without the owner seeing a client.
#
# Guess:    one has to connect as a stream client; that a socket is bound and does not listen yet looks the same as a file left by a crash.
# Seen:     stream: ECONNREFUSED for both. Datagram: EPROTOTYPE while somebody has it bound, listening or not, ECONNREFUSED when nobody has.
# Version:  Linux 6.18.
# Matters:  a server that replaces what a crash left can't remove the socket of another that is just starting.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > probe.py <<'PY'
import errno, select, socket

def connect(kind):
    return errno.errorcode.get(socket.socket(socket.AF_UNIX, kind).connect_ex("name"), "connected")

owner = socket.socket(socket.AF_UNIX)
owner.bind("name")
bound = connect(socket.SOCK_STREAM), connect(socket.SOCK_DGRAM)
owner.listen()
listening = connect(socket.SOCK_DGRAM)
seen = bool(select.select([owner], [], [], 0)[0])
owner.close()
stale = connect(socket.SOCK_STREAM), connect(socket.SOCK_DGRAM)
print("bound: stream, datagram:", bound, "- listening: datagram:", listening, "- stale:", stale)
assert bound == ("ECONNREFUSED", "EPROTOTYPE") and listening == "EPROTOTYPE" and not seen
assert stale == ("ECONNREFUSED", "ECONNREFUSED")
PY
uname -sr
python3 probe.py
