#!/usr/bin/env bash
# A read with RWF_NOWAIT, which must not wait, is refused by tmpfs and by overlayfs, whatever is in memory.
#
# Guess:    it returns all bytes of a file that has just been written and read: tmpfs has no other place for them, and overlayfs hands the
#           read to the file beneath, whose file system answers. A name that has just been looked for in vain is known as well.
# Seen:     EOPNOTSUPP (ENOTSUP is its other name) on both, and all bytes on ext4. And tmpfs keeps no names of files that are not there:
#           openat2 with RESOLVE_CACHED is EAGAIN for them each time, while it is ENOENT on ext4.
# Version:  Linux 6.18.
# Matters:  a server that asks so whether a read would wait takes a file in /dev/shm, or any file of a container's image, for one on a
#           slow disk, and hands each to a thread. Its tests pass on ext4 and fail where /tmp is a tmpfs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir disk overlay upper work memory
cat > look.py <<'PY'
import ctypes, errno, os, struct, subprocess

RESOLVE_CACHED, SYS_OPENAT2 = 0x20, 437
libc = ctypes.CDLL(None, use_errno=True)

def missing(directory):
    path = f"{directory}/none"
    assert not os.path.exists(path)
    how = struct.pack("QQQ", os.O_PATH, 0, RESOLVE_CACHED)
    assert libc.syscall(SYS_OPENAT2, -100, path.encode(), how, len(how)) == -1
    return errno.errorcode[ctypes.get_errno()]

def read(directory):
    with open(f"{directory}/file", "wb") as file:
        file.write(b"x" * 100_000)
    fd = os.open(f"{directory}/file", os.O_RDONLY)
    assert len(os.pread(fd, 100_000, 0)) == 100_000
    try:
        return os.preadv(fd, [bytearray(100_000)], 0, os.RWF_NOWAIT)
    except OSError as error:
        return errno.errorcode[error.errno]

print("Linux", os.uname().release)
for directory, expected in (("memory", ("ENOTSUP", "EAGAIN")), ("overlay", ("ENOTSUP", None)), ("disk", (100_000, "ENOENT"))):
    kind = subprocess.check_output(["stat", "-f", "-c", "%T", directory], text=True).strip()
    seen = (read(directory), missing(directory))
    print(directory, kind, seen)
    if directory == "disk" and kind not in ("ext2/ext3", "xfs", "btrfs"):
        continue
    assert seen[0] == expected[0] and expected[1] in (None, seen[1])
PY
unshare --user --map-root-user --mount bash -c '
    mount -t tmpfs none memory
    mount -t overlay -o lowerdir=disk,upperdir=upper,workdir=work none overlay
    python3 look.py'
