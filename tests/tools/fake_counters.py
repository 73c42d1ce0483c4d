"""A process with counters as the arguments say, to be looked at. Says "ready", ends with its input.

The layout is that of accounting/counters.h, version 3.
"""

import os
import struct
import sys

HEADER = struct.Struct("=QIIIIiI64sII")
RECORD = struct.Struct("=6q6q5q4q9Q6QQII48s4Q")
MAGIC = 0x62616C7367632121
NO_LIMIT = (2**63 - 1) >> 12
UNUSED, ONLINE, DYING = range(3)


def record(ident, parent, name, state=ONLINE, usage=0, limit=NO_LIMIT, local=(0, 0, 0, 0), events=0,
           swap=(0, 0, NO_LIMIT, NO_LIMIT, 0, 0), zswap=(0, 0, NO_LIMIT)):
    return RECORD.pack(
        usage, usage + 1, limit, NO_LIMIT, 0, 5,
        *swap, 0, 0, *zswap, *local, *[events] * 9, *[events + 1] * 6,
        ident, parent, state, name, 0, 0, 0, 0)


def tree():
    return [
        record(1, 0, b"", usage=100, local=(10, 4096, 1, 0)),
        record(2, 0, b"program", usage=90, limit=1000, local=(1000, 0, 2, 40960), events=7,
               swap=(30, 31, 2000, NO_LIMIT, 0, 0), zswap=(5000, 20480, 500)),
        record(3, 1, b"gone", state=DYING, usage=50),
        record(9, 1, b"second", usage=20, local=(500, 0, 3, 8192)),
        record(4, 1, b"first", usage=10, local=(-200, 0, 4, 4096)),
        record(5, 77, b"lost"),
        record(6, 2, b"orphan"),
        record(7, 3, b"too_young"),
        record(10, 3, b"\x1b[31mred", usage=1),
        record(8, 1, b"unused", state=UNUSED),
    ]


def main():
    version, size, pid, records = 3, RECORD.size, os.getpid(), tree()
    kind = sys.argv[1]
    if kind == "version":
        version = 4
    elif kind == "size":
        size -= 8
    elif kind == "forked":
        pid += 1
    elif kind == "starting":
        records = []
    nr = len(records) + (1000 if kind == "growing" else 0)
    header = HEADER.pack(MAGIC, version, RECORD.size, size, nr, pid, 4096, b"program", 0, 0)
    content = header.ljust(RECORD.size, b"\0") + b"".join(records)
    if kind == "short":
        content = header[:40]
    counters = os.memfd_create("cgslab")
    os.write(counters, content)
    print("ready", flush=True)
    sys.stdin.read()


main()
