#!/usr/bin/env bash
# net.ipv6.conf.all.disable_ipv6=1 leaves `[::]` there to bind and listen; only addresses are gone.
#
# Guess:    a socket of AF_INET6, or its bind to [::], fails where IPv6 is switched off.
# Seen:     [::]:8088 binds, listens, and, being dual-stack, serves IPv4 clients; [::1]:8088 is EADDRNOTAVAIL.
# Version:  Linux 6.18. (Booted with ipv6.disable=1, socket() itself is EAFNOSUPPORT.)
# Matters:  `listen [::]:80` starts on such a machine, so a server can't find out from its start that no IPv6 client will ever come.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > probe.py <<'PY'
import errno, socket

def listen(address):
    try:
        listener = socket.socket(socket.AF_INET6)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address, 8088))
        listener.listen()
        return listener
    except OSError as error:
        return errno.errorcode[error.errno]

one, all_addresses = listen("::1"), listen("::")
socket.create_connection(("127.0.0.1", 8088), 2)
peer = all_addresses.accept()[1][0]
print(f"[::1]: {one}; [::]: listens, and has accepted {peer}")
assert one == "EADDRNOTAVAIL" and peer == "::ffff:127.0.0.1"
PY
uname -sr
unshare --net sh -c 'ip link set lo up && echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && python3 probe.py'
