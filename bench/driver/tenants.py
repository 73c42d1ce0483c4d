"""Measures a server that knows, and limits, what each of its tenants holds, done in several ways."""

import json
import os
import sys

import allocators
import bars
import gnuplot
import options
import table
import ways
from measured import Failures, measure
from runner import Runner

FULL = {"rounds": 7, "serve": 2000000, "audit": 400000}
QUICK = {"rounds": 3, "serve": 400000, "audit": 80000}
TENANTS = 200
PAGE = 4096
STOCK = 1024 * PAGE  # docs/accounting.md: the most that one stock holds

# Numbers in the JSON, as the programs name them: the worst of all rounds, or else the median.
_WORST = {"error_quiet": "error_quiet_bytes", "error_midst": "error_midst_bytes",
          "charged_above": "charged_above_bytes", "charged_below": "charged_below_bytes",
          "overshoot_bytes": "overshoot_bytes"}
_MEDIAN = {"requests_per_second": "requests_per_second", "cpu_ns_per_request": "cpu_ns_per_request",
           "rss_bytes": "rss_bytes", "error_quiet_mean": "error_quiet_mean_bytes",
           "error_midst_mean": "error_midst_mean_bytes"}


def parse_options():
    parser = options.Parser(prog="tenants", description=__doc__)
    options.add_common(parser)
    options.add_picture(parser)
    parser.add_argument("--workers", type=options.positive, metavar="N",
                        help="threads (as many as there are CPUs, 2 to 16)")
    parser.add_argument("--tenants", type=options.positive, metavar="N", default=TENANTS,
                        help="how many there are (%d)" % TENANTS)
    given = parser.parse_args()
    given.workers = given.workers or min(max(os.cpu_count() or 2, 2), 16)
    return parser, given


def cases_of(given, chosen, mode, ops):
    return {mode: {w.name: w.run(given.binaries, "tenants", "--mode", mode, "--live", given.tenants,
                                 "--threads", given.workers, "--ops", ops)
                   for w in chosen if w.most is None or given.tenants <= w.most}}


def join(served, audited, limited):
    """{way: the numbers that the JSON has}."""
    joined = {}
    for by in (served, audited, limited):
        for name, measured in by.items():
            joined.setdefault(name, {}).update(
                (key, measured[metric]) for metric, key in {**_WORST, **_MEDIAN}.items()
                if metric in measured)
    return joined


def stock_bound(workers):
    """What a tenant may be charged beyond what it holds: a stock for each thread inside, another
    for each that frees its objects from elsewhere, and less than a page."""
    return 2 * (workers + 1) * STOCK + PAGE


def summarise(results, workers):
    own = results.get(ways.SUBJECT, {})
    best = max((r["requests_per_second"] for name, r in results.items()
                if ways.is_peer(name) and "requests_per_second" in r), default=None)
    bound = stock_bound(workers)
    errors = [own.get(key) for key in ("error_midst_bytes", "charged_above_bytes")]
    return {
        "throughput_vs_best_other": ways.quotient(own.get("requests_per_second"), best),
        "error_quiet": own.get("error_quiet_bytes"),
        "error_midst": own.get("error_midst_bytes"),
        "error_bound": bound,
        "error_bound_kept": None if None in errors else
        max(errors) <= bound and own["charged_below_bytes"] == 0,
        "overshoot_bytes": own.get("overshoot_bytes"),
    }


def print_table(results, names):
    rows = [
        ("requests per second", "requests_per_second", lambda v: "%.0f" % v),
        ("CPU time of a request", "cpu_ns_per_request", ways.ns_text),
        ("RSS", "rss_bytes", ways.bytes_text),
        ("worst error, all quiet", "error_quiet_bytes", ways.bytes_text),
        ("mean error, all quiet", "error_quiet_mean_bytes", ways.bytes_text),
        ("worst error, in the midst", "error_midst_bytes", ways.bytes_text),
        ("mean error, in the midst", "error_midst_mean_bytes", ways.bytes_text),
        ("most charged beyond that", "charged_above_bytes", ways.bytes_text),
        ("furthest past the limit", "overshoot_bytes", ways.bytes_text),
    ]
    print("\n" + table.layout([["Tenants"] + names] +
                              [[title] + ways.cells(results, names, key, form)
                               for title, key, form in rows]))


def draw(path, results, names):
    shown = [name for name in names if name in results]
    panels = [("requests per second", "requests_per_second", lambda v: "%.2f M" % (v / 1e6)),
              ("RSS", "rss_bytes", ways.bytes_text),
              ("worst error of a tenant's number", "error_midst_bytes", ways.bytes_text),
              ("furthest past a limit", "overshoot_bytes", ways.bytes_text)]
    bars.draw(path, shown, [(title, [results[name].get(key, 0) for name in shown], form)
                            for title, key, form in panels])


def main():
    parser, given = parse_options()
    environment = allocators.clean_environment()
    defaults = QUICK if given.quick else FULL
    rounds = given.rounds or defaults["rounds"]
    chosen = ways.choose(parser, given, environment, ways.PEERS)
    output = options.open_output(parser, given.json)
    pictures = options.choose_pictures(parser, given.picture)
    runner = Runner(os.path.join(given.binaries, "driver", "launch"), environment)

    failures = Failures()
    audited = measure(runner, cases_of(given, chosen, "audit", defaults["audit"]), 1, failures)
    limited = measure(runner, cases_of(given, chosen, "limit", 1), min(rounds, 3), failures, max)
    served = measure(runner, cases_of(given, chosen, "serve", defaults["serve"]), rounds, failures)
    results = join(served["serve"], audited["audit"], limited["limit"])
    names = [w.name for w in chosen]
    summary = summarise(results, given.workers)

    print("%d workers, %d tenants. Medians of %d. CGSLAB_CONF=%s"
          % (given.workers, given.tenants, rounds, environment["CGSLAB_CONF"]))
    print_table(results, names)
    print("\n" + table.layout([["cgslab", ""]] + [[key, "-" if v is None else str(v)]
                                                  for key, v in summary.items()]))
    if output:
        with output:
            json.dump({"workers": given.workers, "tenants": given.tenants, "ways": results,
                       "summary": summary}, output, indent=1)
            output.write("\n")
    for path in pictures:
        draw(path, results, names)
    return 1 if failures - set(ways.PEERS) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except gnuplot.PictureFailed as failure:
        sys.exit("tenants: --picture: %s" % failure)
    except KeyboardInterrupt:
        sys.exit(130)
