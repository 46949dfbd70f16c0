"""Prints a line of the table of coverage: lines.py TARGET CORPUS STATS FILE... < llvm-cov's export.

FILEs are files below src/, or beginnings of their names; STATS is a file of tools/fuzz/run, or none."""

import json
import pathlib
import re
import sys

target, corpus, stats, *beginnings = sys.argv[1:]
all_files = json.load(sys.stdin)["data"][0]["files"]
reached = total = 0
for beginning in beginnings:
    is_meant = re.compile(f"^(?!.*/tools/).*/src/{re.escape(beginning)}(/|$|[.]rs$)").match
    counts = [file["summary"]["lines"] for file in all_files if is_meant(file["filename"])]
    if not counts:
        sys.exit(f"lines.py: no file src/{beginning}")
    reached += sum(count["covered"] for count in counts)
    total += sum(count["count"] for count in counts)
stats = pathlib.Path(stats)
speed = re.search(r"(\d+) a second", stats.read_text()).group(1) if stats.exists() else ""
print(f"| {target} | {reached} | {total} | {100 * reached // total} % | {corpus} | {speed} |", flush=True)
