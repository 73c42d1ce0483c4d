#!/bin/bash
# The benchmarks of groups and tenants run, agree on the checksums, and report in the promised form.
set -u

fail() {
	echo "tenants_test: $*" >&2
	exit 1
}

bench/groups --quick --rounds 1 --json "$TEST_TMPDIR/groups.json" || fail "groups failed"
bench/tenants --quick --rounds 1 --tenants 50 --workers 3 --json "$TEST_TMPDIR/tenants.json" \
	--picture "$TEST_TMPDIR/tenants.svg" --picture "$TEST_TMPDIR/tenants.png" || fail "tenants failed"

python3 - "$TEST_TMPDIR/groups.json" "$TEST_TMPDIR/tenants.json" << 'PYTHON' || fail "wrong JSON"
import json
import sys

groups, tenants = (json.load(open(path)) for path in sys.argv[1:])
assert set(groups) == {"groups", "switch", "summary"}
assert set(groups["summary"]) == {
    "empty_group_bytes", "small_group_rss_ratio", "cost_ratio_100k_vs_100",
    "arena_create_destroy_ratio", "switch_vs_malloc_pair"}
assert all(value > 0 for value in groups["summary"].values())
assert [g["count"] for g in groups["groups"]] == [100, 1000, 100000]
assert set(groups["groups"][1]["results"]) == {"cgslab", "arena", "arena-nocache"}
assert set(groups["groups"][2]["results"]) == {"cgslab"}
for results in groups["groups"]:
    for by in results["results"].values():
        assert by["payload_bytes"] == 8640 < by["group_bytes"] < 10000000
        assert all(by[key] > 0 for key in ("hot_ns", "cold_ns", "life_ns", "used_life_ns"))
assert groups["switch"]["cgslab"]["switch_ns"] > 0

assert (tenants["workers"], tenants["tenants"]) == (3, 50)
assert set(tenants["ways"]) == {"cgslab", "arena", "arena-nocache", "tracker"}
for way in tenants["ways"].values():
    assert way["requests_per_second"] > 1000 and way["rss_bytes"] > 1000000
    assert 0 <= way["error_quiet_mean_bytes"] <= way["error_quiet_bytes"]
    assert 0 <= way["error_midst_mean_bytes"] <= way["error_midst_bytes"]
cgslab, nocache = tenants["ways"]["cgslab"], tenants["ways"]["arena-nocache"]
# Of the books, too: a way without caches or batches is never off.
assert nocache["error_quiet_bytes"] == nocache["error_midst_bytes"] == 0
# Nobody enforces a limit as late as who looks at statistics every now and then.
assert cgslab["overshoot_bytes"] == 0 < nocache["overshoot_bytes"]
summary = tenants["summary"]
assert set(summary) == {
    "throughput_vs_best_other", "error_quiet", "error_midst", "error_bound", "error_bound_kept",
    "overshoot_bytes"}
assert summary["throughput_vs_best_other"] > 0 and summary["overshoot_bytes"] == 0
assert summary["error_quiet"] == 0 and summary["error_bound_kept"] is True
assert summary["error_bound"] == 8 * (4 << 20) + 4096  # what stocks may grow to
PYTHON

for word in cgslab tracker 'requests per second' RSS 'past a limit'; do
	grep -qF "$word" "$TEST_TMPDIR/tenants.svg" || fail "no '$word' in the picture"
done
tail -c 20 "$TEST_TMPDIR/tenants.svg" | grep -q '</svg>' || fail "the SVG ends too early"
head -c 8 "$TEST_TMPDIR/tenants.png" | cmp -s - <(printf '\x89PNG\r\n\x1a\n') || fail "no PNG"

PYTHONPATH=bench/driver python3 -B - << 'PYTHON' || fail "the summaries are wrong"
import groups
import tenants


def way(rate, quiet=0, midst=0, above=0, below=0, past=0):
    return {"requests_per_second": rate, "error_quiet_bytes": quiet, "error_midst_bytes": midst,
            "charged_above_bytes": above, "charged_below_bytes": below, "overshoot_bytes": past}


others = {"arena": way(100), "tracker": way(200)}
summary = tenants.summarise({"cgslab": way(300), "old": way(900), **others}, 1)
assert summary["throughput_vs_best_other"] == 1.5 and summary["error_bound_kept"]
assert tenants.summarise(others, 1)["throughput_vs_best_other"] is None
bound = tenants.stock_bound(1)
for own, kept in ((way(1, above=bound), True), (way(1, above=bound + 1), False),
                  (way(1, midst=bound + 1), False), (way(1, below=1), False)):
    assert tenants.summarise({"cgslab": own}, 1)["error_bound_kept"] is kept

lives = {100: {"cgslab": {"life_ns": 2}, "arena": {"life_ns": 10}},
         1000: {"cgslab": {"life_ns": 4}, "arena": {"life_ns": 100}, "arena-nocache": {"life_ns": 80}},
         100000: {"cgslab": {"life_ns": 5, "empty_group_bytes": 700}}}
memory = {100000: {"cgslab": {"group_bytes": 21024, "payload_bytes": 10000}}}
visits = {100: {"cgslab": {"hot_ns": 50}}, 100000: {"cgslab": {"hot_ns": 75}}}
assert groups.summarise(memory, visits, lives, {"cgslab": {"switch_vs_malloc_pair": 3}}) == {
    "empty_group_bytes": 700, "small_group_rss_ratio": 2, "cost_ratio_100k_vs_100": 1.5,
    "arena_create_destroy_ratio": 20, "switch_vs_malloc_pair": 3}
assert set(groups.summarise({}, {}, {}, {}).values()) == {None}
assert not groups.fits(1 << 40, memory) and groups.fits(1 << 40, {})
PYTHON
