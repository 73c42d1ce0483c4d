#!/bin/bash
# `bazel run` starts this in its runfiles; called by its own path, it finds them next to itself.
set -eu
files=$0.runfiles/cgslab
[ -d "$files" ] || files=$PWD
exec python3 -B "$files/bench/driver/scaling.py" --binaries "$files/bench" \
	--built-library "$files/libcgslab.so" "$@"
