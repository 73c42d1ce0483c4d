#!/bin/bash
# The format of the counters: what is read, what is refused, and what is not believed.
. tests/tools/lib.sh

mkfifo "$tmp/in" "$tmp/ready"

# with KIND: runs the rest of the line with $pid, a process with such counters.
with() {
	local kind=$1
	shift
	python3 tests/tools/fake_counters.py "$kind" < "$tmp/in" > "$tmp/ready" &
	pid=$!
	exec 8> "$tmp/in" 9< "$tmp/ready"
	read -r -t 30 _ <&9 || fail "no $kind counters"
	"$@"
	exec 8>&- 9<&-
	wait $pid
}

refused() {
	expect 1 "$1" "$cgslab" ls $pid
	expect 1 "$1" "$cgslab" stat $pid /
}

with version refused "counters of version 4; this command reads version 3"
with size refused "are damaged"
with short refused "does not run under cgslab"
with forked refused "does not run under cgslab"
with starting refused "has no groups yet"

names() {
	"$cgslab" ls $pid > "$tmp/ls" || fail "ls fails"
	sed -n '2,$s/^\( *[^ ]*\) .*/\1/p' "$tmp/ls" > "$tmp/names"
	diff - "$tmp/names" << 'END' || fail "other groups"
/
  program
    first
    second
      ?[31mred
END
	# CURRENT, and sums over the subtree: LIVE, OBJECTS, SLAB, WASTE; events; SWAP.
	[ "$(awk '$1 == "/" { print $2, $4, $5, $6, $7, $8, $10 }' "$tmp/ls")" = \
		"400.0K 5.3K 10 52.0K 50.7K 0 0B" ] || fail "other numbers: $(cat "$tmp/ls")"
	[ "$(awk '$1 == "program" { print $2, $3, $4, $5, $8, $9, $10 }' "$tmp/ls")" = \
		"360.0K 364.0K 1.3K 9 7 7 120.0K" ] || fail "other numbers: $(cat "$tmp/ls")"
}
with tree names
with growing names

numbers() {
	"$cgslab" stat $pid > "$tmp/stat" || fail "stat fails"
	diff - "$tmp/stat" << 'END' || fail "other numbers"
group /program
id 2
current 368640
peak 372736
min 0
low 0
high max
max 4096000
failcnt 5
object 1300
span 0
stock 367340
slab 53248
waste 51948
nr_objects 9
events.low 7
events.high 7
events.max 7
events.oom 7
events.oom_kill 7
events.oom_group_kill 7
events.local.low 8
events.local.high 8
events.local.max 8
events.local.oom 8
events.local.oom_kill 8
events.local.oom_group_kill 8
pressure.some 0
pressure.full 0
swap.current 122880
swap.peak 126976
swap.high max
swap.max 8192000
swap.events.high 7
swap.events.max 7
swap.events.fail 7
zswap.current 5000
zswap.max 2048000
zswapped 20480
END
	# Below 0 for the moment.
	"$cgslab" stat $pid /program/first > "$tmp/stat" || fail "stat fails"
	[ "$(value object "$tmp/stat")" -eq 0 ] || fail "below 0: $(cat "$tmp/stat")"
	expect 1 "has no group '/program/gone'" "$cgslab" stat $pid /program/gone
	expect 1 "has no group '/program/first/orphan'" "$cgslab" stat $pid /program/first/orphan
}
with tree numbers
echo PASSED
