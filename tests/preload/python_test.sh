#!/bin/bash
# python3: a good part of its own tests, and sqlite3 from several threads. PYTHONMALLOC=malloc sends
# even the smallest object through malloc.
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
need $python python3 jq jq
library=$($python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
need "$library/test/test_json" libpython3.11-testsuite

# The longest first. They run in processes of their own, several at once, because many mostly wait.
TESTS=(
	test_multiprocessing_fork test_concurrent_futures test_signal test_subprocess test_queue test_fork1
	test_threading test_thread test_threading_local test_mmap test_os test_posix test_select
	test_tempfile
	test_array test_bytes test_ctypes test_decimal test_deque test_dict test_gc test_hashlib
	test_itertools test_json test_list test_long test_re test_set test_sort
	test_struct test_unicode test_xml_etree test_zlib
)

scenario() {
	export PYTHONMALLOC=malloc PYTHONHASHSEED=0
	mkdir tests
	run $python -m test -j6 --tempdir "$PWD/tests" --junit-xml "$PWD/verdicts.xml" \
		--ignorefile "$here/python_ignored" "${TESTS[@]}" > tests.log || { tail -n 60 tests.log; false; }
	no_complaints tests.log
	$python "$here/python_verdicts.py" verdicts.xml
	run --report=json --output=report.json -- $python "$here/python_sqlite.py"
	# A thread is still allocating when the program ends.
	run $python -c 'import threading
def forever():
    while True: bytes(5000)
threading.Thread(target=forever, daemon=True).start()
print("daemon")'
}

compare scenario
check_report report.json
