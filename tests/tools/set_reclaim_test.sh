#!/bin/bash
# cgslab set and reclaim, of processes that listen and of one that does not.
. tests/tools/lib.sh

MIB=$((1 << 20))

# start [CONF]: a cacher, with its id in $pid; what it says is read from 9.
start() {
	rm -f "$tmp/in" "$tmp/ready"
	mkfifo "$tmp/in" "$tmp/ready"
	CGSLAB_CONF="${1:-}" tests/tools/cacher < "$tmp/in" > "$tmp/ready" &
	pid=$!
	exec 8> "$tmp/in" 9< "$tmp/ready"
	read -r -t 30 answer <&9 && [ "$answer" = ready ] || fail "cacher did not start"
}

end() {
	exec 8>&- 9<&-
	wait $pid || fail "cacher failed"
}

# work: has it make a slow allocation; leaves the number of its blocks in $blocks.
work() {
	echo >&8
	read -r -t 30 blocks <&9 || fail "cacher does not work"
}

# shows KEY: of the group.
shows() {
	"$cgslab" stat $pid /cacher/cache > "$tmp/stat" || fail "stat fails"
	value "$1" "$tmp/stat"
}

# becomes KEY MOST: within some seconds.
becomes() {
	for _ in {1..500}; do
		[ "$(shows "$1")" -le "$2" ] && return
		sleep 0.02
	done
	fail "$1 is not $2: $(cat "$tmp/stat")"
}

succeeds() {
	"$@" > "$tmp/out" 2> "$tmp/err" || fail "$*: $(cat "$tmp/err")"
	[ ! -s "$tmp/out" ] && [ ! -s "$tmp/err" ] || fail "$* says something"
}

# ---- A process that does not listen while it rests
start pressure:false # nor has any thread of ours
[ "$(shows current)" -eq $((64 * MIB)) ] || fail "another size: $(cat "$tmp/stat")"
for limit in min:10M:10485760 low:20m:20971520 high:max:max max:1T:1099511627776; do
	IFS=: read -r file size bytes <<< "$limit"
	succeeds "$cgslab" set $pid /cacher/cache "memory.$file" "$size"
	[ "$(shows "$file")" = "$bytes" ] || fail "$file is not $size: $(cat "$tmp/stat")"
done
for limit in swap.high:10M:10485760 swap.max:0:0 zswap.max:1T:1099511627776 swap.max:max:max; do
	IFS=: read -r file size bytes <<< "$limit"
	succeeds "$cgslab" set $pid /cacher/cache "memory.$file" "$size"
	[ "$(shows "$file")" = "$bytes" ] || fail "$file is not $size: $(cat "$tmp/stat")"
done
work
[ "$blocks" -eq 64 ] || fail "$blocks blocks without need"

succeeds "$cgslab" set $pid cacher/cache memory.max 32M
[ "$(shows current)" -eq $((64 * MIB)) ] || fail "it listens"
work
[ "$blocks" -le 32 ] && [ "$blocks" -ge 24 ] || fail "$blocks blocks for 32M"
succeeds "$cgslab" set $pid cacher/cache memory.high 20M
work
[ "$blocks" -le 20 ] && [ "$blocks" -ge 12 ] || fail "$blocks blocks for 20M"

before=$blocks
succeeds "$cgslab" set $pid cacher/cache memory.low 1M # its request waits, and is no hindrance
"$cgslab" reclaim $pid /cacher/cache 1M 2> "$tmp/first" &
first=$!
sleep 1
expect 1 "another request for '/cacher/cache' of process $pid is waiting" \
	"$cgslab" reclaim $pid /cacher/cache 1M
wait $first && fail "a process that rests has answered"
grep -q "process $pid does not listen" "$tmp/first" || fail "$(cat "$tmp/first")"
work
[ "$blocks" -eq "$before" ] || fail "the request was not taken back: $blocks of $before blocks"

# At work it does.
"$cgslab" reclaim $pid /cacher/cache 4M 2> "$tmp/first" &
first=$!
for _ in {1..100}; do
	work
	kill -0 $first 2> /dev/null || break
	sleep 0.02
done
wait $first || fail "it was not reclaimed: $(cat "$tmp/first")"
[ "$blocks" -le $((before - 4)) ] || fail "$blocks of $before blocks"

expect 1 "the root has no limits" "$cgslab" set $pid / memory.max 1G
expect 1 "has no group '/cacher/nobody'" "$cgslab" set $pid /cacher/nobody memory.max 1G
expect 1 "has no group '/cacher/nobody'" "$cgslab" reclaim $pid /cacher/nobody 1M
succeeds "$cgslab" reclaim $pid /cacher/cache 0
end
expect 1 "there is no process $pid" "$cgslab" set $pid /cacher/cache memory.max 1G
expect 1 "there is no process $pid" "$cgslab" reclaim $pid /cacher/cache 1M

# ---- One that listens
start control:true
succeeds "$cgslab" reclaim $pid /cacher/cache 8M
current=$(shows current)
[ "$current" -le $((56 * MIB)) ] && [ "$current" -ge $((48 * MIB)) ] ||
	fail "$current bytes after 8M of 64M were reclaimed"
succeeds "$cgslab" reclaim $pid / 4M
becomes current $((current - 4 * MIB))
succeeds "$cgslab" set $pid /cacher/cache memory.max 30M
becomes current $((30 * MIB))
succeeds "$cgslab" set $pid /cacher/cache memory.high 10M
becomes current $((10 * MIB))
expect 1 "'/cacher/cache' of process $pid has not that much to give back: 1G" \
	"$cgslab" reclaim $pid /cacher/cache 1G
becomes current 0
work
[ "$blocks" -eq 0 ] || fail "$blocks blocks"
end

# ---- Who may not
if [ "$(id -u)" -eq 0 ]; then
	start control:true
	public=$(mktemp -d)
	trap 'rm -rf "$public"' EXIT
	chmod 755 "$public"
	cp "$cgslab" "$public/cgslab"
	for command in "set $pid /cacher/cache memory.max 1M" "reclaim $pid /cacher/cache 1M"; do
		# shellcheck disable=SC2086
		expect 1 "Permission denied" setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$public/cgslab" $command
	done
	[ "$(shows max)" = max ] || fail "another user has set a limit"
	end
fi
echo PASSED
