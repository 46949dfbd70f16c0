#!/usr/bin/env bash
# SIOCOUTQ of a Unix stream socket counts the kernel's memory, not the bytes that wait.
#
# Guess:    as for TCP, the number of bytes that the peer has not taken: 1000 after sending 1000, 500 when half is read.
# Seen:     2304 after sending 1000 and 768 after sending 1; reading half changes nothing; 0 only when all is read.
# Version:  Linux 6.18, x86_64. The figures depend on the size of a socket buffer's head, the rule does not.
# Matters:  a server that asks how much of a response is still under way can compare the answer with 0 and with nothing else.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > probe.py <<'PY'
import fcntl, platform, socket, struct, termios

def waiting(s):
    return struct.unpack("i", fcntl.ioctl(s, termios.TIOCOUTQ, bytes(4)))[0]  # the same request as SIOCOUTQ

def stream(family):
    if family == socket.AF_UNIX:
        return socket.socketpair()
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    return client, listener.accept()[0]

print("Linux", platform.release())
a, b = stream(socket.AF_UNIX)
a.send(bytes(1000))
full = waiting(a)
b.recv(500)
half = waiting(a)
b.recv(500)
none = waiting(a)
a.send(b"x")
one = waiting(a)
print(f"Unix: {full} for 1000 bytes, {half} when 500 are read, {none} when all are read, {one} for one byte")
assert full > 1000 and half == full and none == 0 and one > 1
a, b = stream(socket.AF_INET)
a.send(bytes(1000))
for _ in range(1000):
    if waiting(a) == 0:
        break
print(f"TCP: {waiting(a)} when the peer's kernel has acknowledged, before anybody reads")
assert waiting(a) == 0
PY
python3 probe.py
