"""Draws a few numbers of a few contestants with gnuplot: a panel a number, a bar a contestant."""

import gnuplot

_ROW = 26  # units a bar, and for what is above and below the bars of a panel
_HEAD = 40
_FOOT = 14
_COLUMNS = 2


def _colour(index, name):
    return gnuplot.SUBJECT if name == "cgslab" else gnuplot.COLOURS[index % len(gnuplot.COLOURS)]


def _panel(number, title, values, form, names, height):
    """height is that of a panel, and of all. They go from left to right, and down."""
    row, column = divmod(number, _COLUMNS)
    panel, total = height
    top = 1 - (row * panel + _HEAD) / total
    bottom = 1 - ((row + 1) * panel - _FOOT) / total
    left = 0.15 + column * 0.44
    most = max(values + [0]) or 1
    lines = ["$p%d << EOD" % number]
    lines += ["%g %g" % (value, len(names) - i) for i, value in enumerate(values)] + ["EOD"]
    lines += ["set lmargin at screen %g" % left, "set rmargin at screen %g" % (left + 0.4),
              "set tmargin at screen %g" % top, "set bmargin at screen %g" % bottom,
              "set title '{/:Bold %s}' offset 0,-0.6" % title.replace("'", "''"),
              "set xrange [0:%g]" % (1.3 * most),
              "set ytics nomirror (%s) scale 0 textcolor rgb '#202020'" % ", ".join("'%s' %d" % (name, len(names) - i)
                                                   for i, name in enumerate(names))
              if column == 0 else "unset ytics"]
    plots = []
    for i, (name, value) in enumerate(zip(names, values)):
        lines.append("set label %d '%s' at %g, %d left offset 0.6,0"
                     % (i + 1, form(value), value, len(names) - i))
        plots.append("$p%d every ::%d::%d using (0):2:(0):1:($2-0.33):($2+0.33) "
                     "with boxxyerror fs solid noborder lc rgb '%s'"
                     % (number, i, i, _colour(i, name)))
    return lines + ["plot " + ", ".join(plots), "unset label"]


def _script(path, names, panels):
    panel = _HEAD + _FOOT + _ROW * len(names)
    height = (panel, panel * -(-len(panels) // _COLUMNS))
    lines = gnuplot.head(path, height[1]) + [
        "set multiplot",
        "unset key",
        "unset xtics",
        "set border 2 lc rgb '#808080'",
        "set yrange [0.4:%g]" % (len(names) + 0.6),
    ]
    for number, (title, values, form) in enumerate(panels):
        lines += _panel(number, title, values, form, names, height)
    return "\n".join(lines + ["unset multiplot", ""])


def draw(path, names, panels):
    """panels is [(title, a value for each name, function that makes text of a value)]."""
    if not names:
        raise gnuplot.PictureFailed("nothing was measured")
    gnuplot.run(_script(path, names, panels))
