#!/bin/bash
# SPDX-License-Identifier: MIT
# model_test.sh MODEL [VARIANT...]: the model holds in every order of its steps,
# and reaches all of them; each variant, which lacks something, does not hold.
set -eu

model=$PWD/$1
shift
cd "$TEST_TMPDIR"

# check NAME [OPTION]: explores the model into NAME.log; whether no error was found.
check() {
	spin ${2-} -a "$model" > "$1.spin" || { cat "$1.spin" && exit 1; }
	cc -O1 -w -DSAFETY -o "$1" pan.c
	"./$1" -m100000 > "$1.log"
	! grep -q 'max search depth too small' "$1.log"
	grep -q '^State-vector.*errors: 0$' "$1.log"
}

if ! check whole; then
	cat whole.log
	echo "the model does not hold"
	exit 1
fi
if grep -q '^	([1-9][0-9]* of' whole.log; then
	cat whole.log
	echo "states were not reached"
	exit 1
fi
for variant; do
	if check "$variant" "-D$variant"; then
		echo "the model holds without what $variant takes away"
		exit 1
	fi
	grep -q 'assertion violated' "$variant.log"
done
grep 'states, stored' whole.log
