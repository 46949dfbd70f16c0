#!/usr/bin/env bash
# Under Landlock access(2), faccessat2(2) and stat(2) go on saying that a file can be read which open(2) then refuses.
#
# Guess:    a process that may read beneath one directory alone gets EACCES from all of them for the others, as it would by the mode bits.
# Seen:     open, listing a directory and truncate: EACCES. access(R_OK), stat and chdir: success, and access(W_OK) as well. A hard link in the
#           permitted directory opens, a symbolic link to the same file does not.
# Versions: Linux 6.x, Landlock ABI 3 or later (seen with 7), Python 3.11's ctypes.
# Matters:  try_files and -f find a file that then can't be opened: 403 where a 404 or the next candidate was meant; a check at the start by
#           access(2) proves nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir in out
echo text > out/file
ln out/file in/hard
ln -s "$work/out/file" in/symbolic
cat > confined.py <<'PY'
import ctypes
import errno
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)
CREATE_RULESET, ADD_RULE, RESTRICT_SELF, NO_NEW_PRIVS = 444, 445, 446, 38
READ_FILE, READ_DIR, ALL_OF_ABI_3 = 1 << 2, 1 << 3, (1 << 15) - 1


def call(*arguments):
    result = libc.syscall(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


abi = call(CREATE_RULESET, None, ctypes.c_size_t(0), 1)
assert abi >= 3, f"Landlock ABI {abi}"
ruleset = call(CREATE_RULESET, struct.pack("Q", ALL_OF_ABI_3), ctypes.c_size_t(8), 0)
beneath = struct.pack("=Qi", READ_FILE | READ_DIR, os.open("in", os.O_PATH))
call(ADD_RULE, ruleset, 1, beneath, 0)
libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
call(RESTRICT_SELF, ruleset, 0)


def result(action, *arguments):
    try:
        found = action(*arguments)
        return found if isinstance(found, bool) else "works"
    except OSError as error:
        return errno.errorcode[error.errno]


here = os.getcwd()
seen = {
    "open": result(os.open, f"{here}/out/file", os.O_RDONLY),
    "list": result(os.listdir, f"{here}/out"),
    "truncate": result(os.truncate, f"{here}/out/file", 1),
    "stat": result(os.stat, f"{here}/out/file"),
    "access R": result(os.access, f"{here}/out/file", os.R_OK),
    "access W": result(os.access, f"{here}/out/file", os.W_OK),
    "chdir": result(os.chdir, f"{here}/out"),
    "open a hard link": result(os.open, f"{here}/in/hard", os.O_RDONLY),
    "open a symbolic link": result(os.open, f"{here}/in/symbolic", os.O_RDONLY),
}
print(seen)
assert list(seen.values()) == ["EACCES"] * 3 + ["works", True, True, "works", "works", "EACCES"]
PY
python3 confined.py
