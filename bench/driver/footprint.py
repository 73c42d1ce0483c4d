"""What a tiny program takes under each allocator."""

import statistics
import sys

import table
from runner import RunFailed
from summary import ratio

BASE = "glibc"  # what such a program takes where nothing is done about its allocator
ROUNDS = 5

_METRICS = {"Rss": "rss_kib", "Private_Dirty": "private_dirty_kib"}


def _run_once(runner, allocator, program):
    _, lines = runner.finish(runner.start(allocator, [program]))
    return {_METRICS[name]: int(kib) for name, kib in (line.split() for line in lines)}


def measure(runner, program, chosen):
    """Returns {allocator: {metric: median KiB}}; says which ones failed."""
    results = {}
    for allocator in chosen:
        try:
            runs = [_run_once(runner, allocator, program) for _ in range(ROUNDS)]
        except RunFailed as failure:
            print("tiny under %s failed: %s" % (allocator.name, failure), file=sys.stderr)
            continue
        results[allocator.name] = {metric: round(statistics.median(run[metric] for run in runs))
                                   for metric in runs[0]}
    return results


def as_table(results, names):
    rows = [["Tiny program", "RSS", "to " + BASE, "private dirty", "to " + BASE]]
    for name in names:
        cells = [name]
        for metric in ("rss_kib", "private_dirty_kib"):
            kib, base = results.get(name, {}).get(metric), ratio(results, name, BASE, metric)
            cells += ["-" if kib is None else "%.0f KiB" % kib,
                      "-" if base is None else "%.2f" % base]
        rows.append(cells)
    return table.layout(rows)
