#!/usr/bin/env bash
# A user's name with a space makes parsers of nginx's log shift every later field, lose the line without a word, or answer an empty record.
#
# Guess:    the time stands in brackets and the rest in quotes, so a parser of this format finds them wherever the name ends; at worst an error.
# Seen:     nginx writes `$remote_user` as it came ("jane doe"). nginx-log-parser: user "jane", time "doe", request "[29/Nov/...", status "\"GET ...\"";
#           nginxparser: no call of the row's function and no error; clfparser: a record in which all fields are empty; clf-parser and apachelogs: right.
# Version:  nginx 1.22.1 (Debian 12); npm nginx-log-parser 0.0.4, nginxparser 2.1.0, clf-parser 0.0.2; PyPI clfparser 0.3, apachelogs 0.6.1.
# Matters:  a site with such accounts loses their requests from counts by status or path, and no tool says so.
set -euo pipefail
work=$(mktemp -d)
trap '[ ! -s "$work/pid" ] || kill "$(cat "$work/pid")"; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root 'nginx=1.22.1-9*'
dpkg -x nginx_*.deb .
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
mkdir root temp
echo page > root/index.html
cat > conf <<CONF
pid $work/pid;
error_log $work/error.log;
events { }
http {
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    access_log $work/access.log combined;
    server { listen 127.0.0.1:$port; root $work/root; }
}
CONF
usr/sbin/nginx -v
usr/sbin/nginx -p "$work" -c "$work/conf"
curl -s -o /dev/null -u 'jane doe:' -A agent "http://127.0.0.1:$port/"
for _ in $(seq 100); do [ ! -s access.log ] || break; sleep 0.05; done
cat access.log
grep -q '^127.0.0.1 - jane doe \[' access.log

npm install --silent --no-audit --no-fund nginx-log-parser@0.0.4 nginxparser@2.1.0 clf-parser@0.0.2 > /dev/null
cat > read.js <<'JS'
const assert = require('assert');
const line = require('fs').readFileSync('access.log', 'utf8').trimEnd();
const format = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"';
const shifted = require('nginx-log-parser')(format)(line);
console.log('nginx-log-parser', shifted);
assert.deepStrictEqual([shifted.remote_user, shifted.time_local, shifted.status], ['jane', 'doe', '"GET / HTTP/1.1"']);
const Parser = require('nginxparser');
let rows = 0;
new Parser(format).parseLine(line, () => { rows += 1; });
new Parser(format).parseLine(line.replace('jane doe', 'jane'), () => { rows += 10; });
console.log('nginxparser: rows', rows, '(10: of the same line with one word alone)');
assert.strictEqual(rows, 10);
const right = require('clf-parser')(line);
console.log('clf-parser', right.remote_user, right.status);
assert.deepStrictEqual([right.remote_user, right.status], ['jane doe', 200]);
JS
node read.js

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check clfparser==0.3 apachelogs==0.6.1
venv/bin/python3 - <<'PY'
from apachelogs import COMBINED, LogParser
from clfparser import CLFParser

line = open("access.log").read().rstrip("\n")
empty = CLFParser.logDict(line)
print("clfparser", empty)
assert not any(empty.values())
assert CLFParser.logDict(line.replace("jane doe", "jane"))["s"] == "200"
right = LogParser(COMBINED).parse(line)
print("apachelogs", right.remote_user, right.final_status)
assert (right.remote_user, right.final_status) == ("jane doe", 200)
PY
