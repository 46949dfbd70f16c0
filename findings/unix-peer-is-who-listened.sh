#!/usr/bin/env bash
# SO_PEERCRED tells the client of a Unix socket who called listen(2), not who accepted and answers.
#
# Guess:    the credentials of the worker: it has dropped its privileges, accepts and holds the other end.
# Seen:     user, group and process id are those of the process at its listen(), though another with another user id accepts after a fork. The
#           worker asks about the client and gets the client, as expected. A second listen() by the worker changes the answer.
# Versions: Linux 6.18, Python 3.11.
# Matters:  a client that wants to know whom it talks to sees root and the master; after an upgrade that hands the socket on, a process that is gone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
[ "$(id -u)" = 0 ] || { echo "run me as root: a worker takes another user id"; exit 1; }
python3 - <<'PY'
import os
import socket
import struct

WORKER = 65534


def peer(sock):
    return struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))


def ask(path):
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    seen = peer(client)
    told = struct.unpack("3i", client.recv(12))
    return seen, told


listening = socket.socket(socket.AF_UNIX)
listening.bind("socket")
os.chmod("socket", 0o777)
listening.listen()
worker = os.fork()
if worker == 0:
    os.setgid(WORKER)
    os.setuid(WORKER)
    for _ in range(2):
        client, _ = listening.accept()
        listening.listen()
        client.send(struct.pack("3i", *peer(client)))
    os._exit(0)
first, told = ask("socket")
second, _ = ask("socket")
os.waitpid(worker, 0)
master = (os.getpid(), 0, 0)
print(f"master {master}, worker {(worker, WORKER, WORKER)}: the client sees {first}, the worker sees {told}; after a listen() of the worker: {second}")
assert first == master and told == master and second == (worker, WORKER, WORKER)
PY
