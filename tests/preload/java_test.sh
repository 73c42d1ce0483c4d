#!/bin/bash
# java: the compiler, two garbage collectors, named threads and memory outside the heap.
. "$(dirname "$0")/lib.sh"
need java default-jdk-headless javac default-jdk-headless jq jq

scenario() {
	run javac -d classes "$here/java_test.java"
	sha256sum classes/*.class
	run --group-by=comm --report=json --output=report.json -- \
		java -Xshare:auto -Xmx128m -XX:+UseParallelGC -cp classes Churn
	run java -Xmx128m -XX:+UseG1GC -cp classes Churn
	run java -Xint -Xmx64m -XX:+UseSerialGC -version 2>&1
}

compare scenario
check_report report.json java churn-1
