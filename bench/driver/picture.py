"""Draws the results of compare with gnuplot: a row a workload, a dot an allocator."""

import gnuplot
from allocators import REFERENCE
from summary import ratio, ratio_to_single

_PANELS = [("elapsed time", "seconds"), ("peak RSS", "peak_rss_kib")]
_MEAN = "geom. mean"

_SHAPES = [9, 5, 13, 11, 15, 3, 2]  # gnuplot's: triangle, square, diamond, ...
_CIRCLE = 7

_ROW = 23  # units a row, and for what is above and below the rows
_FEWEST = 6
_HEAD = 66
_FOOT = 40


def _points(table, name, metric):
    """Lines "RATIO ROW", from the top down; the mean stands apart."""
    points = [(ratio(r, name, REFERENCE, metric), len(table) - row)
              for row, (_, r) in enumerate(table)]
    points.append((ratio_to_single(table, name, REFERENCE, metric), -0.4))
    return ["%.4f %g" % point for point in points if point[0]]


def _style(index, name):
    if name == "cgslab":
        return "pt %d ps 1.25 lc rgb '%s'" % (_CIRCLE, gnuplot.SUBJECT)
    return "pt %d ps 0.85 lc rgb '%s'" % (_SHAPES[index % len(_SHAPES)],
                                         gnuplot.COLOURS[index % len(gnuplot.COLOURS)])


def _legend(names, height):
    """gnuplot's own key does not reach over two panels."""
    lines, at = [], 0.165
    for index, name in enumerate(names):
        lines.append("set label %d '%s' at screen %g, screen %g left offset 1.2,0 point %s"
                     % (index + 1, name, at, 1 - 20 / height, _style(index, name)))
        at += 0.055 + 0.0115 * len(name)
    return lines


def _panel(number, title, metric, table, names):
    blocks, plots = [], []
    for index, name in enumerate(names):
        points = _points(table, name, metric)
        if points:  # gnuplot complains of nothing
            blocks += ["$p%d_%d << EOD" % (number, index)] + points + ["EOD"]
            plots.append("$p%d_%d using 1:2 with points %s" % (number, index, _style(index, name)))
    left = 0.165 + number * 0.425
    rows = ["'%s' %d" % (w, len(table) - row) for row, (w, _) in enumerate(table)]
    return blocks + [
        "set lmargin at screen %g" % left,
        "set rmargin at screen %g" % (left + 0.39),
        "set title '{/:Bold %s} relative to %s (less is better)' offset 0,-0.6"
        % (title, REFERENCE),
        "unset ytics" if number else
        "set ytics (%s) scale 0" % ", ".join(rows + ["'{/:Bold %s}' -0.4" % _MEAN]),
        "plot " + ", ".join(plots),
        "unset label",
    ]


def _script(path, table, names):
    height = _HEAD + _FOOT + _ROW * (max(len(table), _FEWEST) + 2)
    # cgslab last: its dots lie above the others.
    shown = [n for n in names if n not in (REFERENCE, "cgslab")]
    shown += [n for n in names if n == "cgslab"]
    lines = gnuplot.head(path, height) + [
        "set multiplot",
        "unset key",
        "set tmargin at screen %g" % (1 - _HEAD / height),
        "set bmargin at screen %g" % (_FOOT / height),
        "set logscale x 2",
        "set xtics (%s)" % ", ".join(["'1/%d' 1./%d" % (2 ** i, 2 ** i) for i in range(5, 0, -1)]
                                     + ["'%d' %d" % (2 ** i, 2 ** i) for i in range(5)]),
        "set yrange [-1.1:%g]" % (len(table) + 0.7),
        "set border 1 lc rgb '#808080'",
        "set tics nomirror textcolor rgb '#202020'",
        "set grid xtics lt 1 lc rgb '#e4e4e4'",
        "set arrow 1 from 1, graph 0 to 1, graph 1 nohead lc rgb '#404040' lw 1.3 back",
        "set arrow 2 from graph 0, first 0.3 to graph 1, first 0.3 nohead lc rgb '#c0c0c0' back",
    ]
    lines += _legend(shown, height)
    for number, (title, metric) in enumerate(_PANELS):
        lines += _panel(number, title, metric, table, shown)
    return "\n".join(lines + ["unset multiplot", ""])


def draw(path, table, names):
    """Writes table, [(workload, results)], as a picture; the suffix of the path says which kind."""
    if not any(_points(table, n, "seconds") for n in names if n != REFERENCE):
        raise gnuplot.PictureFailed("nothing was measured that could be drawn beside %s" % REFERENCE)
    gnuplot.run(_script(path, table, names))
