"""The servers and their confs: the same files, one process that serves, no log unless the log is the subject.

What a server needs for its best is in its conf (sendfile, TCP_NOPUSH); what would change the work is the same in all:
TLS by a P-256 certificate with session tickets, no cache of sessions, no limit on the requests of a connection.
"""

import os
import re
from pathlib import Path

from clients import built, program
from shop import LOCATIONS, NAMES

NGINX = """
{user}
daemon off;
worker_processes {workers};
pid {dir}/pid;
error_log {dir}/error.log warn;
events {{ worker_connections {connections}; {events} }}
http {{
    client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
    uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
    types {{ text/html html; }}
    log_format who $pid;
    access_log {log};
    sendfile {sendfile};
    tcp_nopush on;
    keepalive_timeout 600s;
    keepalive_requests 100000000;
    server_names_hash_max_size 4096;
    {http}
    server {{ {listen} root {root}; {locations} }}
    {servers}
}}
"""

H2O = """
num-threads: 1
max-connections: {connections}
http1-request-timeout: 600
http2-idle-timeout: 600
listen: {listen}
{more}
hosts:
{hosts}
"""

LIGHTTPD = """
server.document-root = "{root}"
server.port = {port}
server.bind = "127.0.0.1"
server.errorlog = "{dir}/error.log"
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 600
server.max-connections = {connections}
server.max-fds = {descriptors}
mimetype.assign = ( ".html" => "text/html" )
{more}
"""

CADDY = """
{{
    admin off
    auto_https off
    servers {{
        protocols h1 {protocols}
        timeouts {{
            idle 600s
        }}
    }}
}}
{sites}
"""

EVERY_WAY = {"plain", "log", "gzip", "tls", "h2", "h2c", "names", "locations", "crowd"}
OPEN_FILE_CACHE = "open_file_cache max=1000 inactive=60s;"
SECURE = ("tls", "h2")


class Kind:
    """A server. `find`: its program, `get`: where to have it from. `start`: its command. `ways`: what it speaks: plain;
    tls; h2 over TLS, h2c in clear; or, plainly, what its conf has: log, gzip, names, locations, a crowd of connections.
    `files`: what it has, where that isn't all. `reloads`: it has nginx's conf, and takes it again at a HUP."""

    def __init__(self, key, name, find, get, start, ways=EVERY_WAY, files=None, reloads=False):
        self.key, self.name, self.find, self.get, self.start = key, name, find, get, start
        self.ways, self.files, self.reloads = ways, files, reloads

    def measures(self, scenario):
        return scenario.way in self.ways and (self.files is None or scenario.file in self.files)


def user(line):
    """Servers that root starts serve as somebody else."""
    return line if os.getuid() == 0 else ""


def nginx_conf(listen, http=""):
    """`listen`: the server's lines but for its root, by way."""

    def start(site, binary):
        log = {"log": f"{site.dir}/access.log"}.get(site.way, "off")
        named = range(NAMES) if site.way == "names" else []
        locations = range(LOCATIONS) if site.way == "locations" else []
        port = f"listen 127.0.0.1:{site.port};"
        text = NGINX.format(
            user=user("user www-data;"), workers=site.workers, dir=site.dir, root=site.root, http=http + site.http,
            events=site.events, connections=site.connections, sendfile=site.sendfile, listen=listen(site),
            log=f"{site.dir}/who.log who" if site.has_log else log,
            servers="\n    ".join(f"server {{ {port} server_name site{n}.example; root {site.root}; }}" for n in named),
            locations=" ".join(f"location /place{n}/ {{ }}" for n in locations))
        return [binary, "-p", str(site.dir), "-c", site.write("conf", text)]

    return start


def new_listen(site):
    """As nginx writes it since 1.25.1, and drover."""
    secure = f"ssl_certificate {site.certificate}; ssl_certificate_key {site.key};"
    return {
        "gzip": f"listen 127.0.0.1:{site.port}; gzip on; gzip_types text/html;",
        "h2c": f"listen 127.0.0.1:{site.port}; http2 on;",
        "tls": f"listen 127.0.0.1:{site.port} ssl; {secure}",
        "h2": f"listen 127.0.0.1:{site.port} ssl; http2 on; {secure}",
    }.get(site.way, f"listen 127.0.0.1:{site.port};")


def deferred(site):
    """As h2o listens: a connection waits in the kernel until its request is there."""
    return f"listen 127.0.0.1:{site.port} deferred;"


def old_listen(site):
    """As nginx 1.22 writes it."""
    return re.sub(r"^(listen [^;]+);(.*) http2 on;", r"\1 http2;\2", new_listen(site))


def h2o(site, binary):
    listen = f"{{host: 127.0.0.1, port: {site.port}"
    if site.way in SECURE:
        listen += f", ssl: {{certificate-file: {site.certificate}, key-file: {site.key}, minimum-version: TLSv1.2}}"
    more = {"gzip": "gzip: ON", "log": f"access-log: {site.dir}/access.log"}.get(site.way, "")
    places = [f"/place{n}" for n in range(LOCATIONS)] if site.way == "locations" else []
    paths = "".join(f"      {path or '/'}:\n        file.dir: {site.root}{path}\n" for path in ["", *places])
    names = ["default", *(f"site{n}.example" for n in (range(NAMES) if site.way == "names" else []))]
    hosts = "".join(f"  {name}:\n    paths:\n{paths}" for name in names)
    text = H2O.format(connections=site.connections, listen=listen + "}", hosts=hosts,
                      more=more + user("\nuser: www-data"))
    return [binary, "-c", site.write("conf", text)]


def lighttpd(site, binary):
    more = user('server.username = "www-data"\n')
    if site.way in SECURE:
        pem = site.write("pem", Path(site.certificate).read_text() + Path(site.key).read_text())
        more += f'server.modules += ("mod_openssl")\nssl.engine = "enable"\nssl.pemfile = "{pem}"'
    if site.way == "gzip":
        cache = site.dir / "deflated"
        cache.mkdir(mode=0o777)
        cache.chmod(0o777)
        more += f'server.modules += ("mod_deflate")\ndeflate.mimetypes = ("text/html")\ndeflate.cache-dir = "{cache}"'
    if site.way == "log":
        more += f'server.modules += ("mod_accesslog")\naccesslog.filename = "{site.dir}/access.log"'
    if site.way == "names":
        hosts = (f'$HTTP["host"] == "site{n}.example" {{ server.document-root = "{site.root}" }}' for n in range(NAMES))
        more += "\nelse ".join(hosts)
    if site.way == "locations":
        places = (f'$HTTP["url"] =^ "/place{n}/" {{ server.document-root = "{site.root}" }}' for n in range(LOCATIONS))
        more += "\nelse ".join(places)
    text = LIGHTTPD.format(dir=site.dir, root=site.root, port=site.port, more=more, connections=site.connections,
                           descriptors=2 * site.connections + 100)
    return [binary, "-D", "-f", site.write("conf", text)]


def caddy(site, binary):
    scheme = "https" if site.way in SECURE else "http"
    lines = ["bind 127.0.0.1", f"root * {site.root}"]
    lines += [f"tls {site.certificate} {site.key}"] if site.way in SECURE else []
    lines += ["encode gzip"] if site.way == "gzip" else []
    lines += [f"log {{\noutput file {site.dir}/access.log\n}}"] if site.way == "log" else []
    places = range(LOCATIONS) if site.way == "locations" else []
    lines += [f"handle /place{n}/* {{\nfile_server\n}}" for n in places] + ["file_server"]
    hosts = ["127.0.0.1", "localhost", *(f"site{n}.example" for n in (range(NAMES) if site.way == "names" else []))]
    # Without a host, what asks for another than the address is answered as well.
    is_named = site.way in (*SECURE, "names")
    names = [f"{scheme}://{host}:{site.port}" for host in hosts] if is_named else [f":{site.port}"]
    sites = "\n".join(name + " {\n" + "\n".join(lines) + "\n}" for name in names)
    protocols = {"h2": "h2", "h2c": "h2c"}.get(site.way, "")
    conf = site.write("Caddyfile", CADDY.format(protocols=protocols, sites=sites))
    site.environment = {"XDG_DATA_HOME": str(site.dir), "XDG_CONFIG_HOME": str(site.dir), "HOME": str(site.dir)}
    return [binary, "run", "--adapter", "caddyfile", "--config", conf]


def static_web_server(site, binary):
    """It logs no requests, has one site and no locations, and speaks HTTP/2 over TLS only."""
    command = [binary, "--host", "127.0.0.1", "--port", str(site.port), "--root", str(site.root),
               "--log-level", "error", "--threads-multiplier", "1", "--compression", str(site.way == "gzip").lower()]
    if site.way in SECURE:
        command += ["--http2", "true", "--http2-tls-cert", str(site.certificate), "--http2-tls-key", str(site.key)]
    return command


def floor(site, binary):
    file = [str(site.file)] if site.file else []
    return [binary, str(site.port), *file, *(["sendfile"] if file and site.sendfile == "on" else [])]


NEW, OLD, DROVER = "target/nginx/nginx", "nginx", "target/release/drover"
SWS = "target/peers/bin/static-web-server"

KINDS = [
    Kind("nginx", "nginx 1.28.3", built(NEW), "tools/nginx", nginx_conf(new_listen), reloads=True),
    Kind("nginx-cached", "nginx 1.28.3 + open_file_cache", built(NEW), "tools/nginx",
         nginx_conf(new_listen, OPEN_FILE_CACHE), {"plain", "log", "gzip", "names", "locations", "crowd"}),
    Kind("debian", "nginx of Debian", program(OLD), "apt-get install nginx", nginx_conf(old_listen), reloads=True),
    Kind("debian-cached", "nginx of Debian + open_file_cache", program(OLD), "apt-get install nginx",
         nginx_conf(old_listen, OPEN_FILE_CACHE), {"plain", "log", "gzip", "names", "locations", "crowd"}),
    Kind("drover", "drover", built(DROVER), "cargo build --release", nginx_conf(new_listen), reloads=True),
    Kind("drover-deferred", "drover + deferred", built(DROVER), "cargo build --release", nginx_conf(deferred),
         {"plain"}),
    Kind("h2o", "h2o", program("h2o"), "apt-get install h2o", h2o),
    Kind("lighttpd", "lighttpd", program("lighttpd"), "apt-get install lighttpd lighttpd-mod-openssl", lighttpd),
    Kind("caddy", "caddy", program("caddy"), "apt-get install caddy", caddy),
    Kind("sws", "static-web-server", built(SWS), "tools/bench/run", static_web_server,
         {"plain", "gzip", "tls", "h2", "crowd"}),
    Kind("floor", "bare epoll loop", built("target/release/floor"), "cargo build --release --package floor",
         floor, {"plain", "crowd"}, {"1k.html", "100k.html"}),
]


def wanted(text):
    """The kinds that a list names by their keys, or by the beginnings of their names."""
    if not text:
        return KINDS
    found = []
    for word in text.split(","):
        exact = [kind for kind in KINDS if kind.key == word]
        named = exact or [kind for kind in KINDS if kind.name.startswith(word)]
        if not named:
            raise ValueError(f'no server is called "{word}": {", ".join(kind.key for kind in KINDS)}')
        found += named
    return [kind for kind in KINDS if kind in found]
