"""Connections that wait: the memory that each costs the server once it has had an answer."""

import socket
import ssl
import time

COUNT = 1000

GET = b"GET /1k.html HTTP/1.1\r\nHost: localhost\r\n\r\n"

# The preface, empty SETTINGS, and a request as RFC 9113 frames it, its fields by RFC 7541: :method GET, :scheme, :path,
# :authority.
def preface(scheme):
    fields = b"\x82" + {"http": b"\x86", "https": b"\x87"}[scheme] + b"\x04\x08/1k.html" + b"\x41\x09localhost"
    head = len(fields).to_bytes(3, "big") + b"\x01\x05" + (1).to_bytes(4, "big")
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0" + head + fields


def connect(server):
    """A connection that has had one answer."""
    client = socket.create_connection(("127.0.0.1", server.port), 10)
    if server.way in ("tls", "h2"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"] if server.way == "h2" else ["http/1.1"])
        client = context.wrap_socket(client)
    is_h2 = server.way in ("h2", "h2c")
    client.sendall(preface("https" if server.way == "h2" else "http") if is_h2 else GET)
    got = b""
    while len(got) < 1024:
        part = client.recv(65536)
        if not part:
            raise SystemExit(f"{server.name} closed a connection that should stay")
        got += part
    return client


def bytes_each(server):
    """Bytes of the server's memory a connection: what `COUNT` more add to what as many have cost before."""
    clients = []
    try:
        clients += [connect(server) for _ in range(COUNT)]
        time.sleep(0.2)
        before = server.memory()
        clients += [connect(server) for _ in range(COUNT)]
        time.sleep(0.2)
        return (server.memory() - before) / COUNT
    finally:
        for client in clients:
            client.close()
