#!/bin/bash
# perl: strings, hashes, regular expressions, threads, fork and exec.
. "$(dirname "$0")/lib.sh"
need /usr/bin/perl perl jq jq

scenario() {
	export PERL_HASH_SEED=0 PERL_DESTRUCT_LEVEL=2
	run --report=json --output=report.json -- /usr/bin/perl "$here/perl_test.pl"
	run sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do perl -e "print \"$i\n\" x 3; exit 0" | tail -n 1; done'
}

compare scenario
check_report report.json
