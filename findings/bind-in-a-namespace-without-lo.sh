#!/usr/bin/env bash
# In a network namespace whose interfaces are all down, bind() and listen() succeed for IPv4 addresses that nobody has.
#
# Guess:    10.1.2.3 is EADDRNOTAVAIL wherever no interface has it.
# Seen:     in a fresh namespace both calls succeed; after `ip link set lo up` the same bind is EADDRNOTAVAIL.
# Version:  Linux 6.18.
# Matters:  a test that shows a server's message for a wrong address, or a container started with no network, sees a server that runs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > probe.py <<'PY'
import errno, socket

try:
    listener = socket.socket()
    listener.bind(("10.1.2.3", 8088))
    listener.listen()
    print("bound")
except OSError as error:
    print(errno.errorcode[error.errno])
PY
uname -sr
down=$(unshare --net python3 probe.py)
up=$(unshare --net sh -c 'ip link set lo up && python3 probe.py')
echo "lo down: $down, lo up: $up"
[ "$down" = bound ] && [ "$up" = EADDRNOTAVAIL ]
