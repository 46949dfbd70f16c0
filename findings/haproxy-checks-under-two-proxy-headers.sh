#!/usr/bin/env bash
# HAProxy's health checks announce themselves as a client in version 1 of the PROXY protocol, and as nobody (LOCAL) in version 2.
#
# Guess:    a check is the proxy's own connection: LOCAL in v2, and in v1 the corresponding `PROXY UNKNOWN`.
# Seen:     v1: `PROXY TCP4` with the check's own address and port, as if a client had come from there; v2: LOCAL, without addresses.
# Version:  HAProxy 2.6.12 (Debian 12).
# Matters:  with send-proxy a server's allow and deny lists, limits and logs see the balancer as a client; with send-proxy-v2 they must get
#           along without any address from the header.
set -euo pipefail
work=$(mktemp -d)
proxy=""
trap '[ -z "$proxy" ] || kill "$proxy" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root 'haproxy=2.6.12-1*' liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 libpcre2-posix3 libjemalloc2
for package in ./*.deb; do dpkg -x "$package" .; done
export LD_LIBRARY_PATH="$work/usr/lib/x86_64-linux-gnu"
usr/sbin/haproxy -v | head -n 1
cat > server.py <<'PY'
import socket, sys

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
conn, peer = listener.accept()
head = conn.recv(500)
if head.startswith(b"PROXY "):
    print("v1:", head.split(b"\r\n")[0].decode(), "from port", peer[1])
    assert head.split()[1:5] == [b"TCP4", b"127.0.0.1", b"127.0.0.1", str(peer[1]).encode()]
else:
    assert head[:12] == b"\r\n\r\n\0\r\nQUIT\n"
    version, command, length = head[12] >> 4, head[12] & 15, int.from_bytes(head[14:16], "big")
    print(f"v2: version {version}, command {command} (0 is LOCAL), {length} bytes of addresses")
    assert (version, command, length) == (2, 0, 0)
PY
for option in send-proxy send-proxy-v2; do
    coproc SERVER { exec python3 -u server.py; }
    pid=$SERVER_PID
    read -r port <&"${SERVER[0]}"
    cat > conf <<CONF
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
listen site
    bind unix@$work/front
    option httpchk
    server one 127.0.0.1:$port check $option inter 500
CONF
    usr/sbin/haproxy -f conf > log 2>&1 &
    proxy=$!
    cat <&"${SERVER[0]}"
    wait "$pid"
    kill "$proxy"
    wait "$proxy" || true
    proxy=""
done
