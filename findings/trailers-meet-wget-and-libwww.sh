#!/usr/bin/env bash
# A trailer behind a chunked body costs wget its connection, and for Perl's LWP it is a header field like the others.
#
# Guess:    clients that do not care for trailers drop them (RFC 9110 6.5.1: never merged into the header section unless the field allows it) and
#           go on with the connection.
# Seen:     curl and Python's http.client do. wget reads the body right, then connects anew for the next file; without the trailer it keeps
#           the connection. LWP keeps the connection, and $response->header("Cache-Control") is the trailer's.
# Versions: wget 1.21.3, libwww-perl 6.68 with Net::HTTP 6.22 (Debian 12), curl 7.88.1, Python 3.11.
# Matters:  nginx's add_trailer on a mirror doubles the connections of wget; LWP can't tell what came first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
perl -MLWP -e1 2>/dev/null && command -v wget >/dev/null || { apt-get update -q && apt-get install -yq libwww-perl wget; } >apt.log 2>&1
cat > twice.pl <<'PERL'
use LWP::UserAgent;
my $agent = LWP::UserAgent->new(keep_alive => 1);
my $answer;
$answer = $agent->get($ARGV[0]) for 1 .. 2;
print $answer->content, " ", $answer->header("Cache-Control") // "none";
PERL
cat > ask.py <<'PY'
import http.client
import socket
import subprocess
import threading

BODY = b"5\r\nhello\r\n0\r\n"
ends = {"/plain": b"\r\n", "/trailer": b"X-Sum: abc\r\n\r\n", "/cache": b"Cache-Control: no-store\r\n\r\n"}
connections = 0


def serve(client):
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            try:
                piece = client.recv(4096)
            except ConnectionResetError:
                return
            if not piece:
                return
            received += piece
        head, received = received.split(b"\r\n\r\n", 1)
        client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY + ends[head.split()[1].decode()])


def accept():
    global connections
    while True:
        client, _ = listening.accept()
        connections += 1
        threading.Thread(target=serve, args=(client,), daemon=True).start()


def command(*arguments):
    return lambda url: subprocess.run([*arguments, url] + [url] * (arguments[0] != "perl"), capture_output=True, check=True).stdout.decode()


def by_python(url):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    texts = ""
    for _ in range(2):
        connection.request("GET", "/" + url.rsplit("/", 1)[1])
        answer = connection.getresponse()
        texts += answer.read().decode() + (answer.getheader("Cache-Control") or "")
    return texts


listening = socket.create_server(("127.0.0.1", 0))
port = listening.getsockname()[1]
threading.Thread(target=accept, daemon=True).start()
clients = {
    "curl": command("curl", "-s"),
    "http.client": by_python,
    "wget": command("wget", "-q", "-O-"),
    "LWP": command("perl", "twice.pl"),
}
for name, get in clients.items():
    for path in ends:
        before = connections
        text = get(f"http://127.0.0.1:{port}{path}")
        used = connections - before
        print(f"{name} {path}: {text!r}, {used} connections for two requests")
        assert used == (2 if name == "wget" and path != "/plain" else 1)
        if name != "LWP":
            assert text == "hellohello"
        else:
            assert text == ("hello no-store" if path == "/cache" else "hello none")
PY
python3 ask.py
