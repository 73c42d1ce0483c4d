"""From samples to medians, ratios and geometric means."""

import math
import statistics

from allocators import REFERENCE


def median_of(samples, after_rss_kib):
    """The result of one allocator in one workload; after_rss_kib may be None."""
    result = {
        "seconds": round(statistics.median(s.seconds for s in samples), 6),
        "cpu_seconds": round(statistics.median(s.cpu_seconds for s in samples), 6),
        "peak_rss_kib": round(statistics.median(s.peak_rss_kib for s in samples)),
    }
    if after_rss_kib is not None:
        result["after_rss_kib"] = after_rss_kib
    return result


def ratio(results, name, base, metric):
    """results[name] over results[base], or None where either is missing."""
    value = results.get(name, {}).get(metric)
    reference = results.get(base, {}).get(metric) if base else None
    return value / reference if value is not None and reference else None


def best_peer(results, name, peers, metric):
    """The peer, other than `name` itself, with the least of a metric; None if there is none."""
    others = [p for p in peers if p != name and results.get(p, {}).get(metric) is not None]
    return min(others, key=lambda p: results[p][metric], default=None)


def ratio_to_best(results, name, peers, metric):
    return ratio(results, name, best_peer(results, name, peers, metric), metric)


def geometric_mean(values):
    """None if there are no values; what is missing does not count."""
    logs = [math.log(v) for v in values if v]
    return math.exp(sum(logs) / len(logs)) if logs else None


def best_single_peer(table, peers, metric):
    """The peer with the least geometric mean over the workloads that no peer has failed in."""
    complete = [r for _, r in table if all(r.get(p, {}).get(metric) for p in peers)]
    if not complete:
        return None
    return min(peers, key=lambda p: geometric_mean(r[p][metric] for r in complete),
               default=None)


def ratio_to_single(table, name, peer, metric):
    """The geometric mean of the ratios to one peer."""
    return geometric_mean(ratio(r, name, peer, metric) for _, r in table)


def largest(values):
    return max((v for v in values if v is not None), default=None)


def _rounded(value):
    return None if value is None else round(value, 4)


def geomeans(table, names, peers, time="seconds", rss=(("rss", "peak_rss_kib"),
                                                       ("after_rss", "after_rss_kib"))):
    """table is [(workload, results)]; returns the "geomean" part of the JSON."""
    means = {}
    for name in names:
        to_best = [ratio_to_best(r, name, peers, time) for _, r in table]
        single = best_single_peer(table, [p for p in peers if p != name], time)
        means[name] = {
            "time_vs_jemalloc": _rounded(ratio_to_single(table, name, REFERENCE, time)),
            "time_vs_best_peer": _rounded(geometric_mean(to_best)),
            "worst_time_vs_best_peer": _rounded(largest(to_best)),
            "best_single_peer": single,
            "time_vs_best_single_peer": _rounded(ratio_to_single(table, name, single, time)),
        }
        for key, metric in rss:
            means[name][key + "_vs_jemalloc"] = _rounded(
                ratio_to_single(table, name, REFERENCE, metric))
    return means


def as_json(table, names, peers):
    return {
        "workloads": [{"name": workload, "results": results} for workload, results in table],
        "geomean": geomeans(table, names, peers),
    }
