# The shared part of the tests here: play a scenario without and with cgslab, and compare.
#
# A test defines a function that runs programs through `run`, and hands its name to `compare`. The
# function is played twice, each time in an empty directory of the same name, and its standard
# output and its end must be the same byte for byte. It runs under `set -e -o pipefail`.
#
# By hand: CGSLAB_LIBRARY=/path/to/libcgslab.so tests/preload/git_test.sh
#
# What is used: the command and the library that the variables CGSLAB and CGSLAB_LIBRARY name, else
# those that Bazel has built. Where only a library is named it is preloaded without the command; if it
# is not a libcgslab*.so, that tries the tests themselves with another malloc.
# shellcheck shell=bash
set -u
unset LD_PRELOAD CGSLAB_CONF
export LC_ALL=C TZ=UTC

fail() {
	printf 'FAIL: %s\n' "$*" >&2
	exit 1
}

# need PROGRAM_OR_FILE PACKAGE ...: fails unless every program or file is there.
need() {
	while [ $# -gt 0 ]; do
		command -v "$1" > /dev/null || [ -e "$1" ] ||
			fail "$1 is missing: install the package $2 (tests/preload/packages lists all)"
		shift 2
	done
}

# The folder of the test, with the files it needs.
here=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
# Not $TEST_TMPDIR: the name of a socket must be short.
work=$(mktemp -d /tmp/preload.XXXXXX)
trap 'rm -rf "$work"' EXIT

if [ -n "${TEST_SRCDIR-}" ]; then
	built=$TEST_SRCDIR/$TEST_WORKSPACE
else
	built=$here
	while [ "$built" != / ] && [ ! -e "$built/WORKSPACE" ]; do built=$(dirname "$built"); done
	built=$built/bazel-bin
fi
[ -n "${CGSLAB_LIBRARY-}" ] || CGSLAB=${CGSLAB:-$built/tools/cgslab/cgslab}
CGSLAB=${CGSLAB-}
export CGSLAB_LIBRARY=${CGSLAB_LIBRARY:-$built/libcgslab.so}
[ -e "$CGSLAB_LIBRARY" ] || fail "no library $CGSLAB_LIBRARY"
CGSLAB_LIBRARY=$(readlink -f "$CGSLAB_LIBRARY")

# is_cgslab: whether the preloaded library is ours, so that its messages and reports are to be seen.
is_cgslab() {
	case ${CGSLAB_LIBRARY##*/} in
	libcgslab*) true ;;
	*) false ;;
	esac
}
[ -z "$CGSLAB" ] || [ -x "$CGSLAB" ] || fail "no command $CGSLAB"

mode=plain

# run [OPTION OF cgslab run ... --] PROGRAM [ARGUMENT ...]
run() {
	(exec_run "$@")
}

# As run, in place of this shell: with & behind it, $! is the program.
exec_run() {
	local options=() word
	for word; do
		case $word in
		--?*) options+=("$word") ;;
		--) break ;;
		*) options=() && break ;;
		esac
	done
	[ "${word-}" != -- ] || shift $((${#options[@]} + 1))
	if [ "$mode" = plain ]; then
		exec "$@"
	fi
	export CGSLAB_CONF=verify:true,report:none
	if [ -n "$CGSLAB" ]; then
		exec "$CGSLAB" run "${options[@]}" -- "$@"
	fi
	for word in "${options[@]}"; do
		word=${word#--}
		CGSLAB_CONF+=,${word/group-by=/group_by=}
	done
	CGSLAB_CONF=${CGSLAB_CONF//=/:},only_pid:$BASHPID
	export LD_PRELOAD=$CGSLAB_LIBRARY
	exec "$@"
}

# no_complaints FILE: fails if cgslab said anything in FILE, where a program's standard error went.
no_complaints() {
	! grep -h '^cgslab:' "$1" >&2 || fail "cgslab complained (see above)"
}

play() {
	mode=$1
	rm -rf "$work/here"
	mkdir "$work/here"
	(
		cd "$work/here" || exit 1
		export HOME=$PWD TMPDIR=$PWD
		set -e -o pipefail
		"$2"
	) > "$work/$mode.out" 2> "$work/$mode.err"
	echo "exit status $?" >> "$work/$mode.out"
}

show() {
	printf -- '--- standard error %s:\n' "$1" >&2
	tail -n 50 "$work/$1.err" >&2
}

# compare SCENARIO: fails unless SCENARIO succeeds and does the same without and with cgslab.
compare() {
	mode=cgslab
	run cat /proc/self/maps | grep -qF "$CGSLAB_LIBRARY" || fail "$CGSLAB_LIBRARY is not loaded"
	play plain "$1"
	tail -n 1 "$work/plain.out" | grep -qx 'exit status 0' ||
		{ show plain; tail "$work/plain.out" >&2; fail "$1 fails even without cgslab"; }
	play cgslab "$1"
	diff -u "$work/plain.out" "$work/cgslab.out" >&2 ||
		{ show cgslab; fail "$1 differs under cgslab (+)"; }
	no_complaints "$work/cgslab.err"
}

# check_report FILE [GROUP ...]: FILE, relative to the scenario's directory, is a JSON report of a
# program that allocated, and has a group for each GROUP (a thread name, under --group-by=comm).
check_report() {
	local file=$work/here/$1 group
	is_cgslab || return 0
	[ -s "$file" ] || fail "no report $1"
	jq -e . "$file" > /dev/null || fail "the report $1 is not JSON"
	jq -e '[.groups[].peak] | max > 0' "$file" > /dev/null ||
		{ cat "$file" >&2; fail "the report $1 shows no memory"; }
	shift
	for group; do
		jq -e --arg group "$group" \
			'[.groups[] | select(.peak > 0) | .path | sub(".*/"; "")] | index($group) != null' \
			"$file" > /dev/null || { cat "$file" >&2; fail "the report has no group $group"; }
	done
}
