"""The arithmetic: what a client said, and what many rounds say together. Nothing here starts or reads anything."""

import json
import re
import statistics
from dataclasses import dataclass, field

QUANTILES = ("p50_us", "p99_us", "p999_us")


@dataclass
class Run:
    """What a client did: requests answered, seconds, requests failed; latencies in µs where it tells them. `cpu`:
    seconds of CPU time that the server used meanwhile."""

    done: int
    seconds: float
    failed: int
    latency: dict = field(default_factory=dict)
    cpu: float = 0.0

    def row(self):
        return {"requests_per_s": self.done / self.seconds if self.seconds else 0.0,
                "cpu_us": self.cpu / max(self.done, 1) * 1e6, "failed": self.failed, **self.latency}


def of_wrk(text):
    """wrk's text, and the line that shop.LATENCY adds."""
    done, took, unit = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", text).groups()
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    other = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    failed = sum(map(int, errors.groups())) if errors else 0
    latency = re.search(r"^latency (\d+) (\d+) (\d+)$", text, re.M)
    # What lies beyond the times that it has counted is 0.
    pairs = zip(QUANTILES, map(float, latency.groups())) if latency else []
    latency = {name: us for name, us in pairs if us > 0}
    return Run(int(done), float(took) * {"ms": 0.001, "s": 1, "m": 60}[unit], failed + (int(other[1]) if other else 0),
               latency)


def of_ab(text):
    def number(label):
        return float((re.search(label + r":\s+([\d.]+)", text) or [0, 0])[1])

    failed = number("Failed requests") + number("Non-2xx responses") + number("Write errors")
    return Run(int(number("Complete requests")), number("Time taken for tests"), int(failed))


def of_h2load(text):
    took = re.search(r"finished in ([\d.]+)(us|ms|s)", text)
    done, failed, errored, late = map(int, re.search(
        r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text).groups())
    return Run(done, float(took[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1}[took[2]], failed + errored + late)


def of_lab(text):
    """The JSON of `lab load`. A quantile that too few requests would back is missing there, and here."""
    figures = json.loads(text)
    known = {share: us for share, us in figures["quantiles"]}
    latency = {name: known[share] for name, share in zip(QUANTILES, (0.5, 0.99, 0.999)) if share in known}
    if figures["late_p99_us"] is not None:
        latency["late_p99_us"] = figures["late_p99_us"]
    return Run(figures["requests"] - figures["errors"], figures["seconds"], figures["errors"], latency)


@dataclass(frozen=True)
class Spread:
    """Median, least and most of several values."""

    middle: float
    least: float
    most: float


def spread(values):
    values = list(values)
    return Spread(statistics.median(values), min(values), max(values)) if values else None


def ratios(values, base):
    """Each round's value over that of the server that is compared with: rounds are measured together."""
    return [value / of for value, of in zip(values, base) if of]


def column(rows, name):
    """The values of a column, in those rounds that have it."""
    return [row[name] for row in rows if name in row]


def half_of_capacity(own, first):
    """The rate of the open loop: half of what the server carries, or the first server, whichever is less; so that all
    that are no slower have the same load."""
    return min(own, first) / 2


def amount(value, unit):
    """A figure with its unit, three digits long."""
    for limit, factor, name in {"us": [(1000, 1, "µs"), (1e6, 1e3, "ms"), (1e99, 1e6, "s")],
                                "B": [(4096, 1, "B"), (1 << 20, 1 << 10, "KiB"), (1e99, 1 << 20, "MiB")]}[unit]:
        if value < limit:
            value /= factor
            return f"{value:,.0f} {name}" if value >= 100 or name == "B" else f"{value:.3g} {name}"
    raise ValueError(value)
