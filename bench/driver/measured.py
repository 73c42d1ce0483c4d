"""Programs that measure themselves: lines "measure NAME VALUE", and one with a checksum."""

import statistics
import sys

from runner import RunFailed


def run_once(runner, allocator, command):
    """Returns what the program measured, {name: value}, and its checksum."""
    _, lines = runner.finish(runner.start(allocator, command))
    measured, checksum = {}, None
    for line in lines:
        words = line.split()
        if words[0] == "measure":
            measured[words[1]] = float(words[2])
        elif words[0] == "checksum":
            checksum = words[1]
    return measured, checksum


class Failures(set):
    """Names of those that failed somewhere."""

    def add(self, name, case, message):
        print("%s under %s failed: %s" % (case, name, message), file=sys.stderr)
        super().add(name)


def measure(runner, cases, rounds, failures, reduce=statistics.median):
    """cases is {case: {name: (allocator, argument list)}}; those of one case must agree on the
    checksum. All take turns. Returns {case: {name: {metric: what reduce() makes of the rounds}}}.
    """
    taken = {case: {name: [] for name in by} for case, by in cases.items()}
    right = {}
    for number in range(1, rounds + 1):
        for case, by in cases.items():
            print("round %d/%d %s" % (number, rounds, _text(by)), file=sys.stderr)
            for name, (allocator, command) in by.items():
                try:
                    measured, checksum = run_once(runner, allocator, command)
                except RunFailed as failure:
                    failures.add(name, case, failure)
                    continue
                if right.setdefault(case, checksum) != checksum:
                    failures.add(name, case, "another checksum: %s" % checksum)
                else:
                    taken[case][name].append(measured)
    return {case: {name: {metric: reduce(run[metric] for run in runs) for metric in runs[0]}
                   for name, runs in by.items() if runs}
            for case, by in taken.items()}


def _text(by):
    return " ".join(next(iter(by.values()))[1][1:]) if by else ""
