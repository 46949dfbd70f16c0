#!/usr/bin/env bash
# The pid that F_GETLK reports is translated: a lock held by process 1 of a container has another number outside.
#
# Guess:    F_GETLK gives the owner's own pid, the one that it would write into its pid file: 1.
# Seen:     asked from outside, the number that the process has there; the file that it wrote says 1. Asked by another pid namespace that
#           can't see the owner: 0.
# Version:  Linux 6.18, util-linux unshare.
# Matters:  a lock finds the owner of a pid file where the number in the file is wrong; 0 must not be given to kill().
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > hold.py <<'PY'
import fcntl, os, sys

with open("pid", "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    file.write(str(os.getpid()))
    file.flush()
    print("held", flush=True)
    sys.stdin.read()
PY
cat > ask.py <<'PY'
import fcntl, struct

# struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid
with open("pid", "r+") as file:
    answer = fcntl.fcntl(file, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
print(struct.unpack("hhqqi4x", answer)[4])
PY
uname -sr
coproc OWNER { exec unshare --pid --fork python3 hold.py; }
read -r _ <&"${OWNER[0]}"
outside=$(python3 ask.py)
elsewhere=$(unshare --pid --fork python3 ask.py)
written=$(cat pid)
name=$(tr '\0' ' ' < "/proc/$outside/cmdline")
eval "exec ${OWNER[1]}>&-"
echo "in the file: $written; from outside: $([ "$outside" -gt 1 ] && echo 'its number there'); from another namespace: $elsewhere"
[ "$written" = 1 ] && [ "$outside" -gt 1 ] && [[ $name = *" hold.py " ]] && [ "$elsewhere" = 0 ]
