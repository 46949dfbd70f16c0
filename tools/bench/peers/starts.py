"""How long a server takes from its start to its first answer, and from a HUP to the first answer of the new conf."""

import time

from clients import Trouble
from servers import Server

SIZES = {"plain": "1 server", "names": "1,000 servers"}
START, RELOAD = "start to the first answer, {}", "reload to the first answer of the new conf, {}"
MARK = "add_header X-Conf {} always;"


def names(only):
    """The figures that are asked for."""
    return [text.format(size) for size in SIZES.values() for text in (START, RELOAD) if only in text.format(size)]


def measure(options, shop, kinds, core, results):
    """By turns, as loads are."""
    for way, size in SIZES.items():
        start, reload = START.format(size), RELOAD.format(size)
        if options.only not in start and options.only not in reload:
            continue
        for turn in range(options.starts):
            for kind, binary in kinds:
                if way in kind.ways:
                    try:
                        once(kind, binary, shop, way, core, results, start, reload)
                    except Trouble as trouble:
                        results.add_trouble(str(trouble))
        for name in (start, reload):
            results.show_times(name)


def once(kind, binary, shop, way, core, results, start, reload):
    server = Server(kind, binary, shop, way, core, http=MARK.format("first") if kind.reloads else "")
    try:
        results.add_time(start, server.name, time.monotonic() - server.began)
        # All that the bare loop can say lies in its memory.
        if way == "plain" and kind.files is None:
            results.add_memory("all processes at rest (Pss)", server.name, server.share())
        if kind.reloads:
            began = time.monotonic()
            server.reload(MARK.format("second"))
            server.wait_for(b"X-Conf: second")
            results.add_time(reload, server.name, time.monotonic() - began)
    finally:
        server.end()
