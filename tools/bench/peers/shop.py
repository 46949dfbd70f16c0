"""The files that are served, the certificate, the scripts of wrk, and a place for the servers."""

import os
import random
import subprocess
from pathlib import Path

from scenarios import PIPELINED

NAMES, LOCATIONS, FILES = 1000, 500, 100_000

# wrk tells no p99.9 by itself.
LATENCY = """
done = function(summary, latency, requests)
    local at = function(share) return latency:percentile(share) end
    io.write(string.format("latency %d %d %d\\n", at(50), at(99), at(99.9)))
end
"""

# Sends its requests in one write; wrk asks for the next batch once all of them are answered.
PIPELINE = LATENCY + f"""
init = function(args)
    local all = {{}}
    for i = 1, {PIPELINED} do all[i] = wrk.format() end
    batch = table.concat(all)
end
request = function() return batch end
"""

# The requests are ready before the first is sent; their order is the same in every run.
AT_RANDOM = LATENCY + """
init = function(args)
    math.randomseed(7)
    all, at = {{}}, 0
    for n = 0, {count} - 1 do all[n + 1] = wrk.format(nil, {path}, {{ ["Host"] = {host} }}) end
    for n = #all, 2, -1 do
        local other = math.random(n)
        all[n], all[other] = all[other], all[n]
    end
end
request = function()
    at = at % #all + 1
    return all[at]
end
"""

SCRIPTS = {
    "latency": LATENCY,
    "pipeline": PIPELINE,
    "one": AT_RANDOM.format(count=1, path='"/1k.html"', host='"localhost"'),
    "names": AT_RANDOM.format(count=NAMES, path='"/1k.html"', host='"site" .. n .. ".example"'),
    "locations": AT_RANDOM.format(count=LOCATIONS, path='"/place" .. n .. "/1k.html"', host='"localhost"'),
    "files": AT_RANDOM.format(count=FILES, path='"/f/" .. n % 100 .. "/" .. n .. ".html"', host='"localhost"'),
}


class Shop:
    """`PATHS`: the number of small files of different names."""

    PATHS = 2000

    def __init__(self, directory):
        self.dir = Path(directory)
        os.chmod(self.dir, 0o755)
        self.root = self.dir / "root"
        (self.root / "p").mkdir(parents=True)
        for name, size in [("1k", 1 << 10), ("100k", 100 << 10), ("10m", 10 << 20)]:
            self.file(name, size)
        (self.root / "text.html").write_bytes(text(100 << 10))
        for n in range(self.PATHS):
            os.link(self.root / "1k.html", self.root / "p" / f"{n}.html")
        for n in range(LOCATIONS):
            (self.root / f"place{n}").mkdir()
            os.link(self.root / "1k.html", self.root / f"place{n}" / "1k.html")
        self.certificate, self.key = self.dir / "certificate.pem", self.dir / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.key,
             "-out", self.certificate], check=True, capture_output=True)
        self.count = 0

    def file(self, name, size):
        (self.root / f"{name}.html").write_bytes(os.urandom(size // 2).hex().encode())

    def script(self, name):
        """The path of a script; with it comes what it asks for."""
        path = self.dir / f"{name}.lua"
        if not path.exists():
            path.write_text(SCRIPTS[name])
            if name == "files":
                self.many_files()
        return path

    def many_files(self):
        """Each is a file of its own. They are on the disk before anything is measured."""
        content = os.urandom(512).hex().encode()
        for n in range(100):
            (self.root / "f" / str(n)).mkdir(parents=True)
        for n in range(FILES):
            (self.root / "f" / str(n % 100) / f"{n}.html").write_bytes(content)
        os.sync()

    def new_directory(self):
        self.count += 1
        path = self.dir / f"server-{self.count}"
        path.mkdir()
        # Some servers open their logs as the user that they serve as.
        path.chmod(0o777)
        return path


def text(size):
    """Text that compresses like prose: words of few letters, the frequent ones often."""
    chance = random.Random(1)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(3000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return " ".join(chance.choices(words, weights, k=size // 4)).encode()[:size]
