#!/bin/bash
# cgslab compact, of a process that listens and of one that does not while it rests.
. tests/tools/lib.sh

MIB=$((1 << 20))

# start [CONF]: a scatterer, with its id in $pid; what it says is read from 9.
start() {
	rm -f "$tmp/in" "$tmp/ready"
	mkfifo "$tmp/in" "$tmp/ready"
	CGSLAB_CONF="${1:-}" tests/tools/scatterer < "$tmp/in" > "$tmp/ready" &
	pid=$!
	exec 8> "$tmp/in" 9< "$tmp/ready"
	read -r -t 30 answer <&9 && [ "$answer" = ready ] || fail "scatterer did not start"
}

end() {
	exec 8>&- 9<&-
	wait $pid || fail "scatterer failed"
}

# work: has it look at its spans.
work() {
	echo >&8
	read -r -t 30 answer <&9 && [ "$answer" = whole ] || fail "what is in the spans is $answer"
}

# compacts: leaves the number of bytes in $bytes.
compacts() {
	"$cgslab" compact $pid > "$tmp/out" 2> "$tmp/err" || fail "compact: $(cat "$tmp/err")"
	[ ! -s "$tmp/err" ] && [ "$(wc -l < "$tmp/out")" -eq 1 ] || fail "compact says $(cat "$tmp/out")"
	bytes=$(value compacted "$tmp/out")
	[ $((bytes % (2 * MIB))) -eq 0 ] || fail "$bytes bytes are not whole huge pages"
}

# ---- One that listens
start control:true
compacts
# Eight spans of half a mebibyte were left, in as many huge pages; and 14 idle ones went.
[ "$bytes" -ge $((8 * MIB)) ] || fail "only $bytes bytes"
work
compacts
[ "$bytes" -le $((2 * MIB)) ] || fail "$bytes bytes the second time"
work
end

# ---- One that does not, until it makes a slow allocation
start pressure:false
expect 1 "process $pid does not listen" "$cgslab" compact $pid
"$cgslab" compact $pid > "$tmp/first" 2>&1 &
first=$!
for _ in {1..100}; do
	work
	kill -0 $first 2> /dev/null || break
	sleep 0.02
done
wait $first || fail "it was not compacted: $(cat "$tmp/first")"
[ "$(value compacted "$tmp/first")" -ge 0 ] || fail "$(cat "$tmp/first")"
work
end
expect 1 "there is no process $pid" "$cgslab" compact $pid
echo PASSED
