"""What is run: the programs under bench/workloads, and real ones."""

import os
import shutil
import sys

import compiler
import redis
from workload import Workload

# name, program, mode, what it stands for
_PROGRAMS = [
    ("larson", "larson", None, "server threads that die and leave their objects to a successor"),
    ("handoff", "handoff", None, "one thread allocates, another frees; they change places"),
    ("mixed-lifo", "mixed", "lifo", "short lives in stack order, long ones among them"),
    ("mixed-fifo", "mixed", "fifo", "short lives in queue order, long ones among them"),
    ("pareto", "pareto", None, "Pareto distributed sizes to 1 KiB"),
    ("bignum", "bignum", None, "arithmetic on small heap numbers that die at once"),
    ("burst", "burst", None, "bursts by short-lived threads; strangers free the survivors"),
    ("scratch", "false_sharing", "scratch", "false sharing that the program brought about"),
    ("thrash", "false_sharing", "thrash", "false sharing that the allocator brings about"),
    ("phases", "phases", None, "phases of other sizes each, over what the last one left"),
    ("medium", "medium", None, "blocks of 1 to 64 KiB"),
    ("large", "large", None, "blocks of 64 KiB to 16 MiB, every page touched"),
    ("vector-one", "vector", "one", "one vector grows to 64 MiB by realloc"),
    ("vector-many", "vector", "many", "a thousand vectors grow to 16 KiB by turns"),
    ("calloc", "calloc", None, "zeroed memory of 16 bytes to 16 KiB, rarely 1 MiB"),
    ("aligned", "aligned", None, "aligned_alloc with alignments to 4 KiB"),
]


def _program(directory, program, mode):
    fixed = [os.path.join(directory, "workloads", program)] + (["--mode", mode] if mode else [])

    def command(scale, hold):
        return fixed + ["--scale", repr(scale)] + (["--hold"] if hold else [])

    return command


def _python(programs):
    script = os.path.join(programs, "objects.py")

    def command(scale, hold):
        rounds = str(max(1, round(40 * scale)))
        return [sys.executable, "-S", "-B", script, rounds] + (["hold"] if hold else [])

    return command


def _sqlite(programs):
    script = os.path.join(programs, "rows.sql")

    def command(scale, hold):
        rows = max(1000, int(250000 * scale))
        # The lookaside is an allocator of SQLite's own.
        arguments = ["sqlite3", "-batch", "-lookaside", "0", "0", ":memory:",
                     ".param set :rows %d" % rows, ".read '%s'" % script]
        return arguments + ([".shell echo hold; cat > /dev/null"] if hold else [".exit"])

    return command


def load(binaries, programs):
    """Returns the workloads, and why some are left out."""
    workloads = [Workload(name, about, _program(binaries, program, mode))
                 for name, program, mode, about in _PROGRAMS]
    left_out = []
    workloads.append(Workload("python", "a Python program that builds and drops objects",
                              _python(programs)))
    if shutil.which("sqlite3"):
        workloads.append(Workload("sqlite", "an SQLite database in memory", _sqlite(programs)))
    else:
        left_out.append("sqlite: sqlite3 is not installed")
    missing = redis.missing_programs()
    if not missing:
        workloads.append(redis.Redis())
    else:
        left_out.append("redis: %s is not installed" % " and ".join(missing))
    cxx = compiler.find_compiler()
    if cxx:
        workloads.append(compiler.Compiler(cxx, programs))
    else:
        left_out.append("compile: neither of %s is installed" % ", ".join(compiler.COMPILERS))
    return workloads, left_out
