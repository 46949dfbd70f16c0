#!/usr/bin/env bash
# inotify reports that a watched file is deleted, or replaced by a rename, only when nobody has it open any more.
#
# Guess:    IN_DELETE_SELF comes with the unlink or the rename over it.
# Seen:     without an open descriptor it does. With one, anywhere, the watcher gets IN_ATTRIB alone (the link count), and IN_DELETE_SELF at
#           the last close: for a log or a certificate that a server holds, that is at its next reopen.
# Versions: Linux 6.18.
# Matters:  "watch the file, reopen at IN_DELETE_SELF" waits for the very process that waits for it. Watch the directory for IN_MOVED_TO, or
#           compare the identity at each IN_ATTRIB.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 - <<'PY'
import ctypes
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)
NAMES = {0x4: "ATTRIB", 0x400: "DELETE_SELF", 0x800: "MOVE_SELF", 0x8000: "IGNORED"}
inotify = libc.inotify_init1(os.O_NONBLOCK)


def events():
    """All that has been queued: inotify queues before the system call that causes the event returns."""
    seen = []
    try:
        data = os.read(inotify, 4096)
    except BlockingIOError:
        return seen
    while data:
        _, mask, _, length = struct.unpack("iIII", data[:16])
        seen.append(NAMES[mask])
        data = data[16 + length:]
    return seen


def end(replaced, held):
    open("file", "w").close()
    assert libc.inotify_add_watch(inotify, b"file", 0x4 | 0x400 | 0x800) > 0
    descriptor = os.open("file", os.O_RDONLY) if held else None
    if replaced:
        open("other", "w").close()
        os.rename("other", "file")
    else:
        os.unlink("file")
    at_once = events()
    if held:
        os.close(descriptor)
    return at_once, events()


for replaced in (False, True):
    for held in (False, True):
        at_once, at_close = end(replaced, held)
        print(f"{'replaced' if replaced else 'deleted'}, {'held open' if held else 'not open'}: at once {at_once}, at the close {at_close}")
        last = ["DELETE_SELF", "IGNORED"]
        assert (at_once, at_close) == ((["ATTRIB"], last) if held else (["ATTRIB", *last], []))
PY
