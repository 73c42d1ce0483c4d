"""Command line options that the comparing programs share."""

import argparse
import os
import subprocess
import sys

import allocators
import gnuplot


class Parser(argparse.ArgumentParser):
    """One line for a bad argument, and exit status 2."""

    def error(self, message):
        self.exit(2, "%s: %s\n" % (self.prog, message))


def caller_path(path):
    """`bazel run` starts programs elsewhere than where the caller stands."""
    return os.path.join(os.environ.get("BUILD_WORKING_DIRECTORY", os.getcwd()), path)


def positive(text):
    value = int(text)
    if value < 1:
        raise ValueError
    return value


positive.__name__ = "number"  # argparse: "invalid number value: 'x'"


def add_common(parser):
    parser.add_argument("--quick", action="store_true", help="smaller loads, fewer rounds")
    parser.add_argument("--rounds", type=positive, metavar="N", help="runs to take the median of")
    parser.add_argument("--json", metavar="FILE", help="write the results there as well")
    parser.add_argument("--cgslab", metavar="PATH.so", help="this library instead of the built one")
    parser.add_argument("--allocator", action="append", default=[], metavar="NAME=PATH.so",
                        help="one more allocator; may be repeated")
    # Set by the wrapper script.
    parser.add_argument("--binaries", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--built-library", help=argparse.SUPPRESS)


def _library(parser, option, path):
    path = caller_path(path)
    if not os.path.isfile(path):
        parser.error("%s: no such file: %s" % (option, path))
    if " " in path or ":" in path:
        parser.error("%s: LD_PRELOAD cannot have a path with blanks or colons: %s" % (option, path))
    return os.path.abspath(path)


def _subjects(parser, options):
    subjects = []
    if options.cgslab:
        path = _library(parser, "--cgslab", options.cgslab)
        subjects.append(allocators.Allocator("cgslab", path))
    elif options.built_library:
        subjects.append(allocators.Allocator("cgslab", os.path.abspath(options.built_library)))
    for pair in options.allocator:
        name, _, path = pair.partition("=")
        if not name or not path:
            parser.error("--allocator wants NAME=PATH.so, not '%s'" % pair)
        subjects.append(allocators.Allocator(name, _library(parser, "--allocator", path)))
    return subjects


def add_picture(parser):
    parser.add_argument("--picture", action="append", default=[], metavar="FILE.svg|FILE.png",
                        help="draw the results there as well; may be repeated")


def choose_pictures(parser, given):
    """Finds out before the work is done, not after, whether they can be drawn."""
    paths = [caller_path(path) for path in given]
    for path in paths:
        problem = gnuplot.problem_with(path)
        if problem:
            parser.error("--picture: %s" % problem)
    return paths


def choose_allocators(parser, options, probe, environment, among=tuple(allocators.PEERS)):
    """Peers first, then the subjects; each proven to work. Says what is left out."""
    if subprocess.run([probe, "--optimised"]).returncode:
        print("built without optimisation: use `bazel run -c opt`", file=sys.stderr)
    peers, missing = allocators.find_peers(among)
    for name in missing:
        print("%s is not installed; skipped" % name, file=sys.stderr)
    chosen = peers + _subjects(parser, options)
    names = [a.name for a in chosen]
    for name in names:
        if names.count(name) > 1:
            parser.error("--allocator: there is a '%s' already" % name)
    for allocator in chosen:
        try:
            allocators.check_provides_malloc(allocator, probe, environment)
        except allocators.NotLoaded as problem:
            parser.exit(1, "%s: %s\n" % (parser.prog, problem))
    return chosen


def open_output(parser, path):
    """Opens the --json file before the work is done, not after. None if there is no path."""
    if not path:
        return None
    try:
        return open(caller_path(path), "w", encoding="utf-8")
    except OSError as problem:
        parser.error("--json: %s: %s" % (path, problem.strerror))
