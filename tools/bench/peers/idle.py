"""Connections that wait: the memory that each costs the server once it has had an answer."""

import time

from clients import Trouble

COUNT = 1000


def connect(server):
    """A connection that has had one answer."""
    client = server.connect()
    got = b""
    while len(got) < 1024:
        part = client.recv(65536)
        if not part:
            raise Trouble(f"{server.name} closed a connection that should stay")
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
