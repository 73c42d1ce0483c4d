#!/bin/bash
# cgslab run: the status is the program's, the report its own, and options win over CGSLAB_CONF.
. tests/tools/lib.sh

# status WANTED COMMAND...
status() {
	local wanted=$1 rc
	shift
	"$@" > "$tmp/out" 2> "$tmp/err"
	rc=$?
	[ $rc -eq "$wanted" ] || fail "$*: the exit status is $rc, not $wanted: $(cat "$tmp/err")"
}

reports() {
	grep -c '^GROUP ' "$1"
}

# ---- The program's status, its process, its arguments
status 0 "$cgslab" run -- true
status 7 "$cgslab" run -- sh -c 'exit 7'
status 7 "$cgslab" run sh -c 'exit 7'
for signal in TERM:143 KILL:137 ABRT:134; do
	{ status "${signal#*:}" "$cgslab" run -- sh -c "kill -${signal%:*} \$\$"; } 2> /dev/null
done
status 0 "$cgslab" run -- printf '%s|' --report=json -x 'a b' ''
[ "$(cat "$tmp/out")" = '--report=json|-x|a b||' ] || fail "arguments: $(cat "$tmp/out")"
status 0 "$cgslab" run -- cat <<< "through"
[ "$(cat "$tmp/out")" = through ] || fail "standard input"
"$cgslab" run -- sh -c 'echo $$' > "$tmp/out" 2> /dev/null &
wait $!
[ "$(cat "$tmp/out")" = $! ] || fail "the program has another process id"

expect 127 "'nowhere-to-be-found': No such file" "$cgslab" run -- nowhere-to-be-found
expect 126 "'/': Permission denied" "$cgslab" run -- /

# ---- The report
status 0 "$cgslab" run -- true
[ "$(reports "$tmp/err")" -eq 1 ] || fail "no text report by default: $(cat "$tmp/err")"
grep -q '^true ' "$tmp/err" || fail "the program's group is missing: $(cat "$tmp/err")"
status 0 "$cgslab" run --report=json -- true
python3 -m json.tool "$tmp/err" > /dev/null || fail "no JSON: $(cat "$tmp/err")"
status 0 "$cgslab" run --group-by=comm --report=json --max=1G -- python3 -c 'print([1] * 1000000)'
python3 -m json.tool "$tmp/err" > /dev/null || fail "no JSON: $(cat "$tmp/err")"
grep -q '"max":1073741824' "$tmp/err" || fail "no limit: $(cat "$tmp/err")"
status 0 "$cgslab" run --report=json --high=1G -- ls
grep -q '"high":1073741824' "$tmp/err" || fail "no high: $(cat "$tmp/err")"
status 0 "$cgslab" run --high=64M --max=1G --throttle --control -- sh -c 'echo $CGSLAB_CONF'
grep -q 'high:64M,max:1G,throttle:true,control:true,' "$tmp/out" || fail "options: $(cat "$tmp/out")"
CGSLAB_CONF=confirm_conf:true status 0 "$cgslab" run --high=64M --throttle --control -- true
grep -q 'high:67108864,max:max,.*control:true,throttle:true' "$tmp/err" || fail "in force: $(cat "$tmp/err")"
mkdir "$tmp/swap"
(cd "$tmp" && CGSLAB_CONF=confirm_conf:true status 0 "$cgslab" run --swap=swap --swap-max=1G -- true) || exit 1
grep -q "swap:$tmp/swap,swap_max:1073741824" "$tmp/err" || fail "no swap: $(cat "$tmp/err")"
CGSLAB_CONF=abort_conf:true status 134 "$cgslab" run --swap="$tmp/none" -- true
grep -q "swap: '$tmp/none': No such file or directory" "$tmp/err" || fail "swap nowhere: $(cat "$tmp/err")"
CGSLAB_CONF=confirm_conf:true,abort_conf:true status 0 "$cgslab" run --swap="$tmp/swap" --zswap -- true
grep -q "zswap:true" "$tmp/err" || fail "no zswap: $(cat "$tmp/err")"
status 2 "$cgslab" run --swap= -- true
status 2 "$cgslab" run --swap-max=lots -- true
for size in 8388608 8192k 8192K 8M 2g 1T 16777215T max; do
	CGSLAB_CONF=abort_conf:true status 0 "$cgslab" run --high=$size --max=$size -- ls
done

# Children, with exec and without, report nothing.
status 0 "$cgslab" run -- bash -c 'ls; (:); ls / | cat; bash -c "(:); ls"; :'
[ "$(reports "$tmp/err")" -eq 1 ] || fail "not one report: $(cat "$tmp/err")"
grep -q '^bash ' "$tmp/err" || fail "not the program's own report: $(cat "$tmp/err")"

# ---- The output file
cd "$tmp" || exit 1
mkdir -p elsewhere
rm -f report.json
status 0 "$cgslab" run --report=json --output=report.json -- \
	python3 -c 'import os; os.chdir("elsewhere")'
[ ! -s err ] || fail "the report is on stderr too: $(cat err)"
python3 -m json.tool report.json > /dev/null || fail "no JSON in the file"
[ ! -e elsewhere/report.json ] || fail "the file followed the program"
status 0 "$cgslab" run --output="$tmp/absolute.txt" -- true
[ "$(reports absolute.txt)" -eq 1 ] || fail "no report in an absolute file"
(cd / && status 0 "$cgslab" run --output="${tmp#/}/from_root.txt" -- true) || exit 1
[ "$(reports from_root.txt)" -eq 1 ] || fail "no report in a file named from the root"

# ---- What the environment has already
export CGSLAB_CONF=report:json
status 0 "$cgslab" run -- true
python3 -m json.tool err > /dev/null || fail "CGSLAB_CONF was dropped: $(cat err)"
status 0 "$cgslab" run --report=text -- true
[ "$(reports err)" -eq 1 ] || fail "the option did not win: $(cat err)"
export CGSLAB_CONF=max:64M,only_pid:1,report:json
status 0 "$cgslab" run --max=128M -- true
grep -q '"max":134217728' err || fail "the limit is not the option's: $(cat err)"
export CGSLAB_CONF=nonsense:1
status 0 "$cgslab" run -- true
grep -q "unknown key 'nonsense'" err || fail "a bad key went unnoticed: $(cat err)"
unset CGSLAB_CONF

library=$(realpath "$(dirname "$(realpath "$cgslab")")/../../libcgslab.so")
status 0 "$cgslab" run -- sh -c 'echo "$LD_PRELOAD"'
[ "$(cat out)" = "$library" ] || fail "LD_PRELOAD: $(cat out)"
libc=$(ldd /bin/true | awk '$1 == "libc.so.6" { print $3 }')
LD_PRELOAD=$libc status 0 "$cgslab" run -- sh -c 'echo "$LD_PRELOAD"'
[ "$(cat out)" = "$library:$libc" ] || fail "LD_PRELOAD lost something: $(cat out)"
LD_PRELOAD=$library status 0 "$cgslab" run -- sh -c 'echo "$LD_PRELOAD"'
[ "$(cat out)" = "$library" ] || fail "LD_PRELOAD names the library twice: $(cat out)"
status 0 "$cgslab" run -- "$cgslab" run -- bash -c 'echo "$LD_PRELOAD"'
[ "$(cat out)" = "$library" ] || fail "nested: $(cat out)"
[ "$(reports err)" -eq 1 ] || fail "nested: $(cat err)"

# ---- Where the library is looked for
mkdir -p installed/bin installed/lib
cp "$cgslab" installed/bin/cgslab
expect 1 "no libcgslab.so was found" installed/bin/cgslab run -- true
cp "$library" installed/lib/libcgslab.so
status 0 installed/bin/cgslab run -- sh -c 'echo "$LD_PRELOAD"'
[ "$(cat out)" = "$tmp/installed/lib/libcgslab.so" ] || fail "not the installed library: $(cat out)"
ln -sf installed/bin/cgslab link
status 0 ./link run -- sh -c 'echo "$LD_PRELOAD"'
[ "$(cat out)" = "$tmp/installed/lib/libcgslab.so" ] || fail "through a link: $(cat out)"
CGSLAB_LIBRARY=$library status 0 installed/bin/cgslab run -- sh -c 'echo "$LD_PRELOAD"'
[ "$(cat out)" = "$library" ] || fail "CGSLAB_LIBRARY: $(cat out)"
CGSLAB_LIBRARY=nowhere.so expect 1 "CGSLAB_LIBRARY 'nowhere.so'" "$cgslab" run -- true
mkdir -p "a b" && cp "$library" "a b/libcgslab.so"
CGSLAB_LIBRARY="a b/libcgslab.so" expect 1 "space or colon" "$cgslab" run -- true
echo PASSED
