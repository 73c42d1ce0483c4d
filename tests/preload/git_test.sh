#!/bin/bash
# git: a history made, packed, cloned and read back.
. "$(dirname "$0")/lib.sh"
need git git jq jq

git_() {
	run git -c core.pager=cat "$@"
}

# revision N: the files of the Nth commit.
revision() {
	local f
	for f in 1 2 3 4 5 6 7 8; do
		seq "$f" $((f + $1 % 5)) $((2000 + 50 * f)) > "file$f"
	done
	mkdir -p "dir$(($1 % 3))"
	seq "$1" 300 > "dir$(($1 % 3))/file$1"
}

scenario() {
	local n
	export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
	export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org

	git_ init -q -b main repository
	cd repository
	for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
		export GIT_AUTHOR_DATE="@$((1300000000 + n * 3600)) +0000" GIT_COMMITTER_DATE="@$((1300000000 + n * 3600)) +0000"
		if [ "$n" -eq 5 ]; then git_ checkout -q -b side; fi
		if [ "$n" -eq 9 ]; then git_ checkout -q main; fi
		revision "$n"
		git_ add -A
		git_ commit -q -m "revision $n"
	done
	git_ merge -q -s ours --no-edit side
	git_ tag -a -m tag v1
	git_ log --graph --stat
	git_ diff v1~3 v1
	git_ blame file3 | sed -n 1,20p
	git_ grep -c --threads=4 7 v1
	git_ -c pack.threads=4 gc -q --aggressive
	git_ fsck --full --strict
	git_ count-objects -v | grep -E '^(count|in-pack|packs|garbage)'
	git_ archive --format=tar v1 | sha256sum
	git_ bundle create -q ../bundle --all
	git_ rev-parse HEAD v1 side

	cd ..
	git_ clone -q --no-local "file://$PWD/repository" clone
	git_ clone -q bundle from_bundle
	cd clone
	git_ -c rebase.backend=merge rebase -q HEAD~2 || echo "status $?"
	git_ diff
	git_ rebase --abort
	git_ rev-parse HEAD
	echo conflict > file1
	git_ stash -q
	git_ checkout -q -b other HEAD~2
	echo other > file1
	git_ commit -q -a -m other
	git_ stash pop || echo "status $?"
	git_ status --short
	git_ cat-file --batch-check --batch-all-objects --buffer | sha256sum
	run --report=json --output=../report.json -- git rev-list --objects --all | sha256sum
}

compare scenario
check_report report.json
