"""Runs the micro benchmarks under all allocators, by turns, and prints ns per operation."""

import json
import os
import re
import statistics
import subprocess
import sys

import allocators
import options
import summary
import table
from runner import first_line, status_text

FULL = {"rounds": 5, "min_time": 0.1, "pairs": 200}
QUICK = {"rounds": 3, "min_time": 0.01, "pairs": 20}
TIME_LIMIT = 600  # seconds for one run of a program
MANUAL = "/manual_time"  # Google Benchmark's suffix for benchmarks that measure by themselves


class MicroFailed(Exception):
    pass


def parse_options():
    parser = options.Parser(prog="micro", description=__doc__)
    options.add_common(parser)
    parser.add_argument("--filter", metavar="REGEX", default="",
                        help="only benchmarks whose name matches")
    parser.add_argument("--no-api", action="store_true",
                        help="leave out the benchmarks of cgslab's own interface")
    given = parser.parse_args()
    try:
        re.compile(given.filter)
    except re.error as problem:
        parser.error("--filter: %s: %s" % (given.filter, problem))
    return parser, given


def run_program(command, environment):
    """One run of a Google Benchmark program. Returns {name: ns per iteration}."""
    try:
        done = subprocess.run(command + ["--benchmark_format=json"], env=environment,
                              capture_output=True, text=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise MicroFailed("no end after %d s" % TIME_LIMIT) from None
    if done.returncode:
        raise MicroFailed(status_text(done.returncode))
    if not done.stdout.strip():
        return {}  # nothing matched
    times = {}
    for entry in json.loads(done.stdout)["benchmarks"]:
        if entry.get("error_occurred"):
            raise MicroFailed("%s: %s" % (entry["name"], entry["error_message"]))
        manual = entry["name"].endswith(MANUAL)
        name = entry["name"][:-len(MANUAL)] if manual else entry["name"]
        times[name] = entry["real_time" if manual else "cpu_time"]
    return times


def command_of(program, given, min_time):
    command = [program, "--benchmark_min_time=%g" % min_time]
    return command + ["--benchmark_filter=" + given.filter] if given.filter else command


def compare(command, chosen, rounds, environment):
    """Returns [(benchmark, {allocator: {"ns": median}})], and the names of those that failed."""
    taken, failed = {}, set()
    for number in range(1, rounds + 1):
        for allocator in chosen:
            print("round %d/%d %s" % (number, rounds, allocator.name), file=sys.stderr)
            try:
                times = run_program(command, allocators.with_preload(environment, allocator))
            except MicroFailed as failure:
                print("%s failed: %s" % (allocator.name, failure), file=sys.stderr)
                failed.add(allocator.name)
                continue
            for benchmark, ns in times.items():
                taken.setdefault(benchmark, {}).setdefault(allocator.name, []).append(ns)
    results = [(b, {name: {"ns": round(statistics.median(ns), 3)} for name, ns in by.items()})
               for b, by in taken.items()]
    return results, failed


def measure_api(command, rounds, environment):
    """Returns [(benchmark, median ns)] of cgslab's own interface."""
    taken = {}
    for number in range(1, rounds + 1):
        print("round %d/%d cgslab's interface" % (number, rounds), file=sys.stderr)
        for benchmark, ns in run_program(command, environment).items():
            taken.setdefault(benchmark, []).append(ns)
    return [(b, round(statistics.median(ns), 3)) for b, ns in taken.items()]


def measure_two_threads(command, rounds, environment):
    """Returns {kind of work: how much two threads do where one does 1}, medians of some runs."""
    taken = {}
    for number in range(1, rounds + 1):
        print("round %d/%d two threads" % (number, rounds), file=sys.stderr)
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True,
                                  timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            raise MicroFailed("no end after %d s" % TIME_LIMIT) from None
        if done.returncode:
            raise MicroFailed(first_line(done.stderr, status_text(done.returncode)))
        for line in done.stdout.splitlines():
            kind, rate = line.split()
            taken.setdefault(kind, []).append(float(rate))
    return {kind: round(statistics.median(rates), 3) for kind, rates in taken.items()}


def charge_vs_pair(results, api):
    """What a charge and its uncharge take of a malloc and its free; None if not both were run."""
    pair = dict(results).get("pair/64", {}).get("cgslab")
    charge = dict(api).get("obj_cgroup_charge_uncharge/64")
    return round(charge / pair["ns"], 3) if pair and charge else None


def as_json(results, api, rates, names, peers):
    real = [(b, r) for b, r in results if b != "empty"]
    return {
        "benchmarks": [{"name": b, "results": r} for b, r in results],
        "api": [{"name": b, "ns": ns} for b, ns in api],
        "charge_vs_pair_64": charge_vs_pair(results, api),
        "two_thread_rate": rates,
        "geomean": summary.geomeans(real, names, peers, time="ns", rss=()),
    }


def print_tables(results, api, rates, names, peers):
    # The empty benchmark is no allocator's merit.
    real = [(b, r) for b, r in results if b != "empty"]
    for _, by in (r for r in results if r[0] == "empty"):
        print("Measuring costs %.2f ns an operation at most, which is included."
              % max(r["ns"] for r in by.values()))
    if real:
        print("\n" + table.ratio_table("Time", real, names, peers, "ns"))
    if api:
        print("\n" + table.layout([["Interface", "cgslab"]] +
                                  [[b, "%.2f ns" % ns] for b, ns in api]))
    charge = charge_vs_pair(results, api)
    if charge:
        print("\nA charge and its uncharge take %.2f of a malloc of 64 bytes and its free."
              % charge)
    if rates:
        print("\n" + table.layout([["Two threads, where one does 1", "cgslab"]] +
                                  [[kind, "%.2f" % rate] for kind, rate in rates.items()]))


def main():
    parser, given = parse_options()
    environment = allocators.clean_environment()
    defaults = QUICK if given.quick else FULL
    rounds = given.rounds or defaults["rounds"]
    probe = os.path.join(given.binaries, "driver", "probe")
    chosen = options.choose_allocators(parser, given, probe, environment)
    output = options.open_output(parser, given.json)
    malloc_program = os.path.join(given.binaries, "micro_malloc")
    api_program = os.path.join(given.binaries, "micro_api")

    results, failed = compare(command_of(malloc_program, given, defaults["min_time"]),
                              chosen, rounds, environment)
    api, rates = [], {}
    cgslab = next((a for a in chosen if a.name == "cgslab"), None)
    if cgslab and not given.no_api:
        try:
            # The preloaded library stands in for the one that the program was linked with.
            api = measure_api(command_of(api_program, given, defaults["min_time"]),
                              rounds, allocators.with_preload(environment, cgslab))
            if re.search(given.filter, "two_threads"):
                two_threads = os.path.join(given.binaries, "two_threads")
                rates = measure_two_threads([two_threads, str(defaults["pairs"])], rounds,
                                            allocators.with_preload(environment, cgslab))
        except (MicroFailed, OSError) as failure:
            print("cgslab's interface failed: %s" % failure, file=sys.stderr)
            failed.add("cgslab")
    if not results and not api and not rates:
        parser.error("--filter: no benchmark matches %s" % given.filter)

    names = [a.name for a in chosen]
    peers = [a.name for a in chosen if a.is_peer]
    print_tables(results, api, rates, names, peers)
    if output:
        with output:
            json.dump(as_json(results, api, rates, names, peers), output, indent=1)
            output.write("\n")
    return 1 if failed - set(peers) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
