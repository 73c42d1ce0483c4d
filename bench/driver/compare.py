"""Runs the workloads under all allocators, by turns, and prints how they compare."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import allocators
import catalogue
import footprint
import gnuplot
import options
import picture
import summary
import table
from runner import Runner, RunFailed

FULL = {"rounds": 5, "scale": 1.0}
QUICK = {"rounds": 3, "scale": 0.1}

RUN_FAILURES = (RunFailed, allocators.NotLoaded, OSError)  # what a workload may raise


def parse_options():
    parser = options.Parser(prog="compare", description=__doc__)
    options.add_common(parser)
    parser.add_argument("--workload", action="append", metavar="NAME",
                        help="only this one; may be repeated")
    options.add_picture(parser)
    parser.add_argument("--list", action="store_true", help="print the workloads and leave")
    return parser, parser.parse_args()


def choose_workloads(parser, chosen, binaries):
    programs = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "programs")
    workloads, left_out = catalogue.load(binaries, os.path.normpath(programs))
    for reason in left_out:
        print("%s; skipped" % reason, file=sys.stderr)
    if not chosen:
        return workloads
    names = [w.name for w in workloads]
    for name in chosen:
        if name not in names:
            parser.error("no workload '%s'; there are %s" % (name, ", ".join(names)))
    return [w for w in workloads if w.name in chosen]


class Failures:
    """What went wrong, once for each workload and allocator."""

    def __init__(self):
        self._messages = {}

    def add(self, workload, allocator, message):
        if (workload, allocator) not in self._messages:
            self._messages[workload, allocator] = message
            print("%s under %s failed: %s" % (workload, allocator, message), file=sys.stderr)

    def __contains__(self, key):
        return key in self._messages

    def allocators(self):
        return {allocator for _, allocator in self._messages}


def take_samples(runner, workload, chosen, rounds, scale, failures):
    """A B C, A B C, ...: what disturbs the machine for a while disturbs all of them alike."""
    samples = {a.name: [] for a in chosen}
    for _ in range(rounds):
        for allocator in chosen:
            if (workload.name, allocator.name) in failures:
                continue
            try:
                samples[allocator.name].append(workload.timed(runner, allocator, scale))
            except RUN_FAILURES as failure:
                failures.add(workload.name, allocator.name, failure)
    return samples


def check_checksums(workload, samples, failures):
    """The first allocator's is right: glibc's, where it did not fail."""
    right = None
    for name, taken in samples.items():
        for sample in taken:
            right = right or sample.checksum
            if sample.checksum != right:
                failures.add(workload.name, name, "%s instead of %s" % (sample.checksum, right))


def settle(runner, workloads, chosen, scale, failures):
    """(workload, allocator) -> KiB that stay resident, or None.

    The programs work one after the other, but wait together.
    """
    rss = {}
    with ThreadPoolExecutor(max_workers=32) as pool:
        pending = {(w.name, a.name): pool.submit(w.settled_kib, runner, a, scale)
                   for w in workloads for a in chosen if (w.name, a.name) not in failures}
        for key, future in pending.items():
            try:
                rss[key] = future.result()
            except RUN_FAILURES as failure:
                failures.add(*key, failure)
    return rss


def measure(runner, workloads, chosen, rounds, scale, failures):
    """Returns [(workload name, {allocator name: medians})]."""
    taken = {}
    for number, workload in enumerate(workloads, 1):
        print("%2d/%d %s" % (number, len(workloads), workload.name), file=sys.stderr)
        taken[workload.name] = take_samples(runner, workload, chosen, rounds, scale, failures)
        check_checksums(workload, taken[workload.name], failures)
    rss = settle(runner, workloads, chosen, scale, failures)
    return [(w.name, {name: summary.median_of(samples, rss[w.name, name])
                      for name, samples in taken[w.name].items()
                      if (w.name, name) not in failures})
            for w in workloads]


def print_tables(results, names, peers):
    for title, metric in (("Elapsed time", "seconds"), ("CPU time", "cpu_seconds"),
                          ("Peak RSS", "peak_rss_kib"), ("RSS 1 s after", "after_rss_kib")):
        print("\n" + table.ratio_table(title, results, names, peers, metric))


def main():
    parser, given = parse_options()
    workloads = choose_workloads(parser, given.workload, given.binaries)
    if given.list:
        for workload in workloads:
            print("%-12s %s" % (workload.name, workload.about))
        return 0
    environment = allocators.clean_environment()
    defaults = QUICK if given.quick else FULL
    rounds = given.rounds or defaults["rounds"]
    probe = os.path.join(given.binaries, "driver", "probe")
    chosen = options.choose_allocators(parser, given, probe, environment)
    output = options.open_output(parser, given.json)
    names = [a.name for a in chosen]
    peers = [a.name for a in chosen if a.is_peer]
    if given.picture and allocators.REFERENCE not in names:
        parser.error("--picture: %s is not installed" % allocators.REFERENCE)
    pictures = options.choose_pictures(parser, given.picture)

    failures = Failures()
    runner = Runner(os.path.join(given.binaries, "driver", "launch"), environment)
    tiny = footprint.measure(runner, os.path.join(given.binaries, "driver", "tiny"), chosen)
    results = measure(runner, workloads, chosen, rounds, defaults["scale"], failures)

    print("Medians of %d; ratios, where less is better. CGSLAB_CONF=%s"
          % (rounds, environment["CGSLAB_CONF"]))
    print_tables(results, names, peers)
    print("\n" + footprint.as_table(tiny, names))
    if output:
        with output:
            json.dump(dict(summary.as_json(results, names, peers), footprint=tiny), output,
                      indent=1)
            output.write("\n")
    for path in pictures:
        picture.draw(path, results, names)
    failed = failures.allocators() | (set(names) - set(tiny))
    return 1 if failed - set(peers) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except gnuplot.PictureFailed as failure:
        sys.exit("compare: --picture: %s" % failure)
    except KeyboardInterrupt:
        sys.exit(130)
