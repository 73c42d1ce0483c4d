#!/bin/bash
# crime_test.sh CRIME [PROGRAM]: runs PROGRAM with the library preloaded, and checks that it ends as
# the file "expected" says. Without PROGRAM it is compiled here, from the source of that name.
. "$(dirname "$0")/../lib.sh"
need jq jq
LD_PRELOAD=$CGSLAB_LIBRARY cat /proc/self/maps | grep -qF "$CGSLAB_LIBRARY" ||
	fail "$CGSLAB_LIBRARY cannot be preloaded"
crime=$1
ulimit -c 0

IFS='|' read -r name conf end text < <(grep -E "^$crime +\|" "$here/expected" | sed -E 's/ *\| */|/g')
[ -n "${name-}" ] || fail "$crime is not in the file expected"

program=${2+$PWD/$2}
if [ -z "$program" ]; then
	source=$here/$crime
	[ -e "$source.c" ] || [ -e "$source.cc" ] || source=$here/innocent
	program=$work/crime
	if [ -e "$source.c" ]; then
		gcc -D_GNU_SOURCE -O2 -g -pthread "$source.c" -o "$program"
	else
		g++ -std=gnu++17 -O2 -g -pthread "$source.cc" -o "$program"
	fi || fail "$source does not compile"
fi

mkdir "$work/here"
cd "$work/here" || exit 1
timeout --signal=KILL "${CRIME_TIMEOUT:-50}" \
	env CGSLAB_CONF=verify:true${conf:+,$conf} LD_PRELOAD="$CGSLAB_LIBRARY" "$program" \
	> "$work/out" 2> "$work/err"
status=$?

wrong() {
	cat "$work/err" >&2
	fail "$crime: $*"
}

aborted=$((128 + 6)) killed=$((128 + 9)) not_caught=77
[ $status -ne $killed ] || wrong "does not end"
case $end:$status in
ok:0 | abort:"$aborted" | debug:"$aborted") ;;
debug:"$not_caught") exit 0 ;;
*) wrong "ends with $status, expected: $end" ;;
esac
is_cgslab || exit 0

if [ -n "$text" ]; then
	text=${text//@/$(head -n 1 "$work/out")}
	mapfile -t said < <(grep '^cgslab: ' "$work/err")
	grep -qx "cgslab: $text" <<< "${said[0]-}" || wrong "does not say: cgslab: $text"
	[ "$end" = abort ] || [ ${#said[@]} -eq 1 ] || wrong "says more than one line"
else
	no_complaints "$work/err"
fi
[ ! -e report.json ] || jq -e . report.json > /dev/null || wrong "the report is not JSON: $(cat report.json)"
