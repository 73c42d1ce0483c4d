#!/bin/sh
# The symbols that the shared library offers are those of the list, no more and
# no less: a program that links it, or is preloaded with it, sees nothing else.
# Usage: exports_test.sh LIBRARY EXPECTED
set -eu

library=$1
expected=$2
found=$(mktemp)
trap 'rm -f "$found"' EXIT

nm -D --defined-only --extern-only "$library" | awk '{ print $3 }' | LC_ALL=C sort > "$found"
if ! diff -u "$expected" "$found"; then
	echo "The symbols of $library are not those of $expected." >&2
	exit 1
fi
# An exported variable, or a weak function, would be another kind of promise. There is one, for the
# inline functions of memcg.h; it belongs to a thread.
if ! readelf --dyn-syms --wide "$library" | grep -q ' TLS .* cgslab_stock_1$'; then
	echo "cgslab_stock_1 is no thread-local variable." >&2
	exit 1
fi
if nm -D --defined-only --extern-only "$library" | grep -v ' T \| cgslab_stock_1$'; then
	echo "The symbols above are not plain functions." >&2
	exit 1
fi
# Each of these would have another 64 KiB of libc mapped in every small program: the first are
# chosen at the start by code that lies apart, the others read tables.
if nm -D --undefined-only "$library" | grep -E '__mem[a-z]+_chk|__ctype_'; then
	echo "The library should do without the symbols above." >&2
	exit 1
fi
