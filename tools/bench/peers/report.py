"""The figures: kept, shown beside those of the first server, and written as JSON."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path


class Results:
    """Measurements by scenario and server."""

    def __init__(self, options, kinds):
        self.environment = {
            "date": time.strftime("%Y-%m-%d"), "kernel": platform.release(), "cpu": cpu_model(),
            "seconds": options.seconds, "rounds": options.rounds,
            "versions": {kind.name: version(kind, binary) for kind, binary in kinds},
        }
        self.seconds, self.turns = options.seconds, options.rounds
        self.first, self.rounds, self.memory, self.failed = None, {}, {}, 0

    def measure(self, scenario, servers, shop, core):
        """Each round starts with another server, so that none is always the first."""
        for turn in range(self.turns):
            for server in servers[turn % len(servers):] + servers[:turn % len(servers)]:
                before = server.cpu()
                done, took, failed = scenario.ask(server, shop, self.seconds, core)
                self.add(scenario.name, server.name, done, took, failed, server.cpu() - before)
        self.show(scenario.name, servers[0].name)

    def add(self, scenario, server, done, took, failed, cpu):
        self.failed += failed
        row = {"requests_per_s": done / took, "cpu_us": cpu / max(done, 1) * 1e6, "failed": failed}
        self.rounds.setdefault(scenario, {}).setdefault(server, []).append(row)

    def add_memory(self, name, server, each):
        self.memory.setdefault(name, {})[server] = each

    def ratios(self, scenario, first):
        """By server: CPU time a request over the first server's, of each round, which were measured together."""
        servers = self.rounds[scenario]
        base = [row["cpu_us"] for row in servers[first]]
        return {
            name: [row["cpu_us"] / of if of else 0 for row, of in zip(rows, base)] for name, rows in servers.items()
        }

    def show(self, scenario, first):
        self.first = first
        servers, ratios = self.rounds[scenario], self.ratios(scenario, first)
        print(f"\n{scenario}")
        print(f"  {'':34}{'requests/s':>11}{'CPU us':>9}   of {first}'s (least, most)")
        for name, rows in servers.items():
            rate, cpu = (statistics.median(row[column] for row in rows) for column in ("requests_per_s", "cpu_us"))
            failed = sum(row["failed"] for row in rows)
            note = f"  failed: {failed}" if failed else ""
            of = ratios[name]
            print(f"  {name:34}{rate:11.0f}{cpu:9.2f}   {statistics.median(of):.2f} ({min(of):.2f}, {max(of):.2f}){note}")
        sys.stdout.flush()

    def show_memory(self, name):
        print(f"\n{name}, bytes")
        for server, each in self.memory[name].items():
            print(f"  {server:34}{each:11.0f}")
        sys.stdout.flush()

    def write(self, path):
        whole = {"environment": self.environment, "rounds": self.rounds, "idle_bytes": self.memory}
        Path(path).write_text(json.dumps(whole, indent=1) + "\n")


def two_cores():
    """A core for the server, and one for the client."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("needs two CPUs: one for the server, one for the client")
    return cores[:2]


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def version(kind, binary):
    flag = "--version" if kind.name == "h2o" else "-v"
    done = subprocess.run([binary, flag], capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines()[0].strip()
