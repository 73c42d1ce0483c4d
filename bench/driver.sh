#!/bin/bash
# The programs that measure; which one, is the name it is called by. `bazel run` starts this in its
# runfiles; called by its own path, it finds them next to itself.
set -eu
files=$0.runfiles/cgslab
[ -d "$files" ] || files=$PWD
exec python3 -B "$files/bench/driver/${0##*/}.py" --binaries "$files/bench" \
	--built-library "$files/libcgslab.so" "$@"
