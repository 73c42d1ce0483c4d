#!/bin/bash
# stress-ng: its stressors of malloc, fork, vfork and threads, bounded by operations.
. "$(dirname "$0")/lib.sh"
need stress-ng stress-ng jq jq

# stress ARGUMENT ...: stress-ng's own words on how it went.
stress() {
	run stress-ng --seed 1 --verify --timeout 60 --temp-path "$PWD" --oomable "$@" 2>&1 |
		sed -E 's/\[[0-9]+\]//; s/ in [0-9.]+s.*//; /dispatching|setting to/d' | sort
}

scenario() {
	stress --malloc 2 --malloc-ops 20000 --malloc-bytes 64M --malloc-max 20000
	stress --malloc 1 --malloc-ops 20000 --malloc-bytes 64K --malloc-pthreads 3 --malloc-touch
	stress --malloc 2 --malloc-ops 40000 --malloc-bytes 2000 --malloc-max 5000 --malloc-zerofree
	stress --malloc 1 --malloc-ops 10000 --malloc-bytes 64M --malloc-thresh 64K
	stress --fork 2 --fork-ops 3000
	stress --vfork 2 --vfork-ops 3000
	stress --pthread 2 --pthread-ops 4000 --pthread-max 64
	stress --clone 1 --clone-ops 1000 --daemon 1 --daemon-ops 300
	stress --exec 1 --exec-ops 200 --spawn 1 --spawn-ops 200
	stress --dynlib 1 --dynlib-ops 300
	stress --tree 1 --tree-ops 10 --tree-size 20000
	stress --tsearch 1 --tsearch-ops 3 --hsearch 1 --hsearch-ops 100 --zlib 1 --zlib-ops 20
	run --report=json --output=report.json -- stress-ng -q --malloc 1 --malloc-ops 1000
}

compare scenario
check_report report.json
