"""Measures what grows with ten times the threads, the objects and the run time."""

import json
import os
import sys

import allocators
import options
import table
from measured import Failures, measure
from runner import Runner

FULL = {"rounds": 5, "scale": 1.0, "long": 1.0}
QUICK = {"rounds": 3, "scale": 0.1, "long": 0.25}


class Case:
    """One setting of a workload program that measures itself."""

    def __init__(self, name, program, ops, live, *arguments):
        self.name = name
        self._program = program
        self._ops = ops
        self._live = live
        self._arguments = list(arguments)

    def command(self, binaries, scale, live_scale=1):
        return [os.path.join(binaries, "workloads", self._program), "--ops",
                str(int(self._ops * scale)), "--live", str(int(self._live * live_scale))
                ] + self._arguments


_MIB = 1 << 20

# What grows, once and ten times
GROWTHS = [
    ("threads", Case("2", "steady", 10e6, 2e5, "--threads", "2"),
     Case("20", "steady", 10e6, 2e5, "--threads", "20")),
    ("live objects", Case("100000", "steady", 10e6, 1e5, "--threads", "2"),
     Case("1000000", "steady", 10e6, 1e6, "--threads", "2")),
    ("run time", Case("1", "drift", 3e6, 32 * _MIB, "--mode", "mixed"),
     Case("10", "drift", 30e6, 32 * _MIB, "--mode", "mixed")),
]
# Sizes that drift come around once, so ops and live bytes belong together. In one thread RSS is the
# same every time: once is enough.
LONG_RUNS = [Case(mode, "drift", 12.8e6, 32 * _MIB, "--mode", mode)
             for mode in ("mixed", "slow", "fast")]


def parse_options():
    parser = options.Parser(prog="scaling", description=__doc__)
    options.add_common(parser)
    return parser, parser.parse_args()


def _by_allocator(commands, chosen):
    return {case: {a.name: (a, command) for a in chosen} for case, command in commands.items()}


def growth(small, large):
    """{allocator: ...} of one line of GROWTHS."""
    return {name: {"ns": small[name]["ns_per_op"], "ns_10x": large[name]["ns_per_op"],
                   "time_growth": round(large[name]["ns_per_op"] / small[name]["ns_per_op"], 3),
                   "rss_per_live": small[name]["rss_per_live"],
                   "rss_per_live_10x": large[name]["rss_per_live"],
                   "waste_growth": round(large[name]["rss_per_live"] /
                                         small[name]["rss_per_live"], 3)}
            for name in small if name in large}


def _cells(results, names, key, form="%.2f"):
    return [form % results[n][key] if n in results else "-" for n in names]


def print_tables(growths, long_runs, names):
    print("\n" + table.layout(
        [["CPU time per operation"] + names] +
        [["%s, %s" % (what, case.name)] + _cells(growths[what], names, key, "%.1f ns")
         for what, small, large in GROWTHS for case, key in ((small, "ns"), (large, "ns_10x"))]))
    print("\n" + table.layout(
        [["What ten times as many cost"] + names] +
        [["%s, %s over %s" % (what, large.name, small.name)]
         + _cells(growths[what], names, "time_growth") for what, small, large in GROWTHS]))
    print("\n" + table.layout(
        [["RSS over live bytes"] + names] +
        [["%s, %s" % (what, case.name)] + _cells(growths[what], names, key)
         for what, small, large in GROWTHS
         for case, key in ((small, "rss_per_live"), (large, "rss_per_live_10x"))]))
    print("\n" + table.layout(
        [["Long runs, worst RSS over live bytes"] + names] +
        [[mode] + _cells(by, names, "rss_per_live") for mode, by in long_runs.items()]))
    print("\n" + table.layout(
        [["Long runs, worst RSS - 1.3 live"] + names] +
        [[mode] + _cells(by, names, "excess_mib", "%.1f MiB") for mode, by in long_runs.items()]))


def main():
    parser, given = parse_options()
    environment = allocators.clean_environment()
    defaults = QUICK if given.quick else FULL
    rounds = given.rounds or defaults["rounds"]
    chosen = options.choose_allocators(parser, given,
                                       os.path.join(given.binaries, "driver", "probe"), environment)
    output = options.open_output(parser, given.json)
    runner = Runner(os.path.join(given.binaries, "driver", "launch"), environment)

    commands = {}
    for what, small, large in GROWTHS:
        for case in (small, large):
            commands[what, case.name] = case.command(given.binaries, defaults["scale"])
    failures = Failures()
    scale = defaults["long"]
    long_commands = {case.name: case.command(given.binaries, scale, scale) for case in LONG_RUNS}
    long_runs = measure(runner, _by_allocator(long_commands, chosen), 1, failures)
    measured = measure(runner, _by_allocator(commands, chosen), rounds, failures)
    growths = {what: growth(measured[what, small.name], measured[what, large.name])
               for what, small, large in GROWTHS}
    print("Medians of %d. CGSLAB_CONF=%s" % (rounds, environment["CGSLAB_CONF"]))
    print_tables(growths, long_runs, [a.name for a in chosen])
    if output:
        with output:
            json.dump({"growth": [{"name": what, "results": by} for what, by in growths.items()],
                       "long_runs": [{"name": mode, "results": by}
                                     for mode, by in long_runs.items()]}, output, indent=1)
            output.write("\n")
    return 1 if failures - {a.name for a in chosen if a.is_peer} else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
