"""A file system whose every read takes 300 ms, by the kernel's FUSE protocol (linux/fuse.h, version 7.31): as many
files as anybody asks for, of 1 MiB each. Mounting needs root.

    slow_disk.py DIRECTORY      serves until its input ends, and unmounts"""

import contextlib
import ctypes
import heapq
import os
import select
import struct
import sys
import time

READ_S = 0.3
SIZE = 1 << 20

FUSE_ROOT, DIRECTORY_MODE, FILE_MODE = 1, 0o040755, 0o100644
LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, BATCH_FORGET = (
    1, 2, 3, 14, 15, 17, 18, 25, 26, 27, 28, 29, 42)
NO_SUCH_CALL = -38
NOSUID, NODEV, DETACH = 2, 4, 2
# The kernel keeps names and sizes for so long, s; of the contents it keeps nothing (FOPEN_DIRECT_IO).
KNOWN_S = 60


def attributes(node):
    mode, size = (DIRECTORY_MODE, 0) if node == FUSE_ROOT else (FILE_MODE, SIZE)
    changed = 1_000_000_000
    return struct.pack("<6Q10I", node, size, size // 512, changed, changed, changed, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(code, node, body):
    """The body of an answer, or an error."""
    if code == LOOKUP:
        # The number is the name's: nothing has to be kept.
        child = FUSE_ROOT + 1 + int.from_bytes(body[:-1][-6:].rjust(6, b"\0"), "big")
        return struct.pack("<4Q2I", child, 0, KNOWN_S, KNOWN_S, 0, 0) + attributes(child)
    if code == GETATTR:
        return struct.pack("<Q2I", KNOWN_S, 0, 0) + attributes(node)
    if code == READ:
        at, size = struct.unpack_from("<QI", body, 8)
        return b"x" * max(0, min(size, SIZE - at))
    if code in (OPEN, OPENDIR):
        return struct.pack("<QQ", 0, 1 if code == OPEN else 0)
    if code == INIT:
        read_ahead = struct.unpack_from("<I", body, 8)[0]
        return struct.pack("<4I2HI", 7, 31, read_ahead, 0, 0, 0, 4096) + bytes(40)
    if code == STATFS:
        return bytes(80)
    return b"" if code in (RELEASE, FLUSH, READDIR, RELEASEDIR) else NO_SUCH_CALL


def reply(device, unique, result):
    error, body = (result, b"") if isinstance(result, int) else (0, result)
    # Whoever has asked may be gone.
    with contextlib.suppress(OSError):
        os.write(device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


def serve(device):
    due = []
    while True:
        wait = max(0, due[0][0] - time.monotonic()) * 1000 if due else None
        ready, _, _ = select.select([device, sys.stdin], [], [], wait and wait / 1000)
        if sys.stdin in ready:
            return
        while due and due[0][0] <= time.monotonic():
            _, unique, result = heapq.heappop(due)
            reply(device, unique, result)
        if device in ready:
            question = os.read(device, 1 << 20)
            _, code, unique, node = struct.unpack_from("<IIQQ", question)
            if code in (FORGET, BATCH_FORGET):
                continue
            result = answer(code, node, question[40:])
            if code == READ:
                heapq.heappush(due, (time.monotonic() + READ_S, unique, result))
            else:
                reply(device, unique, result)


def main(directory):
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"drover-bench", directory.encode(), b"fuse", NOSUID | NODEV, options) != 0:
        sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
    try:
        print("mounted", flush=True)
        serve(device)
    finally:
        libc.umount2(directory.encode(), DETACH)


if __name__ == "__main__":
    main(sys.argv[1])
