"""Measures walks over groups and their shrinkers: what they cost, and who disturbs them."""

import json
import os
import sys

import allocators
import options
import table
from measured import Failures, measure
from runner import Runner
from ways import quotient, value

# "ops" is the number of walks, or of rounds of 50 ms, in each run; "pairs" those of malloc and free.
FULL = {"rounds": 7, "walks": 100, "rates": 9, "pairs": 4000000}
QUICK = {"rounds": 3, "walks": 20, "rates": 3, "pairs": 1000000}
GROUPS = 10000
WALKS = {  # mode of the program: what it walks over
    "fresh": "100 shrinkers, other bits never set",
    "fresh_x10": "1000 shrinkers, the same bits set",
    "stale": "100 shrinkers, other bits set once",
    "stale_x10": "1000 shrinkers, the same bits set",
    "set_x10": "100 shrinkers, 10 times the bits set",
}
OURS = "lockless"
RIVALS = {
    OURS: "without a lock",
    "readers_first": "pthread_rwlock, readers first",
    "writers_first": "pthread_rwlock, writers first",
    "spinning": "a lock that spins",
}
GLIBC = ["readers_first", "writers_first"]


def parse_options():
    parser = options.Parser(prog="shrink", description=__doc__)
    options.add_common(parser)
    parser.add_argument("--groups", type=options.positive, metavar="N", default=GROUPS,
                        help="groups to walk over (%d)" % GROUPS)
    return parser, parser.parse_args()


def choose(parser, given, environment):
    """The libraries for malloc; and what the walks, which have the library inside, run with."""
    probe = os.path.join(given.binaries, "driver", "probe")
    chosen = options.choose_allocators(parser, given, probe, environment, ["glibc"])
    libc = [a for a in chosen if a.is_peer]
    if not libc:
        parser.exit(1, "shrink: libc.so.6 is not found\n")
    return libc[0], [a for a in chosen if not a.is_peer]


def cases_of(given, libc, subjects, defaults):
    """For measure()."""
    def program(name, *arguments):
        return [os.path.join(given.binaries, "shrinkers", name)] + [str(a) for a in arguments]

    def walks(mode, ops):
        return {OURS: (libc, program("walks", "--mode", mode, "--live", given.groups,
                                     "--ops", ops))}

    cases = {mode: walks(mode, defaults["walks"]) for mode in WALKS}
    cases.update({mode: walks(mode, defaults["rates"]) for mode in ("threads", "rivals")})
    cases["malloc"] = {a.name: (a, program("malloc_pairs", "--ops", defaults["pairs"]))
                       for a in subjects}
    return cases


def ours(results, case, metric):
    return value(results.get(case, {}), OURS, metric)


def rival(results, name):
    return ours(results, "rivals", name + "_visits")


def summarise(results):
    def growth(mode):
        return quotient(ours(results, mode + "_x10", "walk_us"), ours(results, mode, "walk_us"))

    glibc = [rival(results, name) for name in GLIBC]
    return {
        "unset_bits_x10_ratio": growth("fresh"),
        "stale_bits_x10_ratio": growth("stale"),
        "two_thread_speedup": ours(results, "threads", "speedup_together"),
        "vs_rwlock": quotient(rival(results, OURS), None if None in glibc else max(glibc)),
        "vs_spinning_rwlock": quotient(rival(results, OURS), rival(results, "spinning")),
        "malloc_overhead": value(results.get("malloc", {}), "cgslab", "overhead"),
        "malloc_noise": value(results.get("malloc", {}), "cgslab", "noise"),
    }


def cell(number, form):
    return "-" if number is None else form % number


def print_tables(results, groups):
    print("\n" + table.layout(
        [["A walk over %d groups" % groups, "bits set", "time", "for each bit"]] +
        [[title, cell(ours(results, mode, "bits"), "%.0f"),
          cell(ours(results, mode, "walk_us"), "%.0f us"),
          cell(quotient(ours(results, mode, "walk_us"), ours(results, mode, "bits")),
               "%.3f us")] for mode, title in WALKS.items()]))
    print("\n" + table.layout(
        [["Visits of a shrinker in a group, with both callbacks", ""],
         ["one thread, a second", cell(ours(results, "threads", "visits"), "%.0f")],
         ["two threads, each in a tree of its own",
          cell(ours(results, "threads", "speedup_apart"), "%.2f times that")],
         ["two threads in the same tree",
          cell(ours(results, "threads", "speedup_together"), "%.2f times that")]]))
    print("\n" + table.layout(
        [["While shrinkers come and go, a second", "visits", "registrations"]] +
        [[title, cell(rival(results, name), "%.0f"),
          cell(ours(results, "rivals", name + "_registrations"), "%.0f")]
         for name, title in RIVALS.items()]))
    names = list(results.get("malloc", {}))
    if names:
        print("\n" + table.layout(
            [["A malloc of 64 bytes and its free"] + names] +
            [[title] + [cell(value(results["malloc"], name, metric), form) for name in names]
             for title, metric, form in (
                 ("no shrinkers", "without_ns", "%.2f ns"),
                 ("100 shrinkers", "with_ns", "%.2f ns"),
                 ("the ratio", "overhead", "%.3f"),
                 ("that of two times no shrinkers", "noise", "%.3f"))]))


def as_json(results, groups):
    return {
        "groups": groups,
        "walks": {mode: results.get(mode, {}).get(OURS, {}) for mode in WALKS},
        "threads": results.get("threads", {}).get(OURS, {}),
        "rivals": results.get("rivals", {}).get(OURS, {}),
        "malloc": results.get("malloc", {}),
        "summary": summarise(results),
    }


def main():
    parser, given = parse_options()
    environment = allocators.clean_environment()
    defaults = QUICK if given.quick else FULL
    rounds = given.rounds or defaults["rounds"]
    libc, subjects = choose(parser, given, environment)
    output = options.open_output(parser, given.json)
    runner = Runner(os.path.join(given.binaries, "driver", "launch"), environment)

    failures = Failures()
    results = measure(runner, cases_of(given, libc, subjects, defaults), rounds, failures)

    print("Medians of %d." % rounds)
    print_tables(results, given.groups)
    report = as_json(results, given.groups)
    print("\n" + table.layout([["cgslab", ""]] + [[key, cell(v, "%.4g")]
                                                  for key, v in report["summary"].items()]))
    if output:
        with output:
            json.dump(report, output, indent=1)
            output.write("\n")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
