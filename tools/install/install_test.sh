#!/bin/bash
# An installed tree is complete, moves with PREFIX and DESTDIR, and serves a C and a C++ program.
set -eu

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

install=$PWD/install
tmp=$(realpath "$TEST_TMPDIR")
export BUILD_WORKING_DIRECTORY=$tmp

has_all() {
	local f
	for f in bin/cgslab lib/libcgslab.so lib/libcgslab.a lib/pkgconfig/cgslab.pc; do
		[ -s "$1/$f" ] || fail "$1/$f is missing"
	done
	compgen -G "$1/include/cgslab/*.h" > /dev/null || fail "no headers in $1"
	compgen -G "$1/share/man/man1/*.1" > /dev/null || fail "no manual in $1"
}

"$install" here
has_all "$tmp/here"
DESTDIR=$tmp/stage "$install" /opt/cgslab
has_all "$tmp/stage/opt/cgslab"
grep -q '^prefix=/opt/cgslab$' "$tmp/stage/opt/cgslab/lib/pkgconfig/cgslab.pc" ||
	fail "DESTDIR is in cgslab.pc"
for arguments in "" "--help" "a b"; do
	# shellcheck disable=SC2086
	"$install" $arguments 2> "$tmp/usage" && fail "'$arguments' was taken"
	grep -q '^usage:' "$tmp/usage" || fail "no usage for '$arguments'"
done

cd "$tmp"
export PKG_CONFIG_PATH=$tmp/here/lib/pkgconfig
read -ra cflags < <(pkg-config --cflags cgslab)
read -ra libs < <(pkg-config --libs cgslab)
read -ra static_libs < <(pkg-config --static --libs cgslab | sed 's/-lcgslab/-l:libcgslab.a/')

# Each header stands alone, in both languages.
for header in here/include/cgslab/*.h; do
	echo "#include <cgslab/${header##*/}>" > alone.c
	gcc -std=gnu11 -Wall -Wextra -Werror "${cflags[@]}" -fsyntax-only alone.c || fail "$header in C"
	g++ -Wall -Wextra -Werror "${cflags[@]}" -fsyntax-only -x c++ alone.c || fail "$header in C++"
done

cat > program.c << 'END'
#include <cgslab/slab.h>

int main(void)
{
	void *p = kmalloc(100, GFP_KERNEL);

	kfree(p);
	return !p;
}
END
gcc "${cflags[@]}" program.c -o shared "${libs[@]}"
gcc "${cflags[@]}" program.c -o static "${static_libs[@]}"
LD_LIBRARY_PATH=$tmp/here/lib ./shared || fail "the program with the shared library"
./static || fail "the program with the archive"
if ldd ./static | grep -q libcgslab; then
	fail "the archive was not used"
fi
echo "PASSED"
