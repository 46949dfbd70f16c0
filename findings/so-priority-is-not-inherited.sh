#!/usr/bin/env bash
# An accepted TCP socket has its listener's options, SO_LINGER and timeouts too, but not SO_PRIORITY; IP_TOS overwrites that one.
#
# Guess:    SO_PRIORITY is inherited like TCP_NODELAY, TCP_CORK, SO_KEEPALIVE, SO_LINGER, SO_RCVTIMEO and IP_TOS.
# Seen:     all of those are inherited; SO_PRIORITY 5 is 0 on the accepted socket. On the listener, IP_TOS 0x10 makes 6 of the 5.
# Version:  Linux 6.18.
# Matters:  who sets options once, on the listening socket, saves a system call a connection; this option needs its own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > probe.py <<'PY'
import platform, socket, struct

print("Linux", platform.release())
SOL, TCP, IP = socket.SOL_SOCKET, socket.IPPROTO_TCP, socket.IPPROTO_IP
numbers = {"TCP_NODELAY": (TCP, socket.TCP_NODELAY, 1), "TCP_CORK": (TCP, socket.TCP_CORK, 1),
           "TCP_USER_TIMEOUT": (TCP, socket.TCP_USER_TIMEOUT, 1234), "SO_KEEPALIVE": (SOL, socket.SO_KEEPALIVE, 1)}
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
for level, option, value in numbers.values():
    listener.setsockopt(level, option, value)
listener.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 9))
listener.setsockopt(SOL, socket.SO_RCVTIMEO, struct.pack("ll", 2, 0))
listener.setsockopt(SOL, socket.SO_PRIORITY, 5)
before = listener.getsockopt(SOL, socket.SO_PRIORITY)
listener.listen()

def accepted():
    client = socket.create_connection(listener.getsockname())
    return client, listener.accept()[0]

client, conn = accepted()
for name, (level, option, value) in numbers.items():
    print(name, conn.getsockopt(level, option))
    assert conn.getsockopt(level, option) == value
linger = struct.unpack("ii", conn.getsockopt(SOL, socket.SO_LINGER, 8))
timeout = struct.unpack("ll", conn.getsockopt(SOL, socket.SO_RCVTIMEO, 16))
print("SO_LINGER", linger, "SO_RCVTIMEO", timeout)
assert linger == (1, 9) and timeout == (2, 0)
priority = conn.getsockopt(SOL, socket.SO_PRIORITY)
print("SO_PRIORITY: listener", before, "accepted", priority)
assert (before, priority) == (5, 0)
listener.setsockopt(IP, socket.IP_TOS, 0x10)
after = listener.getsockopt(SOL, socket.SO_PRIORITY)
client, conn = accepted()
print("after IP_TOS 0x10: listener", after, "accepted", conn.getsockopt(SOL, socket.SO_PRIORITY),
      "IP_TOS", conn.getsockopt(IP, socket.IP_TOS))
assert after == 6 and conn.getsockopt(IP, socket.IP_TOS) == 0x10 and conn.getsockopt(SOL, socket.SO_PRIORITY) == 0
PY
python3 probe.py
