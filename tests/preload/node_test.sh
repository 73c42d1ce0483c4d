#!/bin/bash
# node: V8, workers, the thread pool and child processes.
. "$(dirname "$0")/lib.sh"
need node nodejs jq jq

scenario() {
	run --group-by=comm --report=json --output=report.json -- \
		node --max-old-space-size=256 "$here/node_test.js"
	run node -e 'process.exitCode = 3' || echo "status $?"
	run node --expose-gc -e 'for (let i = 0; i < 20; i++) { new Array(1e5).fill(i); gc() } console.log("gc")'
}

compare scenario
check_report report.json node
