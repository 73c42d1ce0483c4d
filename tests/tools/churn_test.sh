#!/bin/bash
# cgslab ls and stat of a process whose groups come and go meanwhile.
. tests/tools/lib.sh

mkfifo "$tmp/in" "$tmp/ready"
tests/tools/churn < "$tmp/in" > "$tmp/ready" &
pid=$!
exec 8> "$tmp/in" 9< "$tmp/ready"
read -r -t 30 _ <&9 || fail "churn did not start"
seen=0
for _ in {1..50}; do
	"$cgslab" ls $pid > "$tmp/ls" || fail "ls fails"
	awk 'NR == 2 && !/^\/ / || NR == 3 && !/^  churn / || NR > 3 && !/^     *churn[01] / { exit 1 }' \
		"$tmp/ls" || fail "another tree: $(cat "$tmp/ls")"
	seen=$((seen + $(wc -l < "$tmp/ls") - 3))
	"$cgslab" stat $pid / > /dev/null || fail "stat fails"
done
[ $seen -gt 0 ] || fail "no group was ever seen"
exec 8>&-
wait $pid || fail "churn failed"
echo PASSED
