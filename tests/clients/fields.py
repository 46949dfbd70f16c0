"""Packs and unpacks header fields with Python's hpack. Each line of both is a block in hex and its fields, name=value
in hex, with commas between them; "!" stands for a block that can't be unpacked.

fields.py pack SEED COUNT: prints blocks of one connection.
fields.py unpack: prints what the blocks of standard input unpack to, each of a connection of its own.
fields.py mutate SEED COUNT: prints blocks with changed bytes, each of a connection of its own.
"""

import random
import sys

import hpack

NAMES = [b":method", b":path", b":authority", b"accept", b"cookie", b"user-agent", b"x-own", b"content-type", b"a"]
VALUES = [b"", b"GET", b"/", b"/index.html", b"text/html; charset=utf-8", b"a=b; c=d", b"gzip, deflate", b"\xc3\xa9"]


def field(rng):
    name = rng.choice(NAMES)
    if rng.random() < 0.2:
        name = bytes(rng.choice(b"abcxyz-_") for _ in range(rng.randint(1, 40)))
    value = rng.choice(VALUES) if rng.random() < 0.5 else rng.randbytes(rng.choice([0, 1, 3, 20, 200, 3000]))
    kind = hpack.NeverIndexedHeaderTuple if rng.random() < 0.1 else hpack.HeaderTuple
    return kind(name, value)


def line(block, fields):
    text = ",".join(f"{bytes(name).hex()}={bytes(value).hex()}" for name, value in fields)
    return f"{block.hex()} {text}"


def blocks(rng, count):
    encoder = hpack.Encoder()
    for _ in range(count):
        if rng.random() < 0.05:
            encoder.header_table_size = rng.choice([0, 64, 200, 1000, 4096])
        fields = [field(rng) for _ in range(rng.randint(0, 12))]
        yield encoder.encode(fields, huffman=rng.random() < 0.7), fields


def unpacked(block):
    try:
        decoder = hpack.Decoder(max_header_list_size=1 << 24)
        return line(block, decoder.decode(block, raw=True))
    except hpack.HPACKError:
        return f"{block.hex()} !"


def mutated(rng, count):
    for block, _ in blocks(rng, count):
        block = bytearray(block[:300])
        for _ in range(rng.randint(1, 3)):
            if block:
                block[rng.randrange(len(block))] = rng.randrange(256)
        yield bytes(block)


def main():
    what, *rest = sys.argv[1:]
    if what == "unpack":
        for text in sys.stdin:
            print(unpacked(bytes.fromhex(text.strip())))
        return
    rng, count = random.Random(int(rest[0])), int(rest[1])
    if what == "pack":
        for block, fields in blocks(rng, count):
            print(line(block, fields))
    else:
        for block in mutated(rng, count):
            print(unpacked(block))


main()
