#!/bin/bash
# SPDX-License-Identifier: MIT
# cache_server_test.sh PROGRAM: the worked example keeps what it promises, and says so if
# it does not.
set -eu

program=$PWD/$1
cd "$TEST_TMPDIR"

fail() {
	cat table
	echo "FAILED: $*"
	exit 1
}

SECONDS=0
"$program" --seconds 10 > table || fail "the server does not keep what it promises"
[ "$SECONDS" -le 12 ] || fail "it took $SECONDS seconds"
[ "$(grep -c '^ .*%.*%.*%' table)" = 20 ] || fail "no row for each half second"
grep -q '^gold hit .* no limit was passed$' table || fail "no verdict"

# All three were short of memory, and the others paid: the last number of each tenant.
tail -n 2 table | head -n 1 | awk -F '|' '{
	for (i = 2; i <= 4; i++)
		split($i, tenant, " ") && evicted[i] = tenant[3]
	exit !(evicted[2] == 0 && evicted[3] > 1000 && evicted[4] > 1000)
}' || fail "not those that could spare it gave something back"

# It is the protection that does it.
if "$program" --seconds 10 --unprotected > table; then
	fail "gold keeps its hit rate without protection: there was no pressure"
fi
grep -q "^gold's hit rate fell from" table || fail "no verdict without protection"
