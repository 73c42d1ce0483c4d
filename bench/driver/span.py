"""Measures spans: their charge, their way to another span and to a file and back, and pins."""

import json
import os
import sys

import allocators
import options
import table
from measured import Failures, measure
from runner import Runner
from summary import geometric_mean
from ways import SUBJECT, bytes_text, ns_text, value

# "pairs", "touches", "pins": of each kind in a run; "turns" of migration; "steps" of 8 MiB
# of swap, or of "all" of the "file".
FULL = {"rounds": 5, "pairs": 100000, "touches": 2000, "pins": 4000000, "turns": 5, "steps": 200,
        "all": 5, "file": 512 << 20}
QUICK = {"rounds": 3, "pairs": 20000, "touches": 500, "pins": 1000000, "turns": 3, "steps": 40,
         "all": 3, "file": 128 << 20}
CHARGED = [size << 10 for size in (128, 256, 512, 1024, 2048, 4096, 8192, 16384)]
MIGRATED = {"equal": "to one as long", "longer": "to a longer one"}
MIGRATE_MIB = 1024
SWAPPED = {"256k": "at the limit, spans of 256 KiB", "1m": "of 1 MiB", "4m": "of 4 MiB",
           "all": "all, and all back, of 1 MiB"}  # by mode of the program
JUDGED = "1m"


def parse_options():
    parser = options.Parser(prog="span", description=__doc__)
    options.add_common(parser)
    parser.add_argument("--migrate", type=options.positive, metavar="MIB", default=MIGRATE_MIB,
                        help="size of the span that migrates (%d)" % MIGRATE_MIB)
    parser.add_argument("--dir", metavar="DIRECTORY", default="/var/tmp",
                        help="where the files are (/var/tmp)")
    return parser, parser.parse_args()


def cases_of(given, chosen, defaults):
    """For measure()."""
    def runs(program, *arguments):
        command = [os.path.join(given.binaries, "spans", program)] + [str(a) for a in arguments]
        return {a.name: (a, command) for a in chosen}

    cases = {}
    for mode, ops in (("untouched", defaults["pairs"]), ("touched", defaults["touches"])):
        for size in CHARGED:
            cases[mode, size] = runs("charge", "--mode", mode, "--live", size, "--ops", ops)
    for mode in MIGRATED:
        cases["migrate", mode] = runs("migrate", "--mode", mode, "--live", given.migrate << 20,
                                      "--ops", defaults["turns"])
    for mode in SWAPPED:
        steps = defaults["all" if mode == "all" else "steps"]
        cases["swap", mode] = runs("swap", "--mode", mode, "--live", defaults["file"], "--ops",
                                   steps)
    cases["pin"] = runs("pin", "--ops", defaults["pins"])
    return cases


def summarise(results):
    def ours(case, metric):
        return value(results.get(case, {}), SUBJECT, metric)

    charges = [ours(("untouched", size), "overhead") for size in CHARGED]
    swaps = [ours(("swap", JUDGED), way) for way in ("out_ratio", "in_ratio")]
    ways = [ours(("migrate", mode), "ratio") for mode in MIGRATED]
    return {
        "charge_overhead": None if None in charges else round(geometric_mean(charges), 4),
        "migrate_vs_memcpy": None if None in ways else max(ways),
        "swap_vs_raw_io": None if None in swaps else min(swaps),
        "pin_unpin_vs_malloc_pair": ours("pin", "own_ratio"),
    }


def cell(number, form="%.3f"):
    return "-" if number is None else form(number) if callable(form) else form % number


def rate_text(number):
    return "%.2f GB/s" % (number / 1e9)


def print_table(title, headings, rows):
    """rows: [(text, {metric: number}, [(metric, form)])]."""
    print("\n" + table.layout([[title] + headings] +
                              [[text] + [cell(of.get(metric), form) for metric, form in columns]
                               for text, of, columns in rows]))


def print_tables(results, name, migrated):
    def of(case):
        return results.get(case, {}).get(name, {})

    times = [(kind + "_ns", ns_text) for kind in ("charged", "uncharged", "malloc")]
    for mode, title in (("untouched", "A span, and back"), ("touched", "The same, each page touched")):
        print_table(title, ["charged", "uncharged", "malloc", "ratio", "noise"],
                    [(bytes_text(size), of((mode, size)),
                      times + [("overhead", "%.3f"), ("noise", "%.3f")]) for size in CHARGED])
    print_table("A span of %s moves" % bytes_text(migrated), ["migrate", "memcpy", "ratio"],
                [(title, of(("migrate", mode)),
                  [("migrate_ms", "%.3f ms"), ("memcpy_ms", "%.0f ms"), ("ratio", "%.5f")])
                 for mode, title in MIGRATED.items()])
    print_table("Swapped", ["out", "by hand", "ratio", "in", "by hand", "ratio"],
                [(title, of(("swap", mode)),
                  [("ours_out", rate_text), ("by_hand_out", rate_text), ("out_ratio", "%.3f"),
                   ("ours_in", rate_text), ("by_hand_in", rate_text), ("in_ratio", "%.3f")])
                 for mode, title in SWAPPED.items()])
    print_table("A pin and its unpin", ["pin", "malloc and free", "ratio"],
                [(title, of("pin"), [(who + "_ns", "%.2f ns"), ("pair_ns", "%.2f ns"),
                                     (who + "_ratio", "%.2f")])
                 for who, title in (("own", "by who allocated the span"),
                                    ("other", "by another thread"))])


def as_json(results, given):
    def part(first):
        return {str(case[1]): by for case, by in results.items() if case[0] == first}

    return {
        "charge": part("untouched"),
        "charge_touched": part("touched"),
        "migrate": part("migrate"),
        "migrate_bytes": given.migrate << 20,
        "swap": part("swap"),
        "pin": results.get("pin", {}),
        "summary": summarise(results),
    }


def main():
    parser, given = parse_options()
    environment = allocators.clean_environment()
    if "CGSLAB_CONF" not in os.environ:
        environment["CGSLAB_CONF"] += ",pressure:false"  # only the program has spans go
    environment["TMPDIR"] = options.caller_path(given.dir)
    if not os.path.isdir(environment["TMPDIR"]):
        parser.error("--dir: no such directory: %s" % given.dir)
    defaults = QUICK if given.quick else FULL
    rounds = given.rounds or defaults["rounds"]
    probe = os.path.join(given.binaries, "driver", "probe")
    chosen = options.choose_allocators(parser, given, probe, environment, [])
    output = options.open_output(parser, given.json)
    runner = Runner(os.path.join(given.binaries, "driver", "launch"), environment)

    failures = Failures()
    results = measure(runner, cases_of(given, chosen, defaults), rounds, failures)

    print("Medians of %d. Files in %s" % (rounds, environment["TMPDIR"]))
    for allocator in chosen:
        if len(chosen) > 1:
            print("\n" + allocator.name)
        print_tables(results, allocator.name, given.migrate << 20)
    report = as_json(results, given)
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
