"""drover beside its peers: the same files, the same load, by turns. `tools/bench/run` builds what is missing, and runs
this.

One serving process on one core, the client on another, every server measured in every round, medians of the rounds.
CPU time is user + system time of the server's whole process tree, per request: it says more than requests/s, because
the client is the first to run out of CPU. Everything stays on 127.0.0.1, in a temporary directory, and ends by itself.

    tools/bench/run --quick                        the newest nginx, drover, h2o and a bare loop, one round: 2 minutes
    tools/bench/run --only TLS --servers nginx,h2o,drover
    tools/bench/run --json all.json                everything, in 5 rounds of 2 seconds: 45 minutes
    tools/bench/run --readme                       writes README's table and charts: 15 minutes
    tools/bench/run --readme --from all.json       the same of figures that are there
"""

import argparse
import resource
import sys
import tempfile
import traceback
from pathlib import Path

import beside
import confs
import crossing
import idle
import readme
import report
import starts
from clients import REPOSITORY, Trouble, need
from scenarios import CROWD, SCENARIOS, WAYS
from servers import MANY_CONNECTIONS, Server
from shop import Shop

IDLE = {"plain": "an idle connection", "tls": "TLS: an idle connection", "h2": "HTTP/2: an idle connection",
        "h2c": "HTTP/2 in clear: an idle connection"}

# Seconds and rounds of each measurement, starts of each server, and the servers.
QUICK = (1, 1, 3, "nginx,drover,h2o,floor")
FOR_README = (1, 3, 7, "nginx,nginx-cached,drover,h2o,lighttpd,caddy,sws,floor")
FULL = (2, 5, 9, "")


def main():
    options = arguments()
    if options.source:
        results = report.Results.read(options.source)
    else:
        results = measured(options)
    if options.json and not options.source:
        results.write(options.json)
    if options.readme:
        readme.write(REPOSITORY, results)
    if results.troubles:
        # The whole of each was said when it came.
        sys.exit("Not measured:\n  " + "\n  ".join(dict.fromkeys(text.splitlines()[0] for text in results.troubles)))
    for name, count in results.failed.items():
        print(f"{count} requests to {name} failed, as their clients count")
    if any(name.startswith("drover") for name in results.failed):
        sys.exit(1)


def measured(options):
    cores = report.two_cores()
    # Servers inherit it, for the connections that wait.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pairs = [(kind, options.binary if kind.key == "drover" and options.binary else kind.find())
             for kind in options.kinds]
    results = report.Results(options, pairs)
    for name, get in results.environment["missing"].items():
        print(f"MISSING, and not measured: {name} ({get})")
    kinds = [(kind, binary) for kind, binary in pairs if binary]
    if not kinds:
        sys.exit("no server to measure")
    scenarios = [each for each in SCENARIOS if options.only in each.name and (each.kept or options.is_full)]
    if hard < MANY_CONNECTIONS * 8 // 7 and any(each.way == "crowd" for each in scenarios):
        results.add_trouble(f"{CROWD} connections: only {hard} descriptors are allowed (ulimit -Hn)")
        scenarios = [each for each in scenarios if each.way != "crowd"]
    for client in sorted({each.client for each in scenarios}):
        try:
            need(client)
        except Trouble as trouble:
            results.add_trouble(str(trouble))
            scenarios = [each for each in scenarios if each.client != client]
    try:
        with tempfile.TemporaryDirectory(prefix="drover-peers-") as directory:
            measure_all(options, Shop(directory), kinds, scenarios, cores, results)
    except KeyboardInterrupt:
        results.add_trouble("all that comes behind Ctrl-C")
    except Exception as error:
        # What was measured before is not lost.
        traceback.print_exc()
        results.add_trouble(f"all that comes behind {error!r}")
    return results


def measure_all(options, shop, kinds, scenarios, cores, results):
    if any(starts.names(options.only)):
        starts.measure(options, shop, kinds, cores[0], results)
    for way in WAYS:
        measure_way(options, shop, kinds, way, [each for each in scenarios if each.way == way], cores, results)
    if options.only in beside.NAME and (options.is_full or options.only):
        beside.measure(options, shop, [pair for pair in kinds if pair[0].key in beside.KEYS], cores, results)
    both = [pair for pair in kinds if pair[0].key in ("drover", "floor")]
    if options.only in crossing.NAME and both and (options.is_full or options.only):
        crossing.measure(options, shop, both, cores, results)


def measure_way(options, shop, kinds, way, scenarios, cores, results):
    """Starts the servers that speak this way, and measures by turns."""
    has_idle = way in IDLE and options.only in IDLE[way]
    kinds = [(kind, binary) for kind, binary in kinds if way in kind.ways]
    if not kinds or not scenarios and not has_idle:
        return
    servers = []
    try:
        for kind, binary in kinds:
            try:
                servers.append(Server(kind, binary, shop, way, cores[0]))
            except Trouble as trouble:
                results.add_trouble(str(trouble))
        # Before the loads, which leave memory behind.
        for server in servers if has_idle else []:
            try:
                results.add_memory(IDLE[way], server.name, idle.bytes_each(server))
            except (Trouble, OSError) as trouble:
                results.add_trouble(f"{IDLE[way]}, {server.name}: {trouble}")
        if has_idle:
            results.show_memory(IDLE[way])
        for scenario in scenarios:
            able = [each for each in servers if each.kind.measures(scenario)]
            if able:
                results.measure(scenario, able, shop, cores[1])
    finally:
        for server in servers:
            server.end()


def arguments():
    parser = argparse.ArgumentParser(
        prog="tools/bench/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few servers, one round of one second")
    parser.add_argument("--readme", action="store_true", help="write README's table and its charts")
    parser.add_argument("--from", dest="source", metavar="FILE", help="measure nothing: take the figures of --json")
    parser.add_argument("--binary", help="drover's binary (target/release/drover)")
    parser.add_argument("--seconds", type=int, help="length of one measurement")
    parser.add_argument("--rounds", type=int, help="measurements of each")
    parser.add_argument("--only", default="", help="only what has this text in its name")
    parser.add_argument("--servers", "--only-servers", metavar="LIST", help="only these, with commas between: "
                        + ", ".join(kind.key for kind in confs.KINDS) + "; or the beginnings of their names")
    parser.add_argument("--json", metavar="FILE", help="write all figures to this file")
    options = parser.parse_args()
    options.is_full = not (options.quick or options.readme)
    seconds, rounds, options.starts, servers = QUICK if options.quick else FOR_README if options.readme else FULL
    options.seconds, options.rounds = options.seconds or seconds, options.rounds or rounds
    try:
        options.kinds = confs.wanted(options.servers if options.servers is not None else servers)
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    main()
