"""The programs that make requests: wrk, ab, h2load. Each returns requests done, seconds, requests failed."""

import os
import re
import subprocess
import sys

from servers import program

PACKAGES = {"ab": "apache2-utils", "h2load": "nghttp2-client"}


def wrk(core, *args):
    text = run("wrk", args, core)
    done, took, unit = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", text).groups()
    took = float(took) * {"ms": 0.001, "s": 1, "m": 60}[unit]
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    other = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    failed = sum(map(int, errors.groups())) if errors else 0
    return int(done), took, failed + (int(other[1]) if other else 0)


def ab(core, *args):
    text = run("ab", ("-q", *args), core)

    def number(label):
        return float((re.search(label + r":\s+([\d.]+)", text) or [0, 0])[1])

    failed = number("Failed requests") + number("Non-2xx responses") + number("Write errors")
    return int(number("Complete requests")), number("Time taken for tests"), int(failed)


def h2load(core, *args):
    text = run("h2load", args, core)
    took = re.search(r"finished in ([\d.]+)(us|ms|s)", text)
    seconds = float(took[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1}[took[2]]
    done, failed, errored, late = map(int, re.search(
        r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text).groups())
    return done, seconds, failed + errored + late


def need(name):
    """The program's path, or an end that says how to get it."""
    return program(name)() or sys.exit(f"{name} is missing: apt-get install {PACKAGES.get(name, name)}")


def run(name, args, core):
    pin = (lambda: os.sched_setaffinity(0, {core})) if core is not None else None
    done = subprocess.run([need(name), *args], capture_output=True, text=True, preexec_fn=pin, timeout=120)
    if done.returncode != 0:
        sys.exit(f"{name} {' '.join(args)}: {done.stdout}{done.stderr}")
    return done.stdout
