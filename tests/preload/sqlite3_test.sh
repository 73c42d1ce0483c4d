#!/bin/bash
# sqlite3: the shell over a fixed script, in memory and in a file.
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3 jq jq

scenario() {
	run --report=json --output=report.json -- sqlite3 -batch :memory: < "$here/sqlite3_test.sql"
	run sqlite3 -batch file.db < "$here/sqlite3_test.sql"
	run sqlite3 file.db .dump | run sqlite3 copy.db
	run sqlite3 copy.db .sha3sum
	run sqlite3 file.db .sha3sum
	run sqlite3 file.db 'SELECT nothing FROM nowhere' 2>&1 || echo "status $?"
}

compare scenario
check_report report.json
