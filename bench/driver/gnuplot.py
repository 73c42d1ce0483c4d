"""Pictures by gnuplot: what all of them share."""

import os
import shutil
import subprocess

# To be told apart by eyes of all kinds; cgslab's stands out.
SUBJECT = "#d55e00"
COLOURS = ["#7f7f7f", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]

_TERMINALS = {
    ".svg": "svg size 880,%d font 'sans-serif,13' background 'white'",
    ".png": "pngcairo size 1760,%d font 'sans,22' linewidth 2 pointscale 1.9 background 'white'",
}
_PNG_SCALE = 2


class PictureFailed(Exception):
    pass


def problem_with(path):
    """Why no picture can be written there, or None."""
    if os.path.splitext(path)[1] not in _TERMINALS:
        return "%s: the name must end in %s" % (path, " or ".join(_TERMINALS))
    if not os.access(os.path.dirname(path) or ".", os.W_OK):
        return "%s: cannot write there" % path
    return None if shutil.which("gnuplot") else "gnuplot is not installed"


def head(path, height):
    """The first lines of a script: the suffix of the path says which kind of picture."""
    kind = os.path.splitext(path)[1]
    return [
        "set terminal " + _TERMINALS[kind] % (height * (_PNG_SCALE if kind == ".png" else 1)),
        "set output '%s'" % path.replace("'", "''"),
    ]


def run(script):
    done = subprocess.run(["gnuplot", "-"], input=script, text=True, capture_output=True)
    if done.returncode:  # of warnings it is not sparing
        raise PictureFailed(done.stderr.strip() or "gnuplot failed")
