"""What is measured under load: a way to speak, a client and what it asks for."""

from clients import ab, h2load, lab, wrk
from figures import half_of_capacity

PIPELINED = 16
CROWD = 10_000

KEEP_ALIVE = "1 KiB, keep-alive, 64 connections"
BY_SCRIPT = "1 KiB, keep-alive, 64 connections, asked by a script"
STAYING = "1 KiB, keep-alive, 64 connections that were open before"
OPEN = "1 KiB, keep-alive, an open loop at half the capacity"


class Scenario:
    """`ask`: the client's name, and what makes the load (of a server, and a Load) and returns a Run. `file`: what is
    asked for, where not all servers have all files. `base`: the scenario whose cost of the same server this one's is
    compared with. `kept`: also in short runs."""

    def __init__(self, name, way, ask, file="1k.html", base=None, kept=True):
        self.name, self.way, (self.client, self.ask) = name, way, ask
        self.file, self.base, self.kept = file, base, kept


class Load:
    """What a client has to know beside its server: the files, how long, its core, requests/s measured so far."""

    def __init__(self, shop, seconds, core, capacity):
        self.shop, self.seconds, self.core, self.capacity = shop, seconds, core, capacity


def by_wrk(file, connections, *more, script="latency"):
    return "wrk", lambda server, load: wrk(
        server, load.core, "-t1", f"-c{connections}", f"-d{load.seconds}s", f"-s{load.shop.script(script)}", *more,
        server.url(file))


def by_ab(file, connections, *more):
    return "ab", lambda server, load: ab(
        server, load.core, *more, f"-c{connections}", f"-t{load.seconds}", "-n99999999", server.url(file))


def by_h2load(connections, streams):
    def ask(server, load):
        # With one path, a table of HPACK's would hold all that is ever said.
        uris = server.write("uris", "".join(server.url(f"p/{n}.html") + "\n" for n in range(load.shop.PATHS)))
        return h2load(server, load.core, "-t1", f"-c{connections}", f"-m{streams}", "-i", uris, f"-D{load.seconds}")

    return "h2load", ask


def by_lab(connections):
    return "lab", lambda server, load: lab(server, load.core, connections, load.seconds)


def by_open_loop(connections):
    """Latencies count from the time a request was due, so that a stall counts for all who would have met it."""

    def ask(server, load):
        rate = half_of_capacity(*load.capacity(server, KEEP_ALIVE, load))
        run = lab(server, load.core, connections, load.seconds, rate)
        run.latency["planned_per_s"] = rate
        return run

    return "lab", ask


SCENARIOS = [
    Scenario(KEEP_ALIVE, "plain", by_wrk("1k.html", 64)),
    Scenario("1 KiB, a connection each, 64 at a time", "plain", by_wrk("1k.html", 64, "-HConnection: close")),
    Scenario("100 KiB, keep-alive, 16 connections", "plain", by_wrk("100k.html", 16), "100k.html"),
    Scenario("10 MiB, keep-alive, 4 connections", "plain", by_wrk("10m.html", 4), "10m.html"),
    Scenario(f"1 KiB, {PIPELINED} pipelined, 16 connections", "plain", by_wrk("1k.html", 16, script="pipeline")),
    Scenario(OPEN, "plain", by_open_loop(64)),
    Scenario("1 KiB, ab -k, 64 connections", "plain", by_ab("1k.html", 64, "-k"), kept=False),
    Scenario("1 KiB, ab, a connection each, 64 at a time", "plain", by_ab("1k.html", 64), kept=False),
    Scenario(BY_SCRIPT, "plain", by_wrk("1k.html", 64, script="one")),
    Scenario("100,000 files of 1 KiB at random", "plain", by_wrk("1k.html", 64, script="files"), "f/", BY_SCRIPT),
    Scenario("1,000 server names at random", "names", by_wrk("1k.html", 64, script="names"), base=BY_SCRIPT),
    Scenario("500 locations at random", "locations", by_wrk("1k.html", 64, script="locations"), base=BY_SCRIPT),
    Scenario("access log on, 1 KiB, keep-alive, 64 connections", "log", by_wrk("1k.html", 64), base=KEEP_ALIVE),
    Scenario(STAYING, "crowd", by_lab(64)),
    Scenario(f"1 KiB, keep-alive, {CROWD:,} connections", "crowd", by_lab(CROWD), base=STAYING),
    Scenario(
        "100 KiB of text, gzip, keep-alive, 16 connections", "gzip",
        by_wrk("text.html", 16, "-HAccept-Encoding: gzip")),
    Scenario("TLS: 1 KiB, keep-alive, 64 connections", "tls", by_wrk("1k.html", 64)),
    # Of the two clients only wrk keeps the session of its last connection.
    Scenario("TLS: full handshakes, 16 at a time", "tls", by_ab("1k.html", 16, "-fTLS1.3")),
    Scenario("TLS: resumed handshakes, 16 at a time", "tls", by_wrk("1k.html", 16, "-HConnection: close")),
    Scenario("TLS: 10 MiB, keep-alive, 4 connections", "tls", by_wrk("10m.html", 4)),
    Scenario("HTTP/2: 1 KiB, 4 connections of 32 streams", "h2", by_h2load(4, 32)),
    Scenario("HTTP/2 in clear: 1 KiB, 4 connections of 32 streams", "h2c", by_h2load(4, 32)),
]

# In this order: servers of a way run together, and those that need files or connections in plenty come later.
WAYS = ["plain", "log", "gzip", "tls", "h2", "h2c", "names", "locations", "crowd"]
