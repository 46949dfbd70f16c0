"""Memory beside sendfile: from which size on does drover's sendfile cost less? With `sendfile on` it keeps files up to
24 KiB in memory (MAX_BODY in src/serve/file_cache.rs), with `sendfile off` up to 256 KiB, and reads longer ones in
pieces. So the two are the same up to 24 KiB, and beside each other from 32 KiB to 256 KiB."""

import figures
from clients import wrk
from servers import Server

NAME = "memory beside sendfile"
SIZES = [4, 8, 16, 24, 32, 48, 64, 100, 128, 256, 512, 1024]


def measure(options, shop, drover, cores, results):
    kind, binary = drover
    for size in SIZES:
        shop.file(f"size{size}", size << 10)
    servers = {}
    try:
        for way in ("on", "off"):
            servers[way] = Server(kind, binary, shop, "plain", cores[0], sendfile=way)
        for size in SIZES:
            for turn in range(options.rounds):
                for way in (("on", "off"), ("off", "on"))[turn % 2]:
                    url = servers[way].url(f"size{size}.html")
                    run = wrk(servers[way], cores[1], "-t1", "-c16", f"-d{options.seconds}s", url)
                    results.add_crossing(size, way, run)
    finally:
        for server in servers.values():
            server.end()
    show(results)


def show(results):
    print(f"\n{NAME}: drover's CPU µs a request, 16 connections that stay")
    for size, ways in results.crossing.items():
        on, off = (figures.spread(ways[way]) for way in ("on", "off"))
        of = figures.spread(figures.ratios(ways["off"], ways["on"]))
        print(f"  {size:5} KiB   sendfile on {on.middle:8.1f}   off {off.middle:8.1f}   "
              f"{of.middle:.2f} ({of.least:.2f}, {of.most:.2f})", flush=True)
