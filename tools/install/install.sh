#!/bin/bash
# Copies what was built under PREFIX, below DESTDIR if that is set.
set -eu
# Without ".", which Bazel puts first in tests: this file is called install there.
PATH=$(getconf PATH)

usage() {
	echo "usage: bazel run -c opt //:install -- PREFIX" >&2
	exit 2
}

[ $# -eq 1 ] && [ -n "$1" ] || usage
case $1 in
-*) usage ;;
/*) prefix=$1 ;;
*) prefix=${BUILD_WORKING_DIRECTORY:-$PWD}/$1 ;;
esac
prefix=$(realpath -ms "$prefix")
to=${DESTDIR:-}$prefix

files=${RUNFILES_DIR:-$0.runfiles}/cgslab
[ -d "$files" ] || {
	echo "install: $files is missing; run this through Bazel" >&2
	exit 1
}
cd "$files"

install -D -m 755 tools/cgslab/cgslab "$to/bin/cgslab"
install -D -m 755 -t "$to/lib" libcgslab.so
install -D -m 644 -t "$to/lib" libcgslab.a
find -L . -path '*/include/cgslab/*.h' -type f -exec install -D -m 644 -t "$to/include/cgslab" {} +
mkdir -p "$to/lib/pkgconfig"
sed "s|@PREFIX@|${prefix//[|&\\]/\\&}|" cgslab.pc > "$to/lib/pkgconfig/cgslab.pc"
for section in 1 3 7; do
	find -L docs/man -name "*.$section" -type f \
		-exec install -D -m 644 -t "$to/share/man/man$section" {} +
done
echo "installed in $to"
