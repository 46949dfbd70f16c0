#!/usr/bin/env bash
# proxy-protocol-js hands the extensions (TLVs) of a PROXY v2 header on as the first bytes of the client, and refuses `PROXY UNKNOWN` of v1.
#
# Guess:    the header's own length says where the client's bytes begin: extensions are skipped or listed; UNKNOWN alone is what the protocol's text shows.
# Seen:     a header with ALPN "h2", made by Python's proxy-protocol, before "GET /": `data` is 01 00 02 "h2" "GET /". Addresses are right. In v1
#           `PROXY UNKNOWN\r\n` is an error, and `PROXY UNKNOWN` with four made-up fields is not. Python's two libraries read all of them.
# Version:  npm proxy-protocol-js 4.0.6; PyPI proxy-protocol 0.11.3, aiosmtpd 1.4.6.
# Matters:  balancers add extensions on their own (ids, TLS details): whoever reads on from `data` sees garbage before each request.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund proxy-protocol-js@4.0.6 > /dev/null
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check proxy-protocol==0.11.3 aiosmtpd==1.4.6
cat > write.py <<'PY'
import asyncio
import socket
from ipaddress import ip_address

from aiosmtpd.proxy_protocol import get_proxy
from proxyprotocol.detect import ProxyProtocolDetect
from proxyprotocol.reader import ProxyProtocolReader
from proxyprotocol.result import ProxyResultIPv4
from proxyprotocol.tlv import ProxyProtocolTLV
from proxyprotocol.v2 import ProxyProtocolV2

header = ProxyProtocolV2().pack(ProxyResultIPv4(
    (ip_address("192.0.2.1"), 12345), (ip_address("198.51.100.2"), 443),
    protocol=socket.SOCK_STREAM, tlv=ProxyProtocolTLV(alpn=b"h2")))
open("v2", "wb").write(header + b"GET /")
open("unknown", "wb").write(b"PROXY UNKNOWN\r\nGET /")
open("filled", "wb").write(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\nGET /")


def reader(name):
    stream = asyncio.StreamReader()
    stream.feed_data(open(name, "rb").read())
    stream.feed_eof()
    return stream


async def read():
    for name in ("v2", "unknown", "filled"):
        stream = reader(name)
        await ProxyProtocolReader(ProxyProtocolDetect()).read(stream)
        assert await stream.read() == b"GET /"
        stream = reader(name)
        assert (await get_proxy(stream)).valid and await stream.read() == b"GET /"
        print("python: reads", name)


asyncio.run(read())
PY
venv/bin/python3 write.py
cat > read.js <<'JS'
const assert = require('assert');
const fs = require('fs');
const { V1ProxyProtocol, V2ProxyProtocol } = require('proxy-protocol-js');
const header = V2ProxyProtocol.parse(new Uint8Array(fs.readFileSync('v2')));
const data = Buffer.from(header.data).toString('latin1');
console.log('v2:', header.proxyAddress.sourceAddress.address.join('.'), JSON.stringify(data));
assert.strictEqual(data, '\x01\0\x02h2GET /');
let error = null;
try { V1ProxyProtocol.parse(fs.readFileSync('unknown', 'latin1')); } catch (e) { error = e; }
console.log('v1, UNKNOWN:', error.message);
assert.strictEqual(error.name, 'V1ProxyProtocolParseError');
assert.strictEqual(V1ProxyProtocol.parse(fs.readFileSync('filled', 'latin1')).data, 'GET /');
JS
node read.js
