"""The ways to tell tenants' memory apart that are compared: programs under bench/ways."""

import os

import allocators
import options

SUBJECT = "cgslab"
PEERS = ["arena", "arena-nocache", "tracker"]  # over jemalloc


class Way:
    """A name, the suffix of its programs, the library that they run with, and how many groups it
    can have: None: as many as one likes."""

    def __init__(self, name, suffix, allocator, most=None):
        self.name = name
        self.suffix = suffix
        self.allocator = allocator
        self.most = most

    def run(self, binaries, program, *arguments):
        """For measured.measure()."""
        path = os.path.join(binaries, "ways", program + self.suffix)
        return self.allocator, [path] + [str(a) for a in arguments]


def choose(parser, given, environment, peers):
    """cgslab and other builds of it, then those of the peers for which jemalloc is there."""
    probe = os.path.join(given.binaries, "driver", "probe")
    chosen = options.choose_allocators(parser, given, probe, environment, [allocators.REFERENCE])
    ways = [Way(a.name, "_cgslab", a) for a in chosen if not a.is_peer]
    for jemalloc in (a for a in chosen if a.is_peer):
        for name in peers:
            # Some of jemalloc's 4095 are its own.
            most = None if name == "tracker" else 4000
            ways.append(Way(name, "_" + name.replace("-", "_"), jemalloc, most))
    return ways


def is_peer(name):
    return name in PEERS


def value(results, name, metric):
    """None where it is missing."""
    return results.get(name, {}).get(metric)


def cells(results, names, metric, form):
    """A row of a table, by a function that makes text of a number."""
    values = [value(results, name, metric) for name in names]
    return ["-" if v is None else form(v) for v in values]


def quotient(a, b):
    return round(a / b, 4) if a is not None and b else None


def bytes_text(number):
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if abs(number) >= 10 * size:
            return "%.0f %s" % (number / size, unit)
        if abs(number) >= size:
            return "%.1f %s" % (number / size, unit)
    return "%.0f B" % number


def ns_text(number):
    return "%.1f us" % (number / 1000) if number >= 10000 else "%.0f ns" % number
