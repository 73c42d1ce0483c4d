#!/bin/bash
# redis-server with I/O threads, loaded by redis-benchmark, saving through fork, then read back.
. "$(dirname "$0")/lib.sh"
need redis-server redis-server redis-benchmark redis-tools redis-cli redis-tools jq jq

cli() {
	redis-cli -s redis.sock "$@"
}

# load COMMANDS: runs these of redis-benchmark's tests, 5000 requests each.
load() {
	run redis-benchmark -s redis.sock --threads 2 -c 16 -n 5000 -P 16 -d 100 -q -t "$1" > /dev/null
}

# The value sizes go through the encodings of small and large collections.
fill() {
	local i
	for i in $(seq 1 2000); do
		printf 'SET key:%d %s\n' "$i" "$(printf '%*d' $((i % 300 + 1)) "$i" | tr ' ' x)"
		printf 'HSET hash:%d field:%d %d\nRPUSH list:%d element:%d\nZADD zset %d member:%d\n' \
			$((i % 20)) "$i" "$i" $((i % 7)) "$i" "$i" "$i"
		printf 'SADD set %d\nSETRANGE range:%d %d end\nAPPEND grown %d\n' "$i" $((i % 5)) $((i * 40)) "$i"
		printf 'XADD stream 1-%d field value:%d\nPFADD hll %d\n' "$i" "$i" "$i"
		[ $((i % 10)) -ne 0 ] || printf 'DEL key:%d\nLPOP list:%d\nEXPIRE hash:3 100000\n' $((i / 2)) $((i % 7))
	done
}

state() {
	cli DBSIZE
	cli DEBUG DIGEST
}

scenario() {
	local server
	exec_run --group-by=comm --report=json --output=report.json -- \
		redis-server --port 0 --unixsocket "$PWD/redis.sock" --save '' --dir "$PWD" \
		--io-threads 4 --io-threads-do-reads yes --enable-debug-command local \
		--lazyfree-lazy-user-del yes --activedefrag no > server.log &
	server=$!
	trap 'kill $server || :; cat server.log >&2' EXIT
	until cli PING 2> /dev/null | grep -q PONG; do
		kill -0 "$server"
		sleep 0.05
	done
	grep -F "$CGSLAB_LIBRARY" "/proc/$server/maps" > maps || [ "$mode" = plain ]

	load set,incr,lpush,lpop,sadd,hset,zadd,lrange_100
	cli INFO stats | grep -cE 'io_threaded_(reads|writes)_processed:[1-9]'
	cli GET counter:__rand_int__
	cli LLEN mylist
	cli HGETALL myhash:__rand_int__ | head -c 1000

	fill | cli > /dev/null
	state
	cli DEBUG RELOAD
	state
	cli CONFIG SET appendonly yes
	until cli INFO persistence | grep -q 'aof_rewrite_in_progress:0'; do sleep 0.05; done
	cli BGSAVE
	until cli INFO persistence | grep -q 'rdb_bgsave_in_progress:0'; do sleep 0.05; done
	cli INFO persistence | tr -d '\r' | grep -E '^(rdb_last_bgsave_status|aof_last_bgrewrite_status)'
	cli EVAL 'local t = {} for i = 1, 20000 do t[i] = "value" .. i end return #table.concat(t)' 0
	cli MEMORY PURGE
	cli CONFIG SET maxmemory 4mb maxmemory-policy allkeys-lru
	cli CONFIG SET maxmemory 0
	cli FLUSHALL ASYNC
	state
	cli SHUTDOWN NOSAVE
	trap - EXIT
	wait "$server"
	run redis-check-rdb dump.rdb | grep -c 'Checksum OK'
}

compare scenario
check_report report.json redis-server io_thd_1
