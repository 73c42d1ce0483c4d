#!/bin/bash
# The benchmark of shrinkers runs, finds that nothing was lost, and reports in the promised form.
set -u

fail() {
	echo "shrink_test: $*" >&2
	exit 1
}

bench/shrink --quick --rounds 1 --groups 200 --json "$TEST_TMPDIR/shrink.json" ||
	fail "shrink failed"

python3 - "$TEST_TMPDIR/shrink.json" << 'PYTHON' || fail "wrong JSON"
import json
import sys

shrink = json.load(open(sys.argv[1]))
assert set(shrink) == {"groups", "walks", "threads", "rivals", "malloc", "summary"}
assert shrink["groups"] == 200
assert set(shrink["walks"]) == {"fresh", "fresh_x10", "stale", "stale_x10", "set_x10"}
for mode, walk in shrink["walks"].items():
    assert walk["bits"] == (2000 if mode == "set_x10" else 200), mode
    assert walk["walk_us"] > 1, mode
assert 0.2 < shrink["threads"]["speedup_apart"] < 10
assert set(shrink["rivals"]) == {
    name + what for name in ("lockless", "readers_first", "writers_first", "spinning")
    for what in ("_visits", "_registrations")}
assert all(rate >= 0 for rate in shrink["rivals"].values())
assert shrink["rivals"]["lockless_visits"] > 1000
assert shrink["malloc"]["cgslab"]["with_ns"] > 0.1
assert set(shrink["summary"]) == {
    "unset_bits_x10_ratio", "stale_bits_x10_ratio", "two_thread_speedup", "vs_rwlock",
    "vs_spinning_rwlock", "malloc_overhead", "malloc_noise"}
PYTHON

PYTHONPATH=bench/driver python3 -B - << 'PYTHON' || fail "the summary is wrong"
import shrink

results = {
    "fresh": {"lockless": {"walk_us": 100, "bits": 10}},
    "fresh_x10": {"lockless": {"walk_us": 110, "bits": 10}},
    "stale": {"lockless": {"walk_us": 100, "bits": 10}},
    "stale_x10": {"lockless": {"walk_us": 300, "bits": 10}},
    "threads": {"lockless": {"visits": 1, "speedup_apart": 1.9, "speedup_together": 1.8}},
    "rivals": {"lockless": {"lockless_visits": 60, "readers_first_visits": 10,
                            "writers_first_visits": 5, "spinning_visits": 30}},
    "malloc": {"cgslab": {"overhead": 1.5, "noise": 0.5}},
}
assert shrink.summarise(results) == {
    "unset_bits_x10_ratio": 1.1, "stale_bits_x10_ratio": 3, "two_thread_speedup": 1.8,
    "vs_rwlock": 6, "vs_spinning_rwlock": 2, "malloc_overhead": 1.5, "malloc_noise": 0.5}
assert set(shrink.summarise({}).values()) == {None}
PYTHON
