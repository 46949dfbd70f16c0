"""The figures: kept, shown beside those of the first server, and written as JSON."""

import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import figures
from scenarios import SCENARIOS, Load


class Results:
    """Measurements by scenario and server. `kinds`: pairs of a kind and its program, `None` where it is missing."""

    def __init__(self, options, kinds):
        self.environment = {
            "date": time.strftime("%Y-%m-%d"), "kernel": platform.release(), "cpu": cpu_model(), "cpus": os.cpu_count(),
            "seconds": options.seconds, "rounds": options.rounds,
            "versions": {kind.name: version(kind, binary) for kind, binary in kinds if binary},
            "missing": {kind.name: kind.get for kind, binary in kinds if not binary},
        }
        self.seconds, self.turns, self.began = options.seconds, options.rounds, time.monotonic()
        self.rounds, self.memory, self.times, self.crossing = {}, {}, {}, {}
        self.failed, self.troubles = {}, []

    def measure(self, scenario, servers, shop, core):
        """Each round starts with another server, so that none is always the first."""
        load = Load(shop, self.seconds, core, self.capacity)
        broken = set()
        for turn in range(self.turns):
            for server in servers[turn % len(servers):] + servers[:turn % len(servers)]:
                if server.name in broken:
                    continue
                try:
                    self.add(scenario.name, server.name, scenario.ask(server, load))
                except Exception as trouble:
                    broken.add(server.name)
                    self.add_trouble(f"{scenario.name}, {server.name}: {trouble}")
        self.show(scenario)

    def add(self, scenario, server, run, may_fail=False):
        self.add_failed(server, 0 if may_fail else run.failed)
        self.rounds.setdefault(scenario, {}).setdefault(server, []).append(run.row())

    def add_failed(self, server, count):
        if count:
            self.failed[server] = self.failed.get(server, 0) + count

    def add_trouble(self, text):
        """What could not be measured is said at once, and at the end; the others are measured all the same."""
        print(f"Not measured: {text}", flush=True)
        self.troubles.append(text)

    def add_memory(self, name, server, size):
        self.memory.setdefault(name, {}).setdefault(server, []).append(size)

    def add_time(self, name, server, seconds):
        self.times.setdefault(name, {}).setdefault(server, []).append(seconds * 1e6)

    def add_crossing(self, server, size, way, run):
        self.add_failed(server, run.failed)
        sizes = self.crossing.setdefault(server, {})
        sizes.setdefault(size, {}).setdefault(way, []).append(run.row()["cpu_us"])

    def capacity(self, server, name, load):
        """The requests/s of the server, and those of the first, in a scenario, which is measured now if it was not."""
        if server.name not in self.rounds.get(name, {}):
            scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
            self.add(name, server.name, scenario.ask(server, load))
        servers = self.rounds[name]
        own, first = (figures.spread(figures.column(rows, "requests_per_s")).middle
                      for rows in (servers[server.name], next(iter(servers.values()))))
        return own, first

    def cpu(self, scenario, server):
        """The spread of a server's CPU time a request, µs; `None`: not measured."""
        return figures.spread(figures.column(self.rounds.get(scenario, {}).get(server, []), "cpu_us"))

    def of_first(self, values):
        """By server: the spread of its values over those of the first server, round by round."""
        base = next(iter(values.values()))
        return {server: figures.spread(figures.ratios(own, base)) for server, own in values.items()}

    def columns(self, scenario, name):
        """By server: the values of a column of a scenario's rows."""
        values = {server: figures.column(rows, name) for server, rows in self.rounds.get(scenario, {}).items()}
        return {server: own for server, own in values.items() if own}

    def show(self, scenario):
        cpu = self.columns(scenario.name, "cpu_us")
        if not cpu:
            return
        ratios, first = self.of_first(cpu), next(iter(cpu))
        print(f"\n{scenario.name} (at {time.monotonic() - self.began:.0f} s)")
        print(f"  {'':34}{'requests/s':>11}{'CPU us':>9}{'p50':>9}{'p99':>9}{'p99.9':>9}   of {first}'s (least, most)")
        for name, rows in self.rounds[scenario.name].items():
            rate, own, *late = (figures.spread(figures.column(rows, column))
                                for column in ("requests_per_s", "cpu_us", *figures.QUANTILES))
            late = "".join(f"{quantile.middle:9.0f}" if quantile else f"{'':9}" for quantile in late)
            print(f"  {name:34}{rate.middle:11.0f}{own.middle:9.2f}{late}   {brackets(ratios[name])}"
                  f"{self.beside_base(scenario, name, own)}{failures(rows)}")
        sys.stdout.flush()

    def beside_base(self, scenario, server, own):
        base = self.cpu(scenario.base, server) if scenario.base else None
        return f"; {own.middle / base.middle:.2f} of its own without" if base else ""

    def show_memory(self, name):
        print(f"\n{name}, bytes")
        for server, sizes in self.memory.get(name, {}).items():
            print(f"  {server:34}{figures.spread(sizes).middle:11.0f}")
        sys.stdout.flush()

    def show_times(self, name):
        if name not in self.times:
            return
        print(f"\n{name}, ms (least, most)")
        for server, values in self.times[name].items():
            of = figures.spread(values)
            print(f"  {server:34}{of.middle / 1e3:9.1f} ({of.least / 1e3:.1f}, {of.most / 1e3:.1f})")
        sys.stdout.flush()

    def write(self, path):
        whole = {"environment": self.environment, "rounds": self.rounds, "memory_bytes": self.memory,
                 "times_us": self.times, "crossing_cpu_us": self.crossing, "troubles": self.troubles,
                 "failed": self.failed}
        Path(path).write_text(json.dumps(whole, indent=1) + "\n")

    @classmethod
    def read(cls, path):
        """What `write` has written."""
        whole, results = json.loads(Path(path).read_text()), cls.__new__(cls)
        results.environment, results.rounds = whole["environment"], whole["rounds"]
        results.memory, results.times = whole["memory_bytes"], whole["times_us"]
        results.crossing, results.troubles = whole["crossing_cpu_us"], whole["troubles"]
        results.failed = whole["failed"]
        return results


def brackets(of):
    return f"{of.middle:.2f} ({of.least:.2f}, {of.most:.2f})" if of else ""


def failures(rows):
    failed = sum(row["failed"] for row in rows)
    return f"  failed: {failed}" if failed else ""


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
    """The number, as the program says it."""
    if kind.key == "floor":
        return ""
    flag = {"h2o": "--version", "caddy": "version", "sws": "--version"}.get(kind.key, "-v")
    done = subprocess.run([binary, flag], capture_output=True, text=True)
    text = (done.stdout + done.stderr).strip()
    number = re.search(r"\d+\.\d+(\.\d+)?", text)
    return number[0] if number else text
