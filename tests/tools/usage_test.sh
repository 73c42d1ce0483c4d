#!/bin/bash
# Bad command lines: exit status 2 and one line. Help and version: on stdout, exit status 0.
. tests/tools/lib.sh

expect 2 "a command is missing" "$cgslab"
expect 2 "'frob' is not a command" "$cgslab" frob
expect 2 "unrecognized option '--frob'" "$cgslab" --frob
expect 2 "unrecognized option '--frob'" "$cgslab" --frob run -- true

expect 2 "a program to run is missing" "$cgslab" run
expect 2 "a program to run is missing" "$cgslab" run --
expect 2 "unrecognized option '--frob'" "$cgslab" run --frob -- true
expect 2 "requires an argument" "$cgslab" run --max
expect 2 "neither none nor comm" "$cgslab" run --group-by=thread -- true
expect 2 "neither text nor json" "$cgslab" run --report=xml -- true
for size in "" x -1 1.5G 12Q 1KB 99999999999999999999 16777216T max1 MAX; do
	expect 2 "--max: '$size' is not a size" "$cgslab" run "--max=$size" -- true
	expect 2 "--high: '$size' is not a size" "$cgslab" run "--high=$size" -- true
	expect 2 "'$size' is not a size" "$cgslab" set -- 1 / memory.max "$size"
	expect 2 "'$size' is not a size" "$cgslab" reclaim -- 1 / "$size"
done
expect 2 "the name is empty" "$cgslab" run --output= -- true
expect 2 "has a comma" "$cgslab" run --output=a,b -- true
expect 2 "is longer than" "$cgslab" run "--output=/$(printf '%0300d' 0)" -- true

expect 2 "a process id is missing" "$cgslab" ls
expect 2 "a process id is missing" "$cgslab" stat
expect 2 "a process id is missing" "$cgslab" compact
for pid in x 0 12x 1.0 99999999999 ""; do
	expect 2 "is not a process id" "$cgslab" ls "$pid"
	expect 2 "is not a process id" "$cgslab" stat "$pid"
	expect 2 "is not a process id" "$cgslab" set "$pid" / memory.max 1M
	expect 2 "is not a process id" "$cgslab" reclaim "$pid" / 1M
	expect 2 "is not a process id" "$cgslab" compact "$pid"
done
expect 2 "one argument too many" "$cgslab" ls 1 2
expect 2 "one argument too many" "$cgslab" stat 1 / 2
expect 2 "one argument too many" "$cgslab" set 1 / memory.max 1M 2M
expect 2 "one argument too many" "$cgslab" reclaim 1 / 1M 2M
expect 2 "one argument too many" "$cgslab" compact 1 2
for given in "" "1" "1 /" "1 / memory.max"; do
	# shellcheck disable=SC2086
	expect 2 "a process id, a group, a file and a size are needed" "$cgslab" set $given
done
for given in "" "1" "1 /"; do
	# shellcheck disable=SC2086
	expect 2 "a process id, a group and a size are needed" "$cgslab" reclaim $given
done
for file in memory.current memory.reclaim max ""; do
	expect 2 "'$file' cannot be set; memory.min, memory.low" "$cgslab" set 1 / "$file" 1M
done

# shows WORD COMMAND...
shows() {
	local word=$1
	shift
	"$@" > "$tmp/out" 2> "$tmp/err" || fail "$* fails: $(cat "$tmp/err")"
	[ ! -s "$tmp/err" ] || fail "$*: $(cat "$tmp/err")"
	grep -q -- "$word" "$tmp/out" || fail "$*: no '$word' in: $(cat "$tmp/out")"
}

shows '^cgslab [0-9]*\.[0-9]*\.[0-9]*$' "$cgslab" --version
shows 'COMMAND' "$cgslab" --help
shows '--group-by=none|comm' "$cgslab" run --help
shows 'PID' "$cgslab" ls --help
shows 'PID \[GROUP\]' "$cgslab" stat --help
shows 'PID GROUP FILE SIZE' "$cgslab" set --help
shows 'PID GROUP SIZE' "$cgslab" reclaim --help
shows 'compact.*PID' "$cgslab" compact --help
echo PASSED
