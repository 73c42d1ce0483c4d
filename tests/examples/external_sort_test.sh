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

status = subprocess.call([sys.argv[1], "--memory", "8M", "--dir", "."])
resident = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
assert status == 0 and resident < 32 << 10, (status, resident)
PYTHON
[ ! -s err ] || fail "there is a bar where there is no terminal"
[ "$(ls)" = "$(printf 'err\nout')" ] || fail "the file has a name"

# Seven eighths of the numbers did not fit, and what did not fit was in the file.
pattern='^sorted 64M in 8M: at most ([0-9]+)\.[0-9]M of memory and ([0-9]+)\.[0-9]M of swap$'
[[ "$(cat out)" =~ $pattern ]] || fail "no verdict"
((6 <= BASH_REMATCH[1] && BASH_REMATCH[1] <= 8)) || fail "the limit is not used"
((56 <= BASH_REMATCH[2] && BASH_REMATCH[2] <= 64)) || fail "the file is not used"

# On a terminal there is a bar, which gets to its end.
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
for length in 0, 24, 48:
    bar = b"\r[" + length * b"#" + (48 - length) * b" " + b"]"
    assert bar in text and text.count(bar + b"\r\n") == (length == 48), length
PYTHON

# It fails where it must: no directory, no room in the file.
if "$program" --memory 4M --dir ./none > out 2> err; then
	fail "there is no such directory, and it does not mind"
fi
grep -q "none: No such file or directory" err || fail "it does not say what is missing"
if (ulimit -f 8192 && exec "$program" --memory 8M --dir . > out 2> err); then
	fail "it sorts without room in the file"
fi
grep -q "Cannot allocate memory" err || fail "it does not say that there is no memory"
[ ! -s out ] || fail "it says that it has sorted"

for wrong in "--memory 0" "--memory x" "--memory max" "--nothing"; do
	# shellcheck disable=SC2086
	if "$program" $wrong > out 2> err; then
		fail "it takes $wrong"
	fi
	[ "$(wc -l < err)" = 1 ] || fail "it does not say what is wrong with $wrong"
done
