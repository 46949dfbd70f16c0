"""README's section about speed: tables and charts of one run's figures, between two marks."""

import re

import chart
import figures
from scenarios import CROWD, KEEP_ALIVE, OPEN, PIPELINED, SCENARIOS

BEGIN, END = "<!-- speed: tools/bench/run --readme -->", "<!-- end of speed -->"
CHARTS = {"light": (".github/speed-light.svg", chart.LIGHT), "dark": (".github/speed-dark.svg", chart.DARK)}

# In the order of README's columns: a server's name in the figures, and its name here.
COLUMNS = [
    ("nginx 1.28.3", "nginx"), ("nginx 1.28.3 + open_file_cache", "nginx cached"), ("h2o", "h2o"),
    ("lighttpd", "lighttpd"), ("caddy", "caddy"), ("static-web-server", "sws"), ("bare epoll loop", "bare loop"),
    ("drover", "drover"),
]

# A scenario's name in the figures, and its name here; in a chart those that have a third.
LOADS = [
    (KEEP_ALIVE, "1 KiB, keep-alive, 64 connections", "1 KiB, keep-alive"),
    ("1 KiB, a connection each, 64 at a time", "1 KiB, a connection each", "1 KiB, a connection each"),
    ("100 KiB, keep-alive, 16 connections", "100 KiB, keep-alive", "100 KiB"),
    ("10 MiB, keep-alive, 4 connections", "10 MiB, keep-alive", "10 MiB"),
    (f"1 KiB, {PIPELINED} pipelined, 16 connections", f"1 KiB, {PIPELINED} pipelined", f"1 KiB, {PIPELINED} pipelined"),
    ("100 KiB of text, gzip, keep-alive, 16 connections", "100 KiB of text, `gzip on`", None),
    ("TLS: 1 KiB, keep-alive, 64 connections", "1 KiB, keep-alive, TLS 1.3", "1 KiB, keep-alive, TLS 1.3"),
    ("TLS: full handshakes, 16 at a time", "full handshake, ECDSA P-256", "full handshake"),
    ("TLS: resumed handshakes, 16 at a time", "resumed handshake", "resumed handshake"),
    ("TLS: 10 MiB, keep-alive, 4 connections", "10 MiB over TLS", None),
    ("HTTP/2: 1 KiB, 4 connections of 32 streams", "1 KiB over HTTP/2, 32 streams, 2,000 paths", "1 KiB over HTTP/2"),
    ("HTTP/2 in clear: 1 KiB, 4 connections of 32 streams", "the same in clear", None),
]

# What has to be said of a server; in the braces are its name and its version.
ABOUT = {
    "nginx": "{} as `tools/nginx` builds it, at `-O1`",
    "nginx cached": "`nginx cached`, the same with `open_file_cache`",
    "sws": "{}, static-web-server", "bare loop": "`bare loop`, which sends ready answers: what the system calls cost",
}

MEMORY = [
    ("an idle connection", "an idle connection"), ("TLS: an idle connection", "with TLS"),
    ("HTTP/2 in clear: an idle connection", "with HTTP/2 in clear"),
    ("HTTP/2: an idle connection", "with HTTP/2 over TLS"),
    ("all processes at rest (Pss)", "all processes at rest (Pss)"),
]

ADDED = [
    (f"1 KiB, keep-alive, {CROWD:,} connections", f"{CROWD:,} connections, beside 64"),
    ("100,000 files of 1 KiB at random", "100,000 files at random, beside one"),
    ("1,000 server names at random", "1,000 server names at random, beside one"),
    ("500 locations at random", "500 locations at random, beside one"),
    ("access log on, 1 KiB, keep-alive, 64 connections", "an access log, beside none"),
]


def write(repository, results):
    path = repository / "README.md"
    text = path.read_text()
    if BEGIN not in text or END not in text:
        raise SystemExit(f"README.md has no place for the figures: {BEGIN} ... {END}")
    before, _, rest = text.partition(BEGIN)
    for name, colours in CHARTS.values():
        (repository / name).write_text(chart.picture(panels(results), note(results), colours))
    path.write_text(f"{before}{BEGIN}\n{section(results)}{END}{rest.partition(END)[2]}")


def section(results):
    columns = [(server, label) for server, label in COLUMNS if is_there(results, server)]
    parts = [picture(), environment(results, columns), absent(results)]
    parts += [table("CPU time per request", "us", columns, loads(results))]
    parts += [table("latency", "us", columns, latencies(results))]
    parts += [table("time", "us", columns, [(name, values) for name, values in results.times.items()])]
    parts += [table("memory", "B", columns, [(label, results.memory[name]) for name, label in MEMORY
                                             if name in results.memory])]
    parts += [added(results, columns)]
    return "\n".join(part for part in parts if part)


def is_there(results, server):
    return any(server in values for values in [*results.rounds.values(), *results.memory.values()])


def picture():
    light, dark = (CHARTS[way][0] for way in ("light", "dark"))
    alt = "CPU time per request of drover and other servers, by load; the figures stand below"
    return (f'<picture>\n<source media="(prefers-color-scheme: dark)" srcset="{dark}">\n'
            f'<img alt="{alt}" src="{light}">\n</picture>\n')


def note(results):
    e = results.environment
    return f"CPU time per request, nginx 1.28.3 = 1 · {e['cpu']}, Linux {e['kernel']}, {e['date']} · shorter is better"


def environment(results, columns):
    e = results.environment
    rounds, seconds = (f"{e[name]} {name}"[:None if e[name] > 1 else -1] for name in ("rounds", "seconds"))
    said = [ABOUT.get(label, "{}").format(f"{label} {e['versions'].get(server, '')}".strip())
            for server, label in columns if label != "drover"]
    return (
        f"{e['date']}, {e['cpu']} with {e['cpus']} CPUs, Linux {e['kernel']}; one process that serves on one CPU,"
        f" the client on another;\n{rounds} of {seconds}, all servers in each (`tools/bench/run --readme`). nginx in"
        f" absolute figures, the others as ratios to it\nin the same round: median (least–most). Servers:\n"
        f"{'; '.join(said)}.\n")


def absent(results):
    missing = [*results.environment["missing"], *results.troubles]
    return f"Not measured: {'; '.join(first_line(text) for text in missing)}.\n" if missing else ""


def first_line(text):
    return re.sub(r"[|<>]", " ", text.splitlines()[0])


def loads(results):
    return [(label, results.columns(name, "cpu_us")) for name, label, _ in LOADS]


def latencies(results):
    """Of the loads whose latency a person would ask for."""
    rows = []
    for scenario, label in ((KEEP_ALIVE, "keep-alive, 64 connections"), (OPEN, "open loop at half the capacity")):
        for column, share in (("p99_us", "p99"), ("p999_us", "p99.9")):
            rows.append((f"{share}, {label}", results.columns(scenario, column)))
    return rows


def table(title, unit, columns, rows):
    """The first column's server in absolute figures, the others beside it."""
    rows = [(label, values) for label, values in rows if values]
    if not rows:
        return ""
    first = columns[0][0]
    lines = head(title, columns)
    for label, values in rows:
        cells = []
        for server, _ in columns:
            own, base = values.get(server), values.get(first)
            if not own:
                cells.append("")
            elif server == first or not base:
                cells.append(figures.amount(figures.spread(own).middle, unit))
            else:
                cells.append(cell(figures.spread(figures.ratios(own, base))))
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def added(results, columns):
    """What the same server needs for the same request under other circumstances; a ratio to its own figure."""
    lines = []
    for name, label in ADDED:
        base = next(scenario.base for scenario in SCENARIOS if scenario.name == name)
        cells = []
        for server, _ in columns:
            own, plain = results.cpu(name, server), results.cpu(base, server)
            cells.append(f"{own.middle / plain.middle:.2f}" if own and plain else "")
        if any(cells):
            lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(head("CPU time per request, beside its own", columns) + lines) + "\n" if lines else ""


def head(title, columns):
    return [f"| {title} | {' | '.join(label for _, label in columns)} |", "|---" * (len(columns) + 1) + "|"]


def cell(of):
    """A ratio of more than ten needs no hundredths."""
    if not of:
        return ""
    digits = 2 if of.most < 10 else 1 if of.most < 100 else 0
    return f"{of.middle:.{digits}f} ({of.least:.{digits}f}–{of.most:.{digits}f})"


def panels(results):
    found = []
    for name, _, title in LOADS:
        values = results.columns(name, "cpu_us") if title else {}
        base = values.get(COLUMNS[0][0])
        if not base:
            continue
        bars = []
        for server, label in COLUMNS:
            if server in values:
                kind = {"drover": "drover", "bare loop": "floor"}.get(label, "other")
                bars.append((label, kind, figures.spread(figures.ratios(values[server], base)).middle))
        found.append((title, bars))
    return found
