"""The common parts of the two stream clients: address, connection, and the summary at the end of a run."""

import argparse
import socket
import sys
import time


class Failed(Exception):
    """The server did not do what it should have done."""


def parser(about, what):
    p = argparse.ArgumentParser(description=about)
    p.add_argument("address", metavar="HOST:PORT", help="where the server is; unix:PATH for a Unix socket")
    p.add_argument("-c", "--count", type=int, default=1, metavar="N", help=f"send {what} N times (default: 1)")
    p.add_argument("-q", "--quiet", action="store_true", help="check the answers without printing them")
    p.add_argument("-t", "--timeout", type=float, default=10, metavar="S", help="wait S seconds at most (default: 10)")
    return p


def connect(address, timeout):
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise Failed(f'"{address}" is not HOST:PORT')
    connection = socket.create_connection((host.strip("[]") or "localhost", int(port)), timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def receive(connection, length):
    """Reads exactly `length` bytes."""
    data = bytearray()
    while len(data) < length:
        piece = connection.recv(min(length - len(data), 1 << 20))
        if not piece:
            raise Failed(f"the server closed the connection after {len(data)} of {length} bytes")
        data += piece
    return bytes(data)


def run(body):
    """Calls `body`, which returns the number of answers and their name, prints a summary, and ends the program."""
    start = time.monotonic()
    try:
        count, what = body()
    except (Failed, OSError) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    took = time.monotonic() - start
    print(f"{count} {what} in {took:.3f} s, {count / max(took, 1e-9):.0f} a second", file=sys.stderr)
    sys.exit(0)
