"""What is measured: a way to speak, a client and what it asks for."""

from clients import ab, h2load, wrk

PIPELINED = 16


class Scenario:
    """`ask(site, seconds, core)` makes the load and returns requests done, seconds, requests failed."""

    def __init__(self, name, way, ask):
        self.name, self.way, self.ask = name, way, ask


def by_wrk(file, connections, *more):
    return lambda server, shop, seconds, core: wrk(
        core, "-t1", f"-c{connections}", f"-d{seconds}s", *(arg.format(shop=shop) for arg in more), server.url(file))


def by_ab(file, connections, *more):
    return lambda server, shop, seconds, core: ab(
        core, *more, f"-c{connections}", f"-t{seconds}", "-n99999999", server.url(file))


def by_h2load(connections, streams):
    def ask(server, shop, seconds, core):
        # With one path, a table of HPACK's would hold all that is ever said.
        uris = server.write("uris", "".join(server.url(f"p/{n}.html") + "\n" for n in range(shop.PATHS)))
        return h2load(core, "-t1", f"-c{connections}", f"-m{streams}", "-i", uris, f"-D{seconds}")

    return ask


SCENARIOS = [
    Scenario("1 KiB, keep-alive, 64 connections", "plain", by_wrk("1k.html", 64)),
    Scenario("1 KiB, a connection each, 64 at a time", "plain", by_wrk("1k.html", 64, "-HConnection: close")),
    Scenario("100 KiB, keep-alive, 16 connections", "plain", by_wrk("100k.html", 16)),
    Scenario("10 MiB, keep-alive, 4 connections", "plain", by_wrk("10m.html", 4)),
    Scenario(f"1 KiB, {PIPELINED} pipelined, 16 connections", "plain", by_wrk("1k.html", 16, "-s{shop.pipeline}")),
    Scenario(
        "100 KiB of text, gzip, keep-alive, 16 connections", "gzip",
        by_wrk("text.html", 16, "-HAccept-Encoding: gzip")),
    Scenario("1 KiB, ab -k, 64 connections", "plain", by_ab("1k.html", 64, "-k")),
    Scenario("1 KiB, ab, a connection each, 64 at a time", "plain", by_ab("1k.html", 64)),
    Scenario("TLS: 1 KiB, keep-alive, 64 connections", "tls", by_wrk("1k.html", 64)),
    # Of the two clients only wrk keeps the session of its last connection.
    Scenario("TLS: full handshakes, 16 at a time", "tls", by_ab("1k.html", 16, "-fTLS1.3")),
    Scenario("TLS: resumed handshakes, 16 at a time", "tls", by_wrk("1k.html", 16, "-HConnection: close")),
    Scenario("TLS: 10 MiB, keep-alive, 4 connections", "tls", by_wrk("10m.html", 4)),
    Scenario("HTTP/2: 1 KiB, 4 connections of 32 streams", "h2", by_h2load(4, 32)),
    Scenario("HTTP/2 in clear: 1 KiB, 4 connections of 32 streams", "h2c", by_h2load(4, 32)),
]
