#!/usr/bin/env bash
# TCP_DEFER_ACCEPT is rounded up to 1, 3, 7, 15 ... seconds, and a client that stays silent is accepted at that time, not dropped.
#
# Guess:    5 reads back as 5; a client that sends nothing for 5 seconds is dropped, or never reaches accept().
# Seen:     5 reads back as 7 (the sum of the SYN-ACK timeouts that cover it), and accept() gets the silent client after 7.3 s.
# Version:  Linux 6.18.
# Matters:  a server that reads at once after a deferred accept must bear EAGAIN, and its own timeouts must hold for the silent.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > probe.py <<'PY'
import platform, select, socket, time

print("Linux", platform.release())
TCP, DEFER = socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT
listener = socket.socket()
for asked, got in ((1, 1), (2, 3), (4, 7), (5, 7), (8, 15), (30, 31)):
    listener.setsockopt(TCP, DEFER, asked)
    print("asked for", asked, "got", listener.getsockopt(TCP, DEFER))
    assert listener.getsockopt(TCP, DEFER) == got
for asked, rounded in ((2, 3), (5, 7)):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.setsockopt(TCP, DEFER, asked)
    listener.listen()
    began = time.monotonic()
    silent = socket.create_connection(listener.getsockname())
    ready, _, _ = select.select([listener], [], [], 20)
    took = time.monotonic() - began
    print(f"asked for {asked}: a silent client was {'accepted' if ready else 'not accepted'} after {took:.1f} s")
    assert ready and rounded - 0.5 < took < rounded + 2
PY
python3 probe.py
