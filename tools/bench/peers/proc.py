"""What the kernel says of processes: children, CPU time, memory."""

import os
import re
import time
from pathlib import Path


def stat(pid):
    # The name in parentheses may hold blanks.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def parents():
    found = {}
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit():
                found[int(entry.name)] = int(stat(entry.name)[1])
        except OSError:
            pass
    return found


def children(parent):
    return sorted(pid for pid, of in parents().items() if of == parent)


def tree(root):
    """The process and all that descend from it."""
    of, found = parents(), [root]
    for pid in found:
        found += [child for child, parent in of.items() if parent == pid]
    return found


def on_cpu(pid):
    """CPU time of a process in ns, with that of its threads that have ended (clock_getcpuclockid(3)): runtimes with
    pools end and begin threads, which /proc/PID/task then forgets."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return 0


def anonymous(pid):
    """Bytes of memory that belong to the process alone, files apart."""
    return rollup(pid, "Private_Dirty")


def share(pid):
    """Bytes of memory, those that several processes have counted in parts (Pss)."""
    return rollup(pid, "Pss")


def rollup(pid, name):
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1]) * 1024
