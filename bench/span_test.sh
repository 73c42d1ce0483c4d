#!/bin/bash
# The benchmark of spans runs, finds that no content was lost, and reports in the promised form.
set -u

fail() {
	echo "span_test: $*" >&2
	exit 1
}

bench/span --quick --rounds 1 --migrate 64 --dir "$TEST_TMPDIR" --json "$TEST_TMPDIR/span.json" ||
	fail "span failed"
if bench/span --quick --dir "$TEST_TMPDIR/none" 2> /dev/null; then
	fail "a directory that is not there will do"
fi

python3 - "$TEST_TMPDIR/span.json" << 'PYTHON' || fail "wrong JSON"
import json
import sys

span = json.load(open(sys.argv[1]))
assert set(span) == {"charge", "charge_touched", "migrate", "migrate_bytes", "swap", "pin",
                     "summary"}
assert span["migrate_bytes"] == 64 << 20
for part in "charge", "charge_touched":
    assert [int(size) >> 10 for size in span[part]] == [128 << i for i in range(8)], part
    for size, by in span[part].items():
        assert 0.2 < by["cgslab"]["overhead"] < 50, (part, size)
        assert all(by["cgslab"][kind + "_ns"] > 1 for kind in ("charged", "uncharged", "malloc"))
assert set(span["migrate"]) == {"equal", "longer"}
assert all(by["cgslab"]["memcpy_ms"] > 0.1 for by in span["migrate"].values())
assert set(span["swap"]) == {"256k", "1m", "4m", "all"}
for mode, by in span["swap"].items():
    assert all(by["cgslab"][side + way] > 1e6
               for side in ("ours", "by_hand") for way in ("_out", "_in")), mode
assert span["pin"]["cgslab"]["own_ns"] > 0.1
assert set(span["summary"]) == {"charge_overhead", "migrate_vs_memcpy", "swap_vs_raw_io",
                                "pin_unpin_vs_malloc_pair"}
assert all(value > 0 for value in span["summary"].values())
PYTHON

PYTHONPATH=bench/driver python3 -B - << 'PYTHON' || fail "the summary is wrong"
import span

results = {
    ("migrate", "equal"): {"cgslab": {"ratio": 0.01}},
    ("migrate", "longer"): {"cgslab": {"ratio": 0.02}},
    "pin": {"cgslab": {"own_ratio": 2, "other_ratio": 5}},
    ("swap", "256k"): {"cgslab": {"out_ratio": 0.1, "in_ratio": 0.1}},
    ("swap", "1m"): {"cgslab": {"out_ratio": 0.9, "in_ratio": 0.7}},
}
for i, size in enumerate(span.CHARGED):
    results["untouched", size] = {"cgslab": {"overhead": 2 if i % 2 else 0.5}}
    results["touched", size] = {"cgslab": {"overhead": 9}}
assert span.summarise(results) == {
    "charge_overhead": 1, "migrate_vs_memcpy": 0.02, "swap_vs_raw_io": 0.7,
    "pin_unpin_vs_malloc_pair": 2}
assert set(span.summarise({}).values()) == {None}
PYTHON
