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
	--json "$TEST_TMPDIR/compare.json" \
	--picture "$TEST_TMPDIR/compare.svg" --picture "$TEST_TMPDIR/compare.png" || fail "compare failed"
bench/compare --quick --rounds 1 --workload redis --workload compile \
	--json "$TEST_TMPDIR/real.json" || fail "compare failed with real programs"
bench/micro --quick --rounds 1 --filter 'pair/(16|64)$|charge_.*/64$|two_threads' \
	--json "$TEST_TMPDIR/micro.json" || fail "micro failed"
bench/scaling --quick --rounds 1 --json "$TEST_TMPDIR/scaling.json" || fail "scaling failed"

python3 - "$TEST_TMPDIR/compare.json" "$TEST_TMPDIR/real.json" "$TEST_TMPDIR/micro.json" \
	"$TEST_TMPDIR/scaling.json" << 'PYTHON' || fail "wrong JSON"
import json
import sys

compare, real, micro, scaling = (json.load(open(path)) for path in sys.argv[1:])
assert set(compare) == {"workloads", "geomean", "footprint"}
for tiny in compare["footprint"].values():
    assert 500 < tiny["rss_kib"] < 50000 and 0 < tiny["private_dirty_kib"] < tiny["rss_kib"]
assert "cgslab" in compare["footprint"]
assert [w["name"] for w in compare["workloads"]] == ["handoff", "pareto", "phases"]
for workload in compare["workloads"]:
    assert set(workload["results"]["cgslab"]) == {
        "seconds", "cpu_seconds", "peak_rss_kib", "after_rss_kib"}
assert set(compare["geomean"]["cgslab"]) == {
    "time_vs_jemalloc", "time_vs_best_peer", "worst_time_vs_best_peer", "best_single_peer",
    "time_vs_best_single_peer", "rss_vs_jemalloc", "after_rss_vs_jemalloc"}
redis, compiler = (workload["results"]["cgslab"] for workload in real["workloads"])
assert redis["after_rss_kib"] > 0 and redis["peak_rss_kib"] > 20000
assert "after_rss_kib" not in compiler and compiler["peak_rss_kib"] > 50000
assert real["geomean"]["cgslab"]["after_rss_vs_jemalloc"] > 0
assert [b["name"] for b in micro["benchmarks"]] == ["pair/16", "pair/64"]
assert micro["benchmarks"][0]["results"]["cgslab"]["ns"] > 0
assert micro["geomean"]["cgslab"]["time_vs_best_single_peer"] > 0
assert 0 < micro["charge_vs_pair_64"] < 10
assert set(micro["two_thread_rate"]) == {
    "arithmetic", "charge_own_groups", "charge_one_group", "malloc_own_groups", "malloc_one_group"}
assert all(0 < rate < 4 for rate in micro["two_thread_rate"].values())
assert [g["name"] for g in scaling["growth"]] == ["threads", "live objects", "run time"]
for growth in scaling["growth"]:
    assert set(growth["results"]["cgslab"]) == {
        "ns", "ns_10x", "time_growth", "rss_per_live", "rss_per_live_10x", "waste_growth"}
    assert 1 <= growth["results"]["cgslab"]["rss_per_live_10x"] < 10
assert [r["name"] for r in scaling["long_runs"]] == ["mixed", "slow", "fast"]
for run in scaling["long_runs"]:
    worst = run["results"]["cgslab"]
    # Of 8 MiB that are alive; the two are the worst of different moments.
    assert 1 <= worst["rss_per_live"] < 10
    assert abs(worst["excess_mib"] - 8 * (worst["rss_per_live"] - 1.3)) < 1
PYTHON

for word in pareto handoff phases 'geom. mean' cgslab mimalloc 'elapsed time' 'peak RSS'; do
	grep -qF "$word" "$TEST_TMPDIR/compare.svg" || fail "no '$word' in the picture"
done
tail -c 20 "$TEST_TMPDIR/compare.svg" | grep -q '</svg>' || fail "the SVG ends too early"
head -c 8 "$TEST_TMPDIR/compare.png" | cmp -s - <(printf '\x89PNG\r\n\x1a\n') || fail "no PNG"

PYTHONPATH=bench/driver python3 -B - << 'PYTHON' || fail "a missing allocator is not noticed"
import os

from allocators import Allocator, NotLoaded, check_binds_malloc, check_mapped, find_peers


def refuses(check, *arguments):
    try:
        check(*arguments)
    except NotLoaded:
        return
    raise AssertionError("%s accepts %s" % (check.__name__, arguments))


redis = (["redis-server", "--version"], dict(os.environ))
for peer in find_peers()[0]:
    check_binds_malloc(peer, *redis)
libc = find_peers()[0][0].path
no_allocator = Allocator("libm", os.path.join(os.path.dirname(libc), "libm.so.6"))
refuses(check_binds_malloc, no_allocator, *redis)
refuses(check_mapped, Allocator("nothing", "/nowhere/libnothing.so"), os.getpid())
PYTHON

PYTHONPATH=bench/driver python3 -B - << 'PYTHON' || fail "a server that dies is not noticed"
import os
import signal

from allocators import find_peers
from redis import Server
from runner import RunFailed, Runner

with Server(Runner("bench/driver/launch", dict(os.environ)), find_peers()[0][0]) as server:
    assert server.connection.ask("PING") == "PONG"
    os.kill(server.pid, signal.SIGKILL)
    for act in (lambda: server.connection.ask("PING"), server.stop):
        try:
            act()
        except (RunFailed, OSError):
            continue
        raise AssertionError("it is dead, and works")
PYTHON

# What is not installed is named, and left out.
mkdir "$TEST_TMPDIR/bin"
ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$TEST_TMPDIR/bin/python3"
listed=$(PATH=$TEST_TMPDIR/bin bench/compare --list 2> "$TEST_TMPDIR/left_out") ||
	fail "--list failed"
for workload in sqlite redis compile; do
	grep -q "^$workload: .* installed; skipped" "$TEST_TMPDIR/left_out" || fail "no word of $workload"
	! grep -q "^$workload " <<< "$listed" || fail "$workload is not left out"
done

refuses nonsense bench/compare --workload nonsense
refuses rounds bench/compare --rounds 0
refuses NAME=PATH bench/compare --allocator x
refuses nowhere.so bench/compare --cgslab nowhere.so
refuses nowhere bench/compare --json /nowhere/file
refuses .svg bench/compare --picture picture.jpg
refuses nowhere bench/compare --picture /nowhere/picture.svg
refuses rounds bench/scaling --rounds x
refuses option bench/micro --option
