#!/usr/bin/env bash
# OpenSSL refuses a TLS 1.2 client that does not offer P-256 for the key exchange when the certificate's key is on P-256. TLS 1.3 does not mind.
#
# Guess:    the groups of a client are for the key exchange; an ECDSA certificate is covered by its signature algorithms. Both have X25519,
#           so the handshake succeeds.
# Seen:     handshake failure (alert 40) in TLS 1.2 for clients with X25519 alone, and with P-384 and X25519; success with P-256 among
#           them, and always in TLS 1.3. With an RSA certificate all succeed.
# Versions: OpenSSL 3.0, server and client.
# Matters:  "only X25519" (ssl_ecdh_curve of a proxy, a hardened client) and an ECDSA certificate lock TLS 1.2 out; the alert names no reason.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
server=
ec=(-newkey ec -pkeyopt ec_paramgen_curve:P-256)
rsa=(-newkey rsa:2048)
openssl req -x509 "${ec[@]}" -nodes -keyout ec.key -out ec.pem -subj /CN=a -days 30 2>openssl.log
openssl req -x509 "${rsa[@]}" -nodes -keyout rsa.key -out rsa.pem -subj /CN=a -days 30 2>>openssl.log
for kind in ec rsa; do
    port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    openssl s_server -accept "127.0.0.1:$port" -key $kind.key -cert $kind.pem -www -quiet >server.log 2>&1 &
    server=$!
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.05; done
    for version in tls1_2 tls1_3; do
        for groups in P-256 X25519 P-384:X25519 X25519:P-256; do
            result=works
            openssl s_client -connect "127.0.0.1:$port" -$version -groups $groups </dev/null >client.log 2>&1 || result=$(grep -o 'alert number [0-9]*' client.log)
            echo "$kind $version $groups: $result"
        done
    done
    kill "$server"
    wait "$server" 2>/dev/null || true
done | tee seen
diff - seen <<'END'
ec tls1_2 P-256: works
ec tls1_2 X25519: alert number 40
ec tls1_2 P-384:X25519: alert number 40
ec tls1_2 X25519:P-256: works
ec tls1_3 P-256: works
ec tls1_3 X25519: works
ec tls1_3 P-384:X25519: works
ec tls1_3 X25519:P-256: works
rsa tls1_2 P-256: works
rsa tls1_2 X25519: works
rsa tls1_2 P-384:X25519: works
rsa tls1_2 X25519:P-256: works
rsa tls1_3 P-256: works
rsa tls1_3 X25519: works
rsa tls1_3 P-384:X25519: works
rsa tls1_3 X25519:P-256: works
END
