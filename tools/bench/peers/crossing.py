"""Memory beside sendfile, by the size of the file: where do the two cost the same on this machine?

The bare loop sends each file in both ways: what the kernel takes. drover is measured with `sendfile on`, which keeps
files up to 24 KiB in memory (MAX_BODY in src/serve/file_cache.rs), and with `sendfile off`, which keeps those up to 256
KiB, and reads longer ones in pieces; so its two are the same up to 24 KiB, and beside each other from 32 to 256."""

import figures
from clients import wrk
from servers import Server

NAME = "memory beside sendfile"
SIZES = [4, 8, 16, 24, 32, 48, 64, 100, 128, 256, 512, 1024]


def measure(options, shop, kinds, cores, results):
    """`kinds`: drover and the bare loop, or the one that is there."""
    for size in SIZES:
        shop.file(f"size{size}", size << 10)
    print(f"\n{NAME}: CPU µs a request, 16 connections that stay")
    for size in SIZES:
        servers = {}
        try:
            for kind, binary in kinds:
                for way in ("sendfile", "memory"):
                    servers[kind.name, way] = Server(
                        kind, binary, shop, "plain", cores[0], sendfile="on" if way == "sendfile" else "off",
                        file=shop.root / f"size{size}.html")
            for turn in range(options.rounds):
                for (name, way), server in list(servers.items())[::-1 if turn % 2 else 1]:
                    run = wrk(server, cores[1], "-t1", "-c16", f"-d{options.seconds}s", server.url(f"size{size}.html"))
                    results.add_crossing(name, size, way, run)
        finally:
            for server in servers.values():
                server.end()
        for kind, _ in kinds:
            show(kind.name, size, results.crossing[kind.name][size])


def show(name, size, ways):
    by_sendfile, memory = (figures.spread(ways[way]) for way in ("sendfile", "memory"))
    of = figures.spread(figures.ratios(ways["memory"], ways["sendfile"]))
    print(f"  {size:5} KiB   {name:16} sendfile {by_sendfile.middle:8.1f}   memory {memory.middle:8.1f}   "
          f"{of.middle:.2f} ({of.least:.2f}, {of.most:.2f})", flush=True)
