#!/bin/bash
# Swap, seen and bounded from outside.
. tests/tools/lib.sh

MIB=$((1 << 20))

# start OPTION...: a spiller, with its id in $pid; what it says is read from 9.
start() {
	rm -f "$tmp/in" "$tmp/ready"
	mkfifo "$tmp/in" "$tmp/ready"
	"$cgslab" run --control --swap="$tmp" "$@" -- "$PWD/tests/tools/spiller" \
		< "$tmp/in" > "$tmp/ready" 2> "$tmp/report" &
	pid=$!
	exec 8> "$tmp/in" 9< "$tmp/ready"
	read -r -t 30 answer <&9 && [ "$answer" = ready ] || fail "spiller did not start"
}

# end: all spans are as they were.
end() {
	echo >&8
	read -r -t 30 answer <&9 && [ "$answer" -eq 16 ] || fail "only $answer spans are right"
	exec 8>&- 9<&-
	wait $pid || fail "spiller failed"
}

# is KEY VALUE: of the group, now.
is() {
	"$cgslab" stat $pid /spiller/spill > "$tmp/stat" || fail "stat fails"
	[ "$(value "$1" "$tmp/stat")" = "$2" ] || fail "$1 is not $2: $(cat "$tmp/stat")"
}

above_0() {
	[ "$(value "$1" "$tmp/stat")" -gt 0 ] || fail "$1 is 0: $(cat "$tmp/stat")"
}

set_file() {
	"$cgslab" set $pid /spiller/spill "$1" "$2" || fail "$1 cannot be set"
}

# ---- To the file
start
is span $((16 * MIB))
is swap.current 0
"$cgslab" reclaim $pid /spiller/spill 8M || fail "nothing was swapped out"
is swap.current $((8 * MIB))
is span $((8 * MIB))
is swap.peak $((8 * MIB))
"$cgslab" ls $pid | grep -q '^    spill .* 8\.0M$' || fail "ls shows no swap: $("$cgslab" ls $pid)"

set_file memory.swap.max 10M
"$cgslab" reclaim $pid /spiller/spill 8M 2> "$tmp/err" && fail "beyond swap.max"
is swap.max $((10 * MIB))
is swap.current $((10 * MIB))
is span $((6 * MIB))
above_0 swap.events.max
above_0 swap.events.fail
is swap.events.high 0
is zswap.current 0
end
grep -q '^  spill  .* 0B$' "$tmp/report" || fail "another report: $(cat "$tmp/report")"

# ---- Compressed
start --zswap
"$cgslab" reclaim $pid /spiller/spill 2M || fail "nothing was swapped out"
"$cgslab" stat $pid /spiller/spill > "$tmp/stat"
if [ "$(value zswap.current "$tmp/stat")" -gt 0 ]; then
	above_0 zswapped
	set_file memory.zswap.max 0
	zswapped=$(value zswapped "$tmp/stat")
	"$cgslab" reclaim $pid /spiller/spill 2M || fail "nothing was swapped out"
	"$cgslab" stat $pid /spiller/spill > "$tmp/stat"
	[ "$(value zswapped "$tmp/stat")" -le "$zswapped" ] || fail "beyond zswap.max: $(cat "$tmp/stat")"
fi
end
echo PASSED
