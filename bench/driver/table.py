"""The tables that people read."""

from allocators import REFERENCE
from summary import (best_peer, best_single_peer, geometric_mean, largest, ratio, ratio_to_best,
                     ratio_to_single)

_FORMATS = {
    "seconds": lambda v: "%.3f s" % v,
    "cpu_seconds": lambda v: "%.3f s" % v,
    "peak_rss_kib": lambda v: "%.1f MiB" % (v / 1024),
    "after_rss_kib": lambda v: "%.1f MiB" % (v / 1024),
    "ns": lambda v: "%.2f ns" % v,
}


def _ratio_text(value):
    return "-" if value is None else "%.2f" % value


def layout(rows):
    """Aligned columns; the first to the left, the rest to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _base(names):
    """What the ratios are to: jemalloc, or where that is missing the first."""
    return REFERENCE if REFERENCE in names else names[0]


def _row(workload, results, names, peers, subjects, metric):
    base = _base(names)
    absolute = results.get(base, {}).get(metric)
    cells = [workload, "-" if absolute is None else _FORMATS[metric](absolute)]
    cells += [_ratio_text(ratio(results, n, base, metric)) for n in names if n != base]
    best = best_peer(results, None, peers, metric)
    cells.append(best or "-")
    cells += [_ratio_text(ratio_to_best(results, s, peers, metric)) for s in subjects]
    return cells


def _summary_row(title, reduce, table, names, peers, subjects, metric):
    base = _base(names)
    cells = [title, ""]
    for name in names:
        if name != base:
            cells.append(_ratio_text(reduce(ratio(r, name, base, metric) for _, r in table)))
    cells.append("")
    for subject in subjects:
        cells.append(_ratio_text(
            reduce(ratio_to_best(r, subject, peers, metric) for _, r in table)))
    return cells


def _single_peer_row(table, names, peers, subjects, metric):
    peer = best_single_peer(table, peers, metric)
    cells = ["best single peer"] + [""] * len(names) + [peer or "-"]
    return cells + [_ratio_text(ratio_to_single(table, s, peer, metric)) for s in subjects]


def ratio_table(title, table, names, peers, metric):
    """One metric for all workloads: the reference in units, the others as ratios to it."""
    base = _base(names)
    subjects = [n for n in names if n not in peers]
    header = [title, base] + [n for n in names if n != base] + ["best peer"]
    rows = [header + [s + "/best" for s in subjects]]
    rows += [_row(w, r, names, peers, subjects, metric) for w, r in table]
    for label, reduce in (("geometric mean", geometric_mean), ("worst", largest)):
        rows.append(_summary_row(label, reduce, table, names, peers, subjects, metric))
    rows.append(_single_peer_row(table, names, peers, subjects, metric))
    return layout(rows)
