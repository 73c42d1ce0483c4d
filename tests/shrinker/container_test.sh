#!/bin/bash
# A program whose cache fills the memory of its container lives under cgslab, and is killed without. In a
# cgroup of the machine where one can be made, and in a folder with a watcher in the place of the kernel.
#
# container_test.sh LIBRARY CACHE WATCH
set -u
library=$(readlink -f "$1") cache=$(readlink -f "$2") watch=$(readlink -f "$3")
limit_mib=256
fill_mib=1024
work=$(mktemp -d /tmp/container.XXXXXX)
box=
trap '[ -z "$box" ] || rmdir "$box"; rm -rf "$work"' EXIT

fail() {
	printf 'FAIL: %s\n' "$*" >&2
	exit 1
}

# mount_point TYPE OPTION: where the cgroup file system of that type and option is mounted.
mount_point() {
	awk -v type="$1" -v option="$2" '
		{ for (i = 7; i <= NF && $i != "-"; i++); }
		$(i + 1) == type && (option == "" || $(i + 3) ~ "(^|,)" option "(,|$)") { print $5; exit }
	' /proc/self/mountinfo
}

# make_box: a cgroup with the limit, in $box; fails if that is not granted.
make_box() {
	local name top
	name=$(sed -n 's/^[0-9]*:\([^:]*,\)\?memory\(,[^:]*\)\?://p' /proc/self/cgroup)
	if [ -n "$name" ]; then
		top=$(mount_point cgroup memory)$name
		mkdir "${top%/}/cgslab_test.$$" 2> /dev/null || return 1
		box=${top%/}/cgslab_test.$$
		echo $((limit_mib << 20)) > "$box/memory.limit_in_bytes" || return 1
		return
	fi
	# Of version 2 a sibling of ours: where there are processes, no controllers are passed on.
	name=$(sed -n 's/^0:://p' /proc/self/cgroup)
	top=$(mount_point cgroup2 "")
	[ "$name" = / ] || top=$top${name%/*}
	grep -qw memory "$top/cgroup.subtree_control" 2> /dev/null || return 1
	mkdir "$top/cgslab_test.$$" 2> /dev/null || return 1
	box=$top/cgslab_test.$$
	echo $((limit_mib << 20)) > "$box/memory.max" || return 1
	# Without this the memory goes to the swap space, if there is one.
	[ ! -e "$box/memory.swap.max" ] || echo 0 > "$box/memory.swap.max"
}

# in_box PROGRAM [ARGUMENT...]
in_box() {
	(echo "$BASHPID" > "$box/cgroup.procs" && exec "$@")
}

# expect STATUS COMMAND [ARGUMENT...]
expect() {
	local wanted=$1 status=0
	shift
	"$@" > "$work/out" 2> "$work/err" || status=$?
	cat "$work/out" "$work/err"
	[ $status = "$wanted" ] || fail "status $status, not $wanted: $*"
}

lived() {
	grep -q '^cgslab:' "$work/err" && fail "cgslab complained"
	grep -q '^cached [1-9][0-9]* evicted [1-9]' "$work/out" ||
		fail "neither all of the cache nor nothing of it should have gone"
}

in_a_folder() {
	expect 137 "$watch" "$work/root" $((limit_mib << 20)) "$cache" $fill_mib 1 2
	expect 0 "$watch" "$work/root" $((limit_mib << 20)) env LD_PRELOAD="$library" \
		CGSLAB_CONF=verify:true,pressure_root:"$work/root" "$cache" $fill_mib 1 2
	lived
}

in_a_cgroup() {
	if ! make_box; then
		echo "no cgroup can be made here"
		return
	fi
	expect 137 in_box "$cache" $fill_mib
	expect 0 in_box env LD_PRELOAD="$library" CGSLAB_CONF=verify:true "$cache" $fill_mib
	lived
}

unset CGSLAB_CONF MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE
in_a_cgroup
in_a_folder
