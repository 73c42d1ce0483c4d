#!/bin/bash
# The manual pages are formatted without a warning, and each is in the section its name says.
set -u

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

export LC_ALL=C.UTF-8 MANWIDTH=80
pages=(docs/man/*.[137])
[ ${#pages[@]} -ge 10 ] || fail "only these pages: ${pages[*]}"
for page in "${pages[@]}"; do
	warnings=$(man --warnings=all -l "$page" 2>&1 > /dev/null)
	[ -z "$warnings" ] || fail "$page: $warnings"
	name=$(basename "$page")
	grep -qi "^\.TH \"\?${name%.*}\"\? \"\?${name##*.}\"\?" "$page" || fail "$page: another .TH"
	man -l "$page" | grep -q '^NAME' || fail "$page: no NAME"
	# Every page of ours that is referred to exists.
	for other in $(man -l "$page" | col -b |
		grep -oE '\b(lib)?cgslab\([137]\)|\b(kmem_cache|kmalloc|list_lru|mem_cgroup|mem_cgroup_limits|obj_cgroup|shrinker|span)\(3\)'); do
		file=docs/man/${other%(*}.${other: -2:1}
		[ -s "$file" ] || fail "$page refers to $other, which is not there"
	done
done
echo PASSED
