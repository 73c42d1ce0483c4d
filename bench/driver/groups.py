"""Measures what groups cost, in time and memory, against how many there are."""

import json
import os
import sys

import allocators
import options
import table
import ways
from measured import Failures, measure
from runner import Runner

FULL = {"rounds": 5, "counts": [10, 100, 1000, 4000, 10000, 100000], "visits": 300000, "lives": 2000,
        "switches": 20000000}
QUICK = {"rounds": 3, "counts": [100, 1000, 100000], "visits": 50000, "lives": 500,
         "switches": 4000000}
MILLION = 1000000
FEW, MANY = 100, 100000  # that the summary compares
EMPTY_SHARE = 1024  # bytes of a group that its payload does not answer for
PEERS = ["arena", "arena-nocache"]


def parse_options():
    parser = options.Parser(prog="groups", description=__doc__)
    options.add_common(parser)
    parser.add_argument("--million", action="store_true", help="also with a million groups")
    return parser, parser.parse_args()


def cases_of(given, chosen, mode, counts, ops):
    """For measure(): {count: {way: run}}."""
    return {count: {w.name: w.run(given.binaries, "groups", "--mode", mode, "--live", count,
                                  "--ops", ops)
                    for w in chosen if w.most is None or count <= w.most}
            for count in counts}


def available_bytes():
    with open("/proc/meminfo", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return 0


def fits(count, memory):
    """Whether there is memory for so many groups that hold something, as far as fewer tell."""
    by = memory[max(memory)] if memory else {}
    need = max((r["group_bytes"] for n, r in by.items() if n not in PEERS), default=0) * count
    return need < available_bytes() / 2


def measure_memory(runner, given, chosen, counts, failures):
    """RSS is the same every time: once is enough."""
    memory = {}
    for count in counts:
        if fits(count, memory):
            memory.update(measure(runner, cases_of(given, chosen, "memory", [count], 1), 1,
                                  failures))
        else:
            print("not enough memory for %d groups that hold something; skipped" % count,
                  file=sys.stderr)
    return memory


def summarise(memory, visits, lives, switches):
    cgslab = ways.SUBJECT
    held = ways.value(memory.get(MANY, {}), cgslab, "group_bytes")
    both = [count for count, by in lives.items() if cgslab in by and set(by) & set(PEERS)]
    life = lives[max(both)] if both else {}
    arena = min((life[name]["life_ns"] for name in PEERS if name in life), default=None)
    return {
        "empty_group_bytes": ways.value(lives.get(MANY, {}), cgslab, "empty_group_bytes"),
        "small_group_rss_ratio": ways.quotient(
            None if held is None else held - EMPTY_SHARE,
            ways.value(memory[MANY], cgslab, "payload_bytes") if held else None),
        "cost_ratio_100k_vs_100": ways.quotient(
            ways.value(visits.get(MANY, {}), cgslab, "hot_ns"),
            ways.value(visits.get(FEW, {}), cgslab, "hot_ns")),
        "arena_create_destroy_ratio": ways.quotient(
            arena, ways.value(life, cgslab, "life_ns")),
        "switch_vs_malloc_pair": ways.value(switches, cgslab, "switch_vs_malloc_pair"),
    }


def print_table(title, results, names, metric, form):
    print("\n" + table.layout([[title] + names] +
                              [[str(count)] + ways.cells(by, names, metric, form)
                               for count, by in results.items()]))


def print_tables(memory, visits, lives, switches, names):
    print_table("RSS of an empty group", lives, names, "empty_group_bytes", ways.bytes_text)
    print_table("RSS of a group with 8640 bytes", memory, names, "group_bytes", ways.bytes_text)
    print_table("A visit to one of 64 groups", visits, names, "hot_ns", ways.ns_text)
    print_table("A visit to any group", visits, names, "cold_ns", ways.ns_text)
    print_table("Creating and removing a group", lives, names, "life_ns", ways.ns_text)
    print_table("The same, used once", lives, names, "used_life_ns", ways.ns_text)
    if switches:
        names = list(switches)
        print("\n" + table.layout(
            [["Entering and leaving"] + names] +
            [[title] + ways.cells(switches, names, metric, form) for title, metric, form in (
                ("there and back", "switch_ns", lambda ns: "%.1f ns" % ns),
                ("a malloc of 64 bytes and its free", "pair_ns", lambda ns: "%.1f ns" % ns),
                ("the ratio", "switch_vs_malloc_pair", lambda ratio: "%.2f" % ratio))]))


def as_json(memory, visits, lives, switches):
    counts = sorted(set(memory) | set(visits) | set(lives))
    return {
        "groups": [{"count": count,
                    "results": {name: {**lives.get(count, {}).get(name, {}),
                                       **memory.get(count, {}).get(name, {}),
                                       **visits.get(count, {}).get(name, {})}
                                for name in lives.get(count, {})}}
                   for count in counts],
        "switch": switches,
        "summary": summarise(memory, visits, lives, switches),
    }


def main():
    parser, given = parse_options()
    environment = allocators.clean_environment()
    defaults = QUICK if given.quick else FULL
    rounds = given.rounds or defaults["rounds"]
    counts = defaults["counts"] + ([MILLION] if given.million else [])
    chosen = ways.choose(parser, given, environment, PEERS)
    output = options.open_output(parser, given.json)
    runner = Runner(os.path.join(given.binaries, "driver", "launch"), environment)

    failures = Failures()
    memory = measure_memory(runner, given, chosen, counts, failures)
    lives = measure(runner, cases_of(given, chosen, "life", counts, defaults["lives"]), rounds,
                    failures)
    visits = measure(runner, cases_of(given, chosen, "visits", list(memory), defaults["visits"]),
                     rounds, failures)
    switch = {w.name: ways.Way(w.name, "", w.allocator).run(given.binaries, "switch", "--ops",
                                                            defaults["switches"])
              for w in chosen if w.name not in PEERS}
    switches = measure(runner, {"switch": switch}, rounds, failures)["switch"]

    print("Medians of %d. CGSLAB_CONF=%s" % (rounds, environment["CGSLAB_CONF"]))
    print_tables(memory, visits, lives, switches, [w.name for w in chosen])
    results = as_json(memory, visits, lives, switches)
    print("\n" + table.layout([["cgslab", ""]] + [[key, "-" if v is None else "%.4g" % v]
                                                  for key, v in results["summary"].items()]))
    if output:
        with output:
            json.dump(results, output, indent=1)
            output.write("\n")
    return 1 if failures - set(PEERS) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
