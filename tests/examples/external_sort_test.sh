#!/bin/bash
# SPDX-License-Identifier: MIT
# external_sort_test.sh PROGRAM: the worked example sorts what does not fit, within its limit,
# and says so if it cannot.
set -eu

program=$PWD/$1
cd "$TEST_TMPDIR"

fail() {
	cat out err
	echo "FAILED: $*"
	exit 1
}

python3 - "$program" > out 2> err << 'PYTHON' || fail "it does not sort, or not in its memory"
import resource
import subprocess
import sys

status = subprocess.call([sys.argv[1], "--memory", "16M", "--dir", "."])
resident = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
assert status == 0 and resident < 48 << 10, (status, resident)
PYTHON
[ ! -s err ] || fail "there is a bar where there is no terminal"
[ "$(ls)" = "$(printf 'err\nout')" ] || fail "the file has a name"

# Seven eighths of the numbers did not fit, and what did not fit was in the file.
pattern='^sorted 128M in 16M: at most ([0-9]+)\.[0-9]M of memory and ([0-9]+)\.[0-9]M of the file$'
[[ "$(cat out)" =~ $pattern ]] || fail "no verdict"
[ "${BASH_REMATCH[1]}" -ge 12 ] && [ "${BASH_REMATCH[1]}" -le 16 ] || fail "the limit is not used"
[ "${BASH_REMATCH[2]}" -ge 112 ] && [ "${BASH_REMATCH[2]}" -le 128 ] || fail "the file is not used"

# What fits needs no file, and numbers that do not fill the last run are filled up.
"$program" --memory 32M --size 7M --dir . > out 2> err || fail "it does not sort a little"
grep -q '^sorted 8M in 32M: at most .*M of memory and 0\.0M of the file$' out ||
	fail "a little needs a file"

# On a terminal there is a bar, for each part of the work.
python3 - "$program" > out 2> err << 'PYTHON' || fail "no bar on a terminal"
import os
import pty
import sys

text = b""


def read(fd):
    global text
    data = os.read(fd, 1024)
    text += data
    return data


status = pty.spawn([sys.argv[1], "--memory", "4M", "--dir", "."], read)
assert status == 0, status
for part in b"sort", b"merge", b"verify":
    assert part.ljust(7) + b" [" + 40 * b"#" + b"] 100%\r\n" in text, part
PYTHON

# It fails where it must: no directory, no room in the file.
if "$program" --memory 4M --dir ./none > out 2> err; then
	fail "there is no such directory, and it does not mind"
fi
grep -q "none: No such file or directory" err || fail "it does not say what is missing"
if (ulimit -f 8192 && exec "$program" --memory 16M --dir . > out 2> err); then
	fail "it sorts without room in the file"
fi
grep -q "Cannot allocate memory" err || fail "it does not say that there is no memory"
[ ! -s out ] || fail "it says that it has sorted"

for wrong in "--memory 3M" "--memory x" "--size 0" "--size 1G --memory 4M" "more"; do
	status=0
	# shellcheck disable=SC2086
	"$program" $wrong > out 2> err || status=$?
	[ $status = 2 ] || fail "$wrong: status $status"
done
