"""The programs that make requests: wrk, ab, h2load, and the lab's own client, whose open loop counts from the time at
which a request was due. Each returns a Run, with the CPU time that the server used."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import figures

REPOSITORY = Path(__file__).resolve().parents[3]

PACKAGES = {"ab": "apt-get install apache2-utils", "h2load": "apt-get install nghttp2-client",
            "lab": "cargo build --profile lab --package lab"}


class Trouble(Exception):
    """A program that is missing, did not start, or failed: what was asked of it is not measured."""


def program(name):
    """The program in PATH or where Debian has its daemons."""
    return lambda: shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def built(path):
    """What this repository has built."""
    return lambda: str(REPOSITORY / path) if (REPOSITORY / path).exists() else None


def wrk(server, core, *args):
    return watched(server, "wrk", args, core, figures.of_wrk)


def ab(server, core, *args):
    return watched(server, "ab", ("-q", *args), core, figures.of_ab)


def h2load(server, core, *args):
    return watched(server, "h2load", args, core, figures.of_h2load)


def watched(server, name, args, core, read):
    before = server.cpu()
    run = read(output(name, args, core))
    run.cpu = server.cpu() - before
    return run


def lab(server, core, connections, seconds, rate=None, meanwhile=None):
    """The lab's client: connections are open before anything is counted. `meanwhile`: a context that the load runs in.
    """
    args = [need("lab"), "load", f"127.0.0.1:{server.port}", f"--connections={connections}", f"--seconds={seconds}"]
    args += [f"--rate={rate:.0f}"] if rate else []
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(args, text=True, preexec_fn=pinned(core), **pipes) as client:
        try:
            if client.stdout.readline() != "ready\n":
                raise Trouble(f"{' '.join(args)}: {client.stderr.read()}")
            before = server.cpu()
            with meanwhile or contextlib.nullcontext():
                text, errors = client.communicate("go\n", timeout=seconds + 60)
        except subprocess.TimeoutExpired:
            raise Trouble(f"{' '.join(args)}: does not end") from None
        finally:
            client.kill()
    if client.returncode != 0:
        raise Trouble(f"{' '.join(args)}: {errors}")
    run = figures.of_lab(text)
    run.cpu = server.cpu() - before
    return run


def need(name):
    """The program's path, or trouble that says how to get it."""
    path = built("target/lab/lab")() if name == "lab" else program(name)()
    if not path:
        raise Trouble(f"{name} is missing: {PACKAGES.get(name, f'apt-get install {name}')}")
    return path


def pinned(core):
    return (lambda: os.sched_setaffinity(0, {core})) if core is not None else None


def output(name, args, core):
    command = [need(name), *args]
    try:
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=pinned(core), timeout=120)
    except subprocess.TimeoutExpired:
        raise Trouble(f"{' '.join(command)}: does not end") from None
    if done.returncode != 0:
        raise Trouble(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout
