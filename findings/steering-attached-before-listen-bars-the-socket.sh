#!/usr/bin/env bash
# A SO_REUSEPORT socket that is given a steering program after bind(2) and before listen(2) can never listen, if another is bound to its port.
#
# Guess:    the program belongs to the group of the port; when it is attached does not matter, or a wrong time is refused by setsockopt(2).
# Seen:     setsockopt says 0. Then listen() of that very socket is EADDRINUSE, also when asked again and after SO_DETACH_REUSEPORT_BPF; the other
#           sockets of the port listen. With the program attached behind its listen(), or while it is alone on the port, all is well.
# Versions: Linux 6.18 (a classic BPF program, so no privilege is needed).
# Matters:  "bind all, attach, listen all" looks like the order in which no connection is missed; it loses one worker's socket for good.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 - <<'PY'
import ctypes
import errno
import socket
import struct

ATTACH_REUSEPORT_CBPF, DETACH_REUSEPORT_BPF, RETURN = 51, 68, 0x06


def bound(port=0):
    new = socket.socket()
    new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    new.bind(("127.0.0.1", port))
    return new


def attach(sock):
    """Steers every connection to the first socket of the group."""
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", RETURN, 0, 0, 0), 8)
    program = struct.pack("HxxxxxxP", 1, ctypes.addressof(instruction))
    sock.setsockopt(socket.SOL_SOCKET, ATTACH_REUSEPORT_CBPF, program)


def listen(sock):
    try:
        sock.listen()
        return "listens"
    except OSError as error:
        return errno.errorcode[error.errno]


def group():
    first = bound()
    return first, bound(first.getsockname()[1])


one, two = group()
attach(one)
before = [listen(one), listen(two), listen(one)]
one.setsockopt(socket.SOL_SOCKET, DETACH_REUSEPORT_BPF, 0)
detached = listen(one)

one, two = group()
behind = [listen(one)]
attach(one)
behind.append(listen(two))

one, two = group()
mixed = [listen(one)]
attach(two)
mixed.append(listen(two))

one = bound()
attach(one)
alone = [listen(one), listen(bound(one.getsockname()[1]))]

print(f"attached before: {before}, then detached: {detached}; behind: {behind}; on the second: {mixed}; alone: {alone}")
assert before == ["EADDRINUSE", "listens", "EADDRINUSE"] and detached == "EADDRINUSE"
assert behind == alone == ["listens", "listens"] and mixed == ["listens", "EADDRINUSE"]
PY
