#!/usr/bin/env bash
# autocannon sends a request on a connection whose last answer said `Connection: close`, loses it, and counts neither an error nor a retry.
#
# Guess:    keepalive_requests 10 and `-a 100`: a new connection after every tenth answer, 100 answers, no errors.
# Seen:     `sent` 100, `2xx` 92, `errors`, `timeouts` and `resets` 0; nginx logs 92 requests. With -c 1 -p 7 (pipelining) 59 answers of 100 sent, of
#           which nginx logs 60. loadtest -k, with the same limit: 100 of 100.
# Version:  npm autocannon 9.0.0, loadtest 8.2.1, nginx 1.22.1 (Debian 12), Node.js 20.
# Matters:  `sent` less `2xx` looks like loss by the server, and "no errors" like none; compare servers with keepalive_requests out of reach.
set -euo pipefail
work=$(mktemp -d)
trap '[ ! -s "$work/pid" ] || kill "$(cat "$work/pid")"; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root 'nginx=1.22.1-9*'
dpkg -x nginx_*.deb .
npm install --silent --no-audit --no-fund autocannon@9.0.0 loadtest@8.2.1 > /dev/null
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
mkdir root temp
head -c 1000 /dev/zero > root/file
cat > conf <<CONF
worker_processes 1;
pid $work/pid;
error_log $work/error.log;
events { }
http {
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    log_format connection \$connection;
    access_log $work/access.log connection;
    keepalive_requests 10;
    server { listen 127.0.0.1:$port; root $work/root; }
}
CONF
usr/sbin/nginx -v
usr/sbin/nginx -p "$work" -c "$work/conf"

load() {
    : > access.log
    "$@" "http://127.0.0.1:$port/file" 2> errors.txt > result.txt
    sleep 1
    echo "$*: nginx logs $(wc -l < access.log) requests, $(sort -u access.log | wc -l) connections"
}
counts() {
    node -e '
        const { requests, errors, timeouts, resets, "2xx": good } = JSON.parse(require("fs").readFileSync("result.txt"));
        console.log({ sent: requests.sent, good, errors, timeouts, resets });
        process.exit(requests.sent === 100 && good < 100 && errors + timeouts + resets === 0 ? 0 : 1);'
    [ "$(wc -l < access.log)" -lt 100 ]
}
load npx autocannon -j -c 2 -a 100
counts
load npx autocannon -j -c 1 -a 100 -p 7
counts
load npx loadtest -n 100 -c 2 -k
grep -E 'Completed requests: +100$' result.txt
[ "$(wc -l < access.log)" -eq 100 ]
