"""drover beside its peers: the same files, the same load, by turns.

One serving process on one core, the client on another, every server measured in every round, medians of the rounds.
CPU time is user + system time of the server's whole process tree, per request: it says more than requests/s, because
the client is the first to run out of CPU. Everything stays on 127.0.0.1, in a temporary directory, and ends by itself.
"""

import argparse
import resource
import sys
import tempfile

import chart
import idle
import report
from scenarios import SCENARIOS
from servers import KINDS, Server
from shop import Shop


def main():
    options = arguments()
    cores = report.two_cores()
    # Servers inherit it, for the connections that wait.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kinds = [(kind, binary) for kind, binary in found(options) if binary]
    scenarios = [each for each in SCENARIOS if options.only in each.name]
    results = report.Results(options, kinds)
    with tempfile.TemporaryDirectory(prefix="drover-peers-") as directory:
        shop = Shop(directory)
        for way in ("plain", "gzip", "tls", "h2", "h2c"):
            measure_way(options, shop, kinds, way, [each for each in scenarios if each.way == way], cores, results)
    if options.json:
        results.write(options.json)
    if options.svg:
        chart.write(options.svg, results)
    if results.failed:
        sys.exit(f"{results.failed} requests failed")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="drover's binary (target/release/drover)")
    parser.add_argument("--seconds", type=int, default=2, help="length of one measurement (2)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each (5)")
    parser.add_argument("--only", default="", help="only what has this text in its name")
    parser.add_argument("--servers", help="only these, by the beginnings of their names, with commas between")
    parser.add_argument("--json", help="writes all figures to this file")
    parser.add_argument("--svg", help="draws the ratios in this file")
    return parser.parse_args()


def found(options):
    """Kinds of servers and their programs. Those that are missing are named; drover and a peer must be there."""
    wanted = options.servers.split(",") if options.servers else [""]
    pairs = [
        (kind, options.binary if kind.name == "drover" and options.binary else kind.find())
        for kind in KINDS if any(kind.name.startswith(name) for name in wanted)
    ]
    missing = [kind.name for kind, binary in pairs if not binary]
    if missing:
        print(f"Not measured, because missing: {', '.join(missing)} (cargo build --release, tools/nginx, apt-get install)")
    if not any(binary for _, binary in pairs):
        sys.exit("no server to measure")
    return pairs


def measure_way(options, shop, kinds, way, scenarios, cores, results):
    """Starts the servers that speak this way, and measures by turns."""
    name = {"plain": "an idle connection", "tls": "TLS: an idle connection", "h2": "HTTP/2: an idle connection",
            "h2c": "HTTP/2 in clear: an idle connection"}.get(way)
    has_idle = name is not None and options.only in name
    if not scenarios and not has_idle:
        return
    servers = []
    try:
        servers += [Server(kind, binary, shop, way, cores[0]) for kind, binary in kinds if way in kind.ways]
        for scenario in scenarios:
            results.measure(scenario, servers, shop, cores[1])
        if has_idle:
            for server in servers:
                results.add_memory(name, server.name, idle.bytes_each(server))
            results.show_memory(name)
    finally:
        for server in servers:
            server.end()


if __name__ == "__main__":
    main()
