"""The files that are served, the certificate, and a place for the servers."""

import os
import random
import subprocess
from pathlib import Path

from scenarios import PIPELINED

# Sends its requests in one write; wrk asks for the next batch once all of them are answered.
LUA = f"""
init = function(args)
    local all = {{}}
    for i = 1, {PIPELINED} do all[i] = wrk.format() end
    batch = table.concat(all)
end
request = function() return batch end
"""


class Shop:
    """`PATHS`: the number of small files of different names."""

    PATHS = 2000

    def __init__(self, directory):
        self.dir = Path(directory)
        os.chmod(self.dir, 0o755)
        self.root = self.dir / "root"
        (self.root / "p").mkdir(parents=True)
        for name, size in [("1k", 1 << 10), ("100k", 100 << 10), ("10m", 10 << 20)]:
            (self.root / f"{name}.html").write_bytes(os.urandom(size // 2).hex().encode())
        (self.root / "text.html").write_bytes(text(100 << 10))
        for n in range(self.PATHS):
            os.link(self.root / "1k.html", self.root / "p" / f"{n}.html")
        self.pipeline = self.dir / "pipeline.lua"
        self.pipeline.write_text(LUA)
        self.certificate, self.key = self.dir / "certificate.pem", self.dir / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.key,
             "-out", self.certificate], check=True, capture_output=True)
        self.count = 0

    def new_directory(self):
        self.count += 1
        path = self.dir / f"server-{self.count}"
        path.mkdir()
        return path


def text(size):
    """Text that compresses like prose: words of few letters, the frequent ones often."""
    chance = random.Random(1)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(3000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return " ".join(chance.choices(words, weights, k=size // 4)).encode()[:size]
