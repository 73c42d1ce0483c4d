#!/bin/bash
# cgslab ls and stat on a running process with threads.
. tests/tools/lib.sh

# Of holders.c.
OBJECTS=$((2000 * 1024))
BLOCK=$((1 << 20))
# What a thread may have used and not told yet: no more than its stock holds.
STOCK=$((64 * 4096))

# start PROGRAM...: leaves its id in $pid; it runs until the end of the test.
start() {
	mkfifo "$tmp/in" "$tmp/ready"
	"$@" < "$tmp/in" > "$tmp/ready" 2> "$tmp/report" &
	pid=$!
	exec 8> "$tmp/in" 9< "$tmp/ready"
	read -r -t 30 answer <&9 && [ "$answer" = ready ] || fail "$* did not start"
}

# between LOW KEY HIGH: of the last stat.
between() {
	local n
	n=$(value "$2" "$tmp/stat")
	[ "$n" -ge "$1" ] && [ "$n" -le "$3" ] ||
		fail "$2 is $n, not $1 to $3: $(cat "$tmp/stat")"
}

start "$cgslab" run --group-by=comm --max=1G -- "$PWD/tests/tools/holders"

# ---- ls
"$cgslab" ls $pid > "$tmp/ls" || fail "ls fails"
cat "$tmp/ls"
head -n 1 "$tmp/ls" | grep -q '^GROUP  *CURRENT  *PEAK  *LIVE  *OBJECTS  *SLAB  *WASTE' ||
	fail "other columns"
[ "$(wc -l < "$tmp/ls")" -ge 6 ] || fail "groups are missing"
grep -q '^/ ' "$tmp/ls" || fail "no root"
grep -q '^  holders ' "$tmp/ls" || fail "no group of the process"
for i in 1 2 3; do
	grep -q "^    holder$i  *3\.[0-9]M " "$tmp/ls" || fail "no holder$i, or another size"
done

# ---- stat
for i in 1 2 3; do
	"$cgslab" stat $pid "/holders/holder$i" > "$tmp/stat" || fail "stat fails"
	[ "$(value group "$tmp/stat")" = "/holders/holder$i" ] || fail "$(cat "$tmp/stat")"
	between $((OBJECTS - STOCK)) object $((OBJECTS + STOCK))
	between $BLOCK span $BLOCK
	between $((OBJECTS + BLOCK)) current $((OBJECTS + BLOCK + 2 * STOCK))
	between "$(value current "$tmp/stat")" peak $((OBJECTS + BLOCK + 2 * STOCK))
	between $OBJECTS slab $((OBJECTS * 5 / 4 + STOCK))
	between 0 events.max 0
	[ "$(value max "$tmp/stat")" = max ] || fail "a limit that nobody set"
done

# Without a group it is the process's, and numbers are of the subtree.
"$cgslab" stat $pid > "$tmp/stat" || fail "stat fails"
[ "$(value group "$tmp/stat")" = /holders ] || fail "not the process's group"
between $((3 * OBJECTS + 3 * BLOCK)) current $((3 * OBJECTS + 3 * BLOCK + 10 * STOCK))
between $((3 * BLOCK)) span $((3 * BLOCK))
between $((1 << 30)) max $((1 << 30))
"$cgslab" stat $pid holders/ > "$tmp/same" || fail "stat fails"
cmp "$tmp/stat" "$tmp/same" || fail "the path may be written with less"
"$cgslab" stat $pid / > "$tmp/stat" || fail "stat fails"
[ "$(value group "$tmp/stat")" = / ] || fail "not the root"
between $((3 * OBJECTS + 3 * BLOCK)) current $((3 * OBJECTS + 3 * BLOCK + 10 * STOCK))

expect 1 "has no group '/holders/nobody'" "$cgslab" stat $pid /holders/nobody
expect 1 "has no group '/holder'" "$cgslab" stat $pid /holder
"$cgslab" ls $pid > /dev/full 2> "$tmp/err" && fail "a full disk went unnoticed"
grep -q "could not be written" "$tmp/err" || fail "$(cat "$tmp/err")"

# ---- Who may not look
if [ "$(id -u)" -eq 0 ]; then
	public=$(mktemp -d)
	trap 'rm -rf "$public"' EXIT
	chmod 755 "$public"
	cp "$cgslab" "$public/cgslab"
	expect 1 "Permission denied" setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$public/cgslab" ls $pid
fi

# ---- Its end
exec 8>&-
wait $pid || fail "the program failed: $(cat "$tmp/report")"
grep -q '^  holder2 ' "$tmp/report" || fail "other groups in the report: $(cat "$tmp/report")"
expect 1 "there is no process $pid" "$cgslab" ls $pid
expect 1 "there is no process $pid" "$cgslab" stat $pid /

# ---- A forked child has numbers of its own
"$cgslab" run -- python3 -c '
import os, sys
child = os.fork()
if child == 0:
    block = bytes(50000000)
    print("ready", os.getpid(), flush=True)
    os.read(0, 1)
    os._exit(0)
os.waitpid(child, 0)' < "$tmp/in" > "$tmp/ready" 2> /dev/null &
pid=$!
exec 8> "$tmp/in" 9< "$tmp/ready"
read -r -t 30 _ child <&9 || fail "no child"
"$cgslab" stat $pid > "$tmp/stat" || fail "stat of the parent fails"
between 1 current 49999999
"$cgslab" stat "$child" > "$tmp/stat" || fail "stat of the child fails"
between 50000000 current 99999999
exec 8>&- 9<&-
wait $pid

# ---- A process without cgslab
sleep 60 &
expect 1 "process $! does not run under cgslab" "$cgslab" ls $!
kill $!
echo PASSED
