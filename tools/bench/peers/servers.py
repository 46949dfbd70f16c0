"""A running server: started with a conf of its own, pinned, watched, ended."""

import functools
import os
import signal
import socket
import ssl
import subprocess
import time

import proc
from clients import Trouble, pinned

CONNECTIONS = 4096
# For those that come in a crowd: nginx begins to close idle ones when a sixteenth of its slots is left.
MANY_CONNECTIONS = 12_000

GET = b"GET /1k.html HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Server:
    """A running server in a directory of its own, ended with its whole process group."""

    def __init__(self, kind, binary, shop, way, core=None, workers=1, mutex=None, has_log=False, http="",
                 sendfile="on", file=None):
        self.kind, self.name = kind, f"{kind.name}, accept_mutex {mutex}" if mutex else kind.name
        self.way, self.workers, self.has_log, self.root = way, workers, has_log, shop.root
        self.events = f"accept_mutex {mutex};" if mutex else ""
        self.http, self.sendfile, self.file = http, sendfile, file
        self.connections = MANY_CONNECTIONS if way == "crowd" else CONNECTIONS
        self.certificate, self.key = shop.certificate, shop.key
        self.dir, self.environment = shop.new_directory(), {}
        self.port, self.binary = free_port(), binary
        command = kind.start(self, binary)
        self.output = open(self.dir / "output", "wb")
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, start_new_session=True,
            env={**os.environ, **self.environment}, preexec_fn=pinned(core))
        try:
            self.wait_for(b" 200 ")
        except Trouble:
            self.end()
            raise

    def reload(self, http):
        """Gives it a conf with other lines for all servers."""
        self.http = http
        self.kind.start(self, self.binary)
        self.process.send_signal(signal.SIGHUP)

    def write(self, name, text):
        """A file in the server's directory; returns its path."""
        path = self.dir / name
        path.write_text(text)
        return str(path)

    def wait_for(self, text, seconds=20):
        """Asks on one new connection after the other until the answer's head holds the text."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Trouble(f"{self.name} did not start:\n{(self.dir / 'output').read_text()[-2000:]}")
            if text in self.head() and (self.workers == 1 or len(proc.children(self.process.pid)) >= self.workers):
                return
            time.sleep(0.0005)
        raise Trouble(f"{self.name} does not answer ({self.way}):\n{(self.dir / 'output').read_text()[-2000:]}")

    def connect(self):
        """A connection that has asked for a small file, as the server's way has it."""
        client = socket.create_connection(("127.0.0.1", self.port), 10)
        # What is sent in two pieces, as behind a handshake, must not wait for an acknowledgement.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Before the server listens, a client that is given this very port meets itself.
        if client.getsockname() == client.getpeername():
            client.close()
            raise ConnectionRefusedError
        if self.way in ("tls", "h2"):
            client = trusting("h2" if self.way == "h2" else "http/1.1").wrap_socket(client)
        is_h2 = self.way in ("h2", "h2c")
        client.sendall(preface("https" if self.way == "h2" else "http") if is_h2 else GET)
        return client

    def head(self):
        """The head of the answer to a request for a small file; nothing when there is none."""
        try:
            with self.connect() as client:
                if self.way in ("h2", "h2c"):
                    return b" 200 " if client.recv(4096) else b""
                got = b""
                while b"\r\n\r\n" not in got and (part := client.recv(4096)):
                    got += part
                return got.partition(b"\r\n\r\n")[0]
        except OSError:
            return b""

    def url(self, name):
        """The address of a file."""
        scheme = "https" if self.way in ("tls", "h2") else "http"
        return f"{scheme}://127.0.0.1:{self.port}/{name}"

    def cpu(self):
        """CPU seconds that the processes of the server have used, to the ns."""
        return sum(proc.on_cpu(pid) for pid in proc.tree(self.process.pid)) / 1e9

    def memory(self):
        """Bytes of memory that belong to the processes alone, files apart."""
        return sum(proc.anonymous(pid) for pid in proc.tree(self.process.pid))

    def share(self):
        """Bytes of memory of all processes; what they share counts once."""
        return sum(proc.share(pid) for pid in proc.tree(self.process.pid))

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.output.close()


def preface(scheme):
    """HTTP/2's preface, empty SETTINGS, and a request as RFC 9113 frames it, its fields by RFC 7541: :method GET,
    :scheme, :path, :authority."""
    fields = b"\x82" + {"http": b"\x86", "https": b"\x87"}[scheme] + b"\x04\x08/1k.html" + b"\x41\x09localhost"
    head = len(fields).to_bytes(3, "big") + b"\x01\x05" + (1).to_bytes(4, "big")
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0" + head + fields


@functools.cache
def trusting(protocol):
    """What a client needs to speak to any server by TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
