"""Latency of small files in memory while other clients of the same worker read from a disk that takes 300 ms for each
read (`slow_disk.py`), with `aio threads` and without it. An open loop asks: what is late counts from the time it was
due, so that a stall counts for all who would have met it."""

import contextlib
import socket
import subprocess
import sys
import threading
from pathlib import Path

from clients import Trouble, lab
from scenarios import Scenario
from servers import Server

NAME = "1 KiB, keep-alive, beside a slow disk"
RATE, CONNECTIONS, SLOW_CLIENTS = 1000, 16, 4
KEYS = ("nginx", "drover")

# What a row is called, the conf's line, and whether anybody asks the disk.
ROWS = [("aio threads, the disk at rest", "aio threads;", False), ("aio threads", "aio threads;", True),
        ("aio off", "", True)]


def measure(options, shop, kinds, cores, results):
    scenario = Scenario(NAME, "plain", ("lab", None))
    try:
        with mounted(shop.root / "slow"):
            for turn in range(options.rounds):
                for kind, binary in kinds[::-1 if turn % 2 else 1]:
                    for name, http, is_busy in ROWS:
                        server = Server(kind, binary, shop, "plain", cores[0], http=http)
                        once(server, name, http, is_busy, options, cores, results)
    except (Trouble, OSError) as trouble:
        results.add_trouble(f"{NAME}: {trouble}")
    results.show(scenario)


def once(server, name, http, is_busy, options, cores, results):
    row = f"{server.kind.name}, {name}"
    try:
        # A worker that waits for the disk would not let the load's connections in.
        meanwhile = readers(server, SLOW_CLIENTS if is_busy else 0)
        run = lab(server, cores[1], CONNECTIONS, options.seconds, RATE, meanwhile)
        # Clients lose patience with a worker that waits for the disk: the figure shows that.
        results.add(NAME, row, run, may_fail=is_busy and not http)
    except (Trouble, OSError) as trouble:
        results.add_trouble(f"{NAME}, {row}: {trouble}")
    finally:
        server.end()


@contextlib.contextmanager
def mounted(directory):
    """The slow disk, at this directory."""
    directory.mkdir()
    command = [sys.executable, "-B", str(Path(__file__).with_name("slow_disk.py")), str(directory)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as disk:
        try:
            if disk.stdout.readline() != "mounted\n":
                raise Trouble(f"no FUSE file system can be mounted, which takes root: {disk.stderr.read().strip()}")
            yield
        finally:
            disk.stdin.close()
            disk.wait(10)
            directory.rmdir()


@contextlib.contextmanager
def readers(server, count):
    """Clients that ask for one file of the slow disk after the other."""
    is_over = threading.Event()
    clients = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(count)]
    threads = [threading.Thread(target=read, args=(client, number, is_over)) for number, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()


def read(client, number, is_over):
    # The other end, or `readers`, may close at any time.
    with contextlib.suppress(OSError):
        turn = 0
        while not is_over.is_set():
            turn += 1
            client.sendall(f"GET /slow/{number}-{turn} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            left = None
            head = b""
            while left is None or left > 0:
                part = client.recv(1 << 16)
                if not part:
                    return
                if left is None:
                    head += part
                    at = head.find(b"\r\n\r\n")
                    if at < 0:
                        continue
                    if not head.startswith(b"HTTP/1.1 200 "):
                        raise SystemExit(f"the slow disk's file: {head[:60]!r}")
                    length = int(head.lower().partition(b"content-length:")[2].split()[0])
                    left = length - (len(head) - at - 4)
                else:
                    left -= len(part)
