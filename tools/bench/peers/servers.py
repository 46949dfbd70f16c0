"""The servers, each with a conf for the same files: one process that serves, pinned to one core, without logs.

What a server needs for its best is in its conf (sendfile, TCP_NOPUSH); what would change the work is the same in all:
TLS by a P-256 certificate with session tickets, no cache of sessions, no limit on the requests of a connection.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]

NGINX = """
{user}
daemon off;
worker_processes {workers};
pid {dir}/pid;
error_log {dir}/error.log warn;
events {{ worker_connections 4096; {events} }}
http {{
    client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
    uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
    types {{ text/html html; }}
    log_format who $pid;
    access_log {log};
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 600s;
    keepalive_requests 100000000;
    {http}
    server {{ {server} root {root}; }}
}}
"""

H2O = """
num-threads: 1
max-connections: 4096
http1-request-timeout: 600
http2-idle-timeout: 600
{user}
hosts:
  default:
    listen: {listen}
    paths:
      /:
        file.dir: {root}
{more}
"""

LIGHTTPD = """
server.document-root = "{root}"
server.port = {port}
server.bind = "127.0.0.1"
server.errorlog = "{dir}/error.log"
server.max-keep-alive-requests = 0
server.max-keep-alive-idle = 600
server.max-connections = 4096
server.max-fds = 8192
mimetype.assign = ( ".html" => "text/html" )
{user}
{more}
"""


class Kind:
    """How a server is started. `ways`: what it speaks: plain, gzip (as plain), tls, h2 (over TLS), h2c (in clear)."""

    def __init__(self, name, find, start, ways):
        self.name, self.find, self.start, self.ways = name, find, start, ways


def nginx_conf(listen, http=""):
    """`listen`: by way, the server's lines but for its root."""

    def start(site, binary):
        user = "user www-data;" if os.getuid() == 0 else ""
        text = NGINX.format(
            user=user, workers=site.workers, dir=site.dir, root=site.root, http=http, events=site.events,
            log=f"{site.dir}/who.log who" if site.has_log else "off", server=listen(site))
        return [binary, "-p", str(site.dir), "-c", site.write("conf", text)]

    return start


def new_listen(site):
    """As nginx writes it since 1.25.1, and drover."""
    secure = f"ssl_certificate {site.certificate}; ssl_certificate_key {site.key};"
    return {
        "plain": f"listen 127.0.0.1:{site.port};",
        "gzip": f"listen 127.0.0.1:{site.port}; gzip on; gzip_types text/html;",
        "h2c": f"listen 127.0.0.1:{site.port}; http2 on;",
        "tls": f"listen 127.0.0.1:{site.port} ssl; {secure}",
        "h2": f"listen 127.0.0.1:{site.port} ssl; http2 on; {secure}",
    }[site.way]


def old_listen(site):
    """As nginx 1.22 writes it."""
    return re.sub(r"^(listen [^;]+);(.*) http2 on;", r"\1 http2;\2", new_listen(site))


def h2o(site, binary):
    listen = f"{{host: 127.0.0.1, port: {site.port}"
    if site.way in ("tls", "h2"):
        listen += f", ssl: {{certificate-file: {site.certificate}, key-file: {site.key}, minimum-version: TLSv1.2}}"
    user = "user: www-data" if os.getuid() == 0 else ""
    more = "gzip: ON" if site.way == "gzip" else ""
    return [binary, "-c", site.write("conf", H2O.format(root=site.root, listen=listen + "}", user=user, more=more))]


def lighttpd(site, binary):
    more = ""
    if site.way in ("tls", "h2"):
        pem = site.write("pem", Path(site.certificate).read_text() + Path(site.key).read_text())
        more = f'server.modules += ("mod_openssl")\nssl.engine = "enable"\nssl.pemfile = "{pem}"'
    if site.way == "gzip":
        cache = site.dir / "deflated"
        cache.mkdir(mode=0o777)
        cache.chmod(0o777)
        more = f'server.modules += ("mod_deflate")\ndeflate.mimetypes = ("text/html")\ndeflate.cache-dir = "{cache}"'
    user = 'server.username = "www-data"' if os.getuid() == 0 else ""
    text = LIGHTTPD.format(dir=site.dir, root=site.root, port=site.port, user=user, more=more)
    return [binary, "-D", "-f", site.write("conf", text)]


def program(name):
    """The program in PATH or where Debian has its daemons."""
    return lambda: shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def built(path):
    """What this repository has built."""
    return lambda: str(REPOSITORY / path) if (REPOSITORY / path).exists() else None


EVERY_WAY = {"plain", "gzip", "tls", "h2", "h2c"}
OPEN_FILE_CACHE = "open_file_cache max=1000 inactive=60s;"

KINDS = [
    Kind("nginx 1.28.3", built("target/nginx/nginx"), nginx_conf(new_listen), EVERY_WAY),
    Kind("nginx of Debian", program("nginx"), nginx_conf(old_listen), EVERY_WAY),
    Kind("nginx 1.28.3, open_file_cache", built("target/nginx/nginx"), nginx_conf(new_listen, OPEN_FILE_CACHE),
         {"plain", "gzip"}),
    Kind("drover", built("target/release/drover"), nginx_conf(new_listen), EVERY_WAY),
    Kind("h2o", program("h2o"), h2o, EVERY_WAY),
    Kind("lighttpd", program("lighttpd"), lighttpd, EVERY_WAY),
]


class Server:
    """A running server in a directory of its own, ended with its whole process group."""

    def __init__(self, kind, binary, shop, way, core=None, workers=1, mutex=None, has_log=False):
        self.name = f"{kind.name}, accept_mutex {mutex}" if mutex else kind.name
        self.way, self.workers, self.has_log, self.root = way, workers, has_log, shop.root
        self.events = f"accept_mutex {mutex};" if mutex else ""
        self.certificate, self.key = shop.certificate, shop.key
        self.dir = shop.new_directory()
        self.port = free_port()
        pin = (lambda: os.sched_setaffinity(0, {core})) if core is not None else None
        self.output = open(self.dir / "output", "wb")
        self.process = subprocess.Popen(
            kind.start(self, binary), stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            start_new_session=True, preexec_fn=pin)
        self.wait_until_it_answers()

    def write(self, name, text):
        """A file in the server's directory; returns its path."""
        path = self.dir / name
        path.write_text(text)
        return str(path)

    def wait_until_it_answers(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit(f"{self.name} did not start:\n{(self.dir / 'output').read_text()}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as client:
                    # Before the server listens, a client that is given this very port meets itself.
                    if client.getsockname() == client.getpeername():
                        continue
                if self.workers == 1 or len(children(self.process.pid)) >= self.workers:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        sys.exit(f"{self.name} does not answer")

    def url(self, name):
        """The address of a file."""
        scheme = "https" if self.way in ("tls", "h2") else "http"
        return f"{scheme}://127.0.0.1:{self.port}/{name}"

    def pids(self):
        """The server's processes."""
        return [self.process.pid, *children(self.process.pid)]

    def cpu(self):
        """CPU seconds that the threads of the server have used, to the ns."""
        return sum(on_cpu(pid) for pid in self.pids()) / 1e9

    def memory(self):
        """Bytes of memory that belong to the processes alone, files apart."""
        return sum(anonymous(pid) for pid in self.pids())

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.output.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stat(pid):
    # The name in parentheses may hold blanks.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def on_cpu(pid):
    try:
        return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    except OSError:
        return 0


def anonymous(pid):
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(re.search(r"^Private_Dirty:\s+(\d+) kB", rollup, re.M)[1]) * 1024


def children(parent):
    found = []
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and int(stat(entry.name)[1]) == parent:
                found.append(int(entry.name))
        except OSError:
            pass
    return sorted(found)
