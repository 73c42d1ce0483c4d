#!/bin/bash
# The benchmarks run, agree on the checksums, report in the promised form, and name bad arguments.
set -u

fail() {
	echo "compare_test: $*" >&2
	exit 1
}

# refuses WORD COMMAND...: exit status 2 and one line on stderr that has WORD in it.
refuses() {
	local word=$1 errors
	shift
	errors=$("$@" 2>&1 > /dev/null)
	[ $? -eq 2 ] || fail "$*: the exit status is not 2"
	[ "$(wc -l <<< "$errors")" -eq 1 ] || fail "$*: not one line: $errors"
	grep -q -- "$word" <<< "$errors" || fail "$*: no '$word' in: $errors"
}

bench/compare --quick --rounds 1 --workload pareto --workload handoff --workload phases \
	--json "$TEST_TMPDIR/compare.json" || fail "compare failed"
bench/micro --quick --rounds 1 --filter 'pair/16$' --json "$TEST_TMPDIR/micro.json" ||
	fail "micro failed"

python3 - "$TEST_TMPDIR/compare.json" "$TEST_TMPDIR/micro.json" << 'PYTHON' || fail "wrong JSON"
import json
import sys

compare, micro = (json.load(open(path)) for path in sys.argv[1:])
assert set(compare) == {"workloads", "geomean"}
assert [w["name"] for w in compare["workloads"]] == ["handoff", "pareto", "phases"]
for workload in compare["workloads"]:
    assert set(workload["results"]["cgslab"]) == {
        "seconds", "cpu_seconds", "peak_rss_kib", "after_rss_kib"}
assert set(compare["geomean"]["cgslab"]) == {
    "time_vs_jemalloc", "time_vs_best_peer", "rss_vs_jemalloc", "worst_time_vs_best_peer"}
assert [b["name"] for b in micro["benchmarks"]] == ["pair/16"]
assert micro["benchmarks"][0]["results"]["cgslab"]["ns"] > 0
PYTHON

refuses nonsense bench/compare --workload nonsense
refuses rounds bench/compare --rounds 0
refuses NAME=PATH bench/compare --allocator x
refuses nowhere.so bench/compare --cgslab nowhere.so
refuses nowhere bench/compare --json /nowhere/file
refuses option bench/micro --option
