# shellcheck shell=bash disable=SC2034
# What the tests of the command share; to be sourced. They start where Bazel puts their files.
set -u
unset LD_PRELOAD CGSLAB_CONF CGSLAB_LIBRARY

cgslab=$PWD/tools/cgslab/cgslab
tmp=$(realpath "$TEST_TMPDIR")

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# expect STATUS WORD COMMAND...: its exit status, and one line on stderr that has WORD in it.
expect() {
	local status=$1 word=$2 rc
	shift 2
	"$@" > "$tmp/out" 2> "$tmp/err"
	rc=$?
	[ $rc -eq "$status" ] || fail "$*: the exit status is $rc, not $status: $(cat "$tmp/err")"
	[ "$(wc -l < "$tmp/err")" -eq 1 ] || fail "$*: not one line: $(cat "$tmp/err")"
	grep -q -- "$word" "$tmp/err" || fail "$*: no '$word' in: $(cat "$tmp/err")"
	[ ! -s "$tmp/out" ] || fail "$*: output in spite of the error: $(cat "$tmp/out")"
}

# value KEY FILE: of a "key value" line; -1 if there is none.
value() {
	awk -v key="$1" '$1 == key { print $2; found = 1 } END { if (!found) print -1 }' "$2"
}
