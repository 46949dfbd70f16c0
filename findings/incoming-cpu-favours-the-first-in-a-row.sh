#!/usr/bin/env bash
# Two sockets of one SO_REUSEPORT group that say the same SO_INCOMING_CPU share that CPU's connections 3 to 1 when they stand in a row.
#
# Guess:    connections that come in on a CPU are spread evenly over the sockets that asked for that CPU, as over a group without the option.
# Seen:     of four sockets for CPUs 0, 0, 1, 1 the first gets three quarters of CPU 0's connections, the second a quarter; for 0, 1, 0, 1 each of the
#           two gets half. The hash chooses among all sockets of the group, and from there the next one that fits is taken.
# Version:  Linux 6.18 (needs 6.1 or later).
# Matters:  a server that opens its sockets worker by worker, with two workers a CPU, gives one of them three times the other's load; in turn
#           (0, 1, 0, 1) they are even.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
uname -r
cat > spread.py <<'PY'
import os, socket

SO_INCOMING_CPU = 49
CONNECTIONS = 800

def accepted(cpus):
    """How many connections from CPU 0 each socket of a group gets, whose sockets say these CPUs."""
    port, group = 0, []
    for cpu in cpus:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setsockopt(socket.SOL_SOCKET, SO_INCOMING_CPU, cpu)
        listener.bind(("127.0.0.1", port))
        port = listener.getsockname()[1]
        listener.listen(CONNECTIONS)
        listener.setblocking(False)
        group.append(listener)
    counts = [0] * len(group)
    for _ in range(CONNECTIONS):
        # One at a time, so that few descriptors are enough.
        with socket.create_connection(("127.0.0.1", port)):
            for place, listener in enumerate(group):
                try:
                    listener.accept()[0].close()
                    counts[place] += 1
                except BlockingIOError:
                    pass
    for listener in group:
        listener.close()
    print(cpus, counts)
    return counts

os.sched_setaffinity(0, {0})
first, second, *others = accepted([0, 0, 1, 1])
assert others == [0, 0] and 2 < first / second < 4.5
first, _, second, _ = accepted([0, 1, 0, 1])
assert 0.7 < first / second < 1.4
PY
python3 spread.py
